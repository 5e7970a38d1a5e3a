"""`deploy/` as Prometheus reads it: configuration, alerts, and a scrape of a system at work."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from doneyet.local.managed_process import free_port
from doneyet.local.system import System
from tests.helpers import wait_until

pytestmark = pytest.mark.monitoring

DEPLOY = Path(__file__).parents[2] / "deploy"
CASES = Path(__file__).parent / "alerts.yml"


def program(name: str) -> str:
    """Where it is."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"no {name} on PATH (Debian, Ubuntu: apt install prometheus)")
    return path


def promtool(*arguments: object) -> str:
    """What promtool says, where all is well."""
    command = [program("promtool"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_and_the_rules_are_valid() -> None:
    """Every rule file that the configuration names, too."""
    assert "SUCCESS: 1 rule files found" in promtool("check", "config", DEPLOY / "prometheus.yml")


def test_alerts_fire_when_they_should() -> None:
    """Each in a case of its own, and not before, nor where all is well."""
    promtool("test", "rules", CASES)
    alerts = re.findall(r"alert: (\w+)", (DEPLOY / "alerts.yml").read_text())
    fired = re.findall(r"alertname: (\w+)\n +exp_alerts:\n", CASES.read_text())
    assert sorted(fired) == sorted(alerts)


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[str]:
    """Prometheus with our configuration, which scrapes `target` once a second; its URL."""
    text = (DEPLOY / "prometheus.yml").read_text()
    text = text.replace("localhost:8080", target).replace("15s", "1s")
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(DEPLOY / "alerts.yml", folder)
    place = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={place}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://{place}"
    finally:
        process.terminate()
        process.wait(20)


def shown() -> list[str]:
    """What the dashboard of Grafana asks for, with its variables filled in."""
    panels = json.loads((DEPLOY / "grafana" / "doneyet.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    return [each.replace("$type", ".*").replace("$__rate_interval", "1m") for each in asked]


def test_a_system_is_scraped(tmp_path: Path) -> None:
    """Both paths; what was asked for is what Prometheus knows, and no alert fires. Each line of the
    Grafana dashboard has something to show."""
    numbers = [{"number": 10**9 + n} for n in range(50)]
    with System(processes=1) as system, prometheus(system.url[7:], tmp_path) as url:

        def query(expression: str) -> list[Any]:
            reply = requests.get(f"{url}/api/v1/query", params={"query": expression}, timeout=5)
            result: list[Any] = reply.json()["data"]["result"]
            return result

        def first(expression: str) -> float | None:
            found = query(expression)
            return float(found[0]["value"][1]) if found else None

        def is_ready() -> bool:
            try:
                return first('sum(up{job=~"doneyet-.*"})') == 2
            except (requests.ConnectionError, ValueError, KeyError):
                return False

        def all_done() -> bool:
            reply = requests.post(f"{system.url}/factorize", json=numbers, timeout=10)
            return all(answer["done"] for answer in reply.json())

        wait_until(is_ready, timeout_s=60, description="Prometheus has scraped both paths")
        wait_until(all_done, description="all are done")
        wait_until(
            lambda: first('doneyet_finished_total{type="factorization",outcome="done"}') == 50,
            description="Prometheus knows of it",
        )
        assert first('doneyet_wait_seconds_count{type="factorization"}') == 50
        assert first('sum(doneyet_run_seconds_count{type="factorization"})') == 50
        assert first('doneyet_workers{type="factorization"}') == 1
        wait_until(
            lambda: first('sum(doneyet_http_request_seconds_count{route="/factorize"})'),
            description="it knows of the requests, too",
        )
        assert query('ALERTS{alertstate="firing"}') == []
        for expression in shown():  # a limit of memory is shown where there is one
            asking = partial(query, expression.removesuffix(" > 0"))
            wait_until(asking, description=f"there is something for {expression}")
        rules = requests.get(f"{url}/api/v1/rules", timeout=5).json()["data"]["groups"][0]["rules"]
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
