# Three images from one file; the last is what a plain `docker build .` makes:
#   http-server   the server: no models, nothing but what the HTTP server imports
#   worker        answers: one image per set of extras, --build-arg EXTRAS=factorization,...
#                 (/hub is for fetched models, /data for file-to-file jobs, /scratch for what
#                 they write meanwhile, where TMPDIR names it: mount volumes there)
#   synchronous   both in one process, without Redis
#
# An image of your own task types is built on the worker's: FROM doneyet-worker, RUN pip install ...,
# COPY iris.py ./, ENV DONEYET_TASKS=iris.py.

# To have the same base each time, name it by its digest: python:3.11-slim@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE} AS base
# Process 1 is tini: it passes SIGTERM on and reaps what a killed worker process leaves behind.
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin doneyet \
    && install --directory --owner doneyet --group doneyet /hub /data /scratch
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# The images get no pip of their own: that of the base image installs into their environment, also
# in images that are built on them.
ENV PIP_PYTHON=/venv/bin/python PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

FROM base AS builder
ENV PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /venv

FROM builder AS http-packages
COPY requirements/http.txt requirements/
RUN pip install -q --require-hashes -r requirements/http.txt

FROM builder AS worker-packages
ARG EXTRAS=factorization,regression,batch
# An index beside PyPI, such as one that has torch built for the CPU.
ARG PIP_EXTRA_INDEX_URL
COPY requirements requirements
COPY pyproject.toml ./
COPY deploy/extras.py deploy/
# Exact versions come from requirements/, without hashes, since with them pip refuses all that has
# none; an extra that is not pinned there takes the newest.
RUN python deploy/extras.py "$EXTRAS" > wanted.txt \
    && sed '/--hash=/d; s/ *\\$//' requirements/*.txt > pins.txt \
    && pip install -q -r wanted.txt -c pins.txt

FROM worker-packages AS synchronous-packages
RUN pip install -q --require-hashes -r requirements/http.txt

FROM base AS code
COPY autoscaler autoscaler
COPY doneyet doneyet
COPY task_manager task_manager
COPY deploy/health.py deploy/
RUN python -m compileall -q .
# By number, since Kubernetes cannot tell from a name that it is not root (runAsNonRoot).
USER 10001
ENTRYPOINT ["tini", "--"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-m", "deploy.health"]

FROM code AS worker
# Its user's own, so that an image that is built on it can install more without being root.
COPY --from=worker-packages --chown=doneyet:doneyet /venv /venv
COPY worker worker
CMD ["python", "-m", "worker"]

FROM code AS http-server
COPY --from=http-packages /venv /venv
COPY http_server http_server
# A container must listen on all of its addresses to be reached at all. Who reaches them is decided by
# whoever publishes the port; DONEYET_KEYS has the server ask for a key.
ENV DONEYET_HOST=0.0.0.0 DONEYET_ALLOW_NO_KEYS=true
EXPOSE 8080
CMD ["python", "-m", "http_server"]

FROM code AS synchronous
COPY --from=synchronous-packages /venv /venv
COPY http_server http_server
ENV DONEYET_HOST=0.0.0.0 DONEYET_ALLOW_NO_KEYS=true
EXPOSE 8080
CMD ["python", "-m", "http_server", "--synchronous"]
