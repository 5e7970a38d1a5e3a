"""Pods of Kubernetes, as far as they can be told which of them are to go first.

By the API that every pod can reach, with what Kubernetes puts into it: no library, and no command.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds who it is."""
COST = "controller.kubernetes.io/pod-deletion-cost"
"""Of two pods that are ready, the one of the lower cost goes first; none is 0."""
TIMEOUT_S = 10.0
_PATCH = "application/merge-patch+json"


class PodsError(Exception):
    """Raised when the API of Kubernetes cannot be reached, or says no; the message tells why."""


class Pods:
    """Those of this pod's namespace that a selector chooses.

    Args:
        selector: as `kubectl get pods --selector` takes it.
        account: the folder with `token`, `namespace` and `ca.crt`; None: where Kubernetes has it.

    Raises:
        PodsError: this is no pod with a service account.
    """

    def __init__(self, selector: str, account: Path | None = None) -> None:
        self._selector, self._account = selector, account or ACCOUNT
        self._api = _api_here()
        self._namespace = self._read("namespace")
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands before it
        self._session.verify = str(self._account / "ca.crt")

    def costs(self) -> dict[str, int]:
        """What each says that it costs to delete it; of those that are not on their way out.

        Raises:
            PodsError: as above.
        """
        told = self._ask("GET", params={"labelSelector": self._selector})
        try:
            return {
                each["metadata"]["name"]: _cost(each["metadata"].get("annotations") or {})
                for each in told["items"]
                if "deletionTimestamp" not in each["metadata"]
            }
        except (TypeError, LookupError, AttributeError) as error:
            raise PodsError("the API of Kubernetes tells no pods: is it another server?") from error

    def set_cost(self, name: str, cost: int) -> None:
        """Has one say so; nothing where it has gone meanwhile.

        Raises:
            PodsError: as above.
        """
        patch = {"metadata": {"annotations": {COST: str(cost)}}}
        self._ask("PATCH", f"/{name}", json=patch, headers={"Content-Type": _PATCH})

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()

    def _ask(self, method: str, path: str = "", **more: Any) -> Any:
        # The token is read each time: Kubernetes replaces it every hour.
        headers = {"Authorization": f"Bearer {self._read('token')}", **more.pop("headers", {})}
        url = f"{self._api}/api/v1/namespaces/{self._namespace}/pods{path}"
        try:
            reply = self._session.request(method, url, headers=headers, timeout=TIMEOUT_S, **more)
            if reply.status_code == requests.codes.not_found and path:
                return None
            told = reply.json()
        except (requests.RequestException, OSError) as error:
            raise PodsError(f"the API of Kubernetes cannot be reached: {error}") from error
        if not reply.ok:
            raise PodsError(f"the API of Kubernetes answers {reply.status_code}: {_why(told)}")
        return told

    def _read(self, name: str) -> str:
        try:
            return (self._account / name).read_text().strip()
        except OSError as error:
            raise PodsError(f"this is no pod with a service account: {error}") from error


def update_costs(pods: Pods, running: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Has pods cost as many as they run tasks; gives each that changed, and its cost.

    Args:
        pods: which.
        running: tasks that each host runs, by its name, which is its pod's. A pod that is not
            among them does not work yet, and costs nothing.

    Raises:
        PodsError: as `Pods` has it; where that is about one pod, when all others are done.
    """
    trouble: PodsError | None = None
    for name, cost in pods.costs().items():
        if cost == (now := running.get(name, 0)):
            continue
        try:
            pods.set_cost(name, now)
        except PodsError as error:
            trouble = error
        else:
            yield name, now
    if trouble is not None:
        raise trouble


def _cost(annotations: Mapping[str, str]) -> int:
    """As an annotation says it; of one that is no number, a cost that no pod has."""
    try:
        return int(annotations.get(COST, "0"))
    except ValueError:
        return -1


def _api_here() -> str:
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))
    if not (host and port):
        raise PodsError("this is no pod: KUBERNETES_SERVICE_HOST is not set")
    return f"https://{f'[{host}]' if ':' in host else host}:{port}"


def _why(told: Any) -> str:
    return str(told.get("message", "no reason")) if isinstance(told, dict) else "no reason"
