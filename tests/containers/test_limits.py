"""What a container may take of its machine, as Compose files say; no engine is needed to read."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from doneyet.settings import Settings
from http_server.wire.body_reader import MOST_SLOW
from tests.containers.compose import ROOT

FILES = ("docker-compose.yml", "docker-compose.distributed.yml", "docker-compose.models.yml")
VARIABLE = re.compile(r"\$\{(\w+):-(\w+)\}")
LIMITS = ("mem_limit", "pids_limit")


def services(name: str) -> dict[str, dict[str, Any]]:
    """Those of a file, with what they take from others."""
    given = yaml.safe_load((ROOT / name).read_text())["services"]
    for service, own in given.items():
        if extended := own.get("extends"):
            given[service] = {**services(extended["file"])[extended["service"]], **own}
    found: dict[str, dict[str, Any]] = given
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_service_is_confined(name: str) -> None:
    """Each has limits of memory and of threads that an environment variable changes, and the docs
    tell; none may write to its root or has more rights than its user."""
    told = (ROOT / "docs" / "how-to" / "operate.md").read_text()
    for service, given in services(name).items():
        assert given["read_only"] is True, service
        assert given["cap_drop"] == ["ALL"], service
        assert given["security_opt"] == ["no-new-privileges:true"], service
        for limit in LIMITS:
            match = VARIABLE.fullmatch(str(given[limit]))
            assert match is not None, (service, limit)
            assert f"`{match[1]}`" in told, match[1]
            assert f"`{match[2]}`" in told, match[2]


def test_a_server_has_the_threads_that_it_may_need() -> None:
    """A held request is a thread, and a container's limit of processes counts threads."""
    settings = Settings()
    threads = settings.threads + settings.max_waiting + 2 * MOST_SLOW
    match = VARIABLE.fullmatch(services("docker-compose.yml")["http-server"]["pids_limit"])
    assert match is not None
    assert int(match[2]) > 1.25 * threads


def test_images_name_their_user_by_number() -> None:
    """Kubernetes' `runAsNonRoot` cannot tell from a name whether it is root's."""
    assert re.findall(r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["10001"]
