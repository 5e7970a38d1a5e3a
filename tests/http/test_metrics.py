"""What Prometheus scrapes: names, labels and figures, of this process and of the queues."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.metrics.names import metric_prefix
from task_manager.values import Load, Memory
from tests.helpers import wait_until
from tests.http.conftest import SETTINGS, System
from tests.http.fakes import FakeManager

Samples = dict[tuple[str, tuple[str, ...]], float]
TYPE = "factorization"
DEPLOY = Path(__file__).parents[2] / "deploy"
ORDER = ("type", "state", "version", "outcome", "route", "code", "le")


def read(text: str) -> Samples:
    """What is exposed: each value by its name and the values of its labels, in `ORDER`."""

    def key(sample: Sample) -> tuple[str, tuple[str, ...]]:
        return sample.name, tuple(sample.labels[each] for each in ORDER if each in sample.labels)

    families = text_string_to_metric_families(text)
    return {key(sample): sample.value for family in families for sample in family.samples}


def scraped(client: FlaskClient, path: str) -> Samples:
    """The same of a path of the application."""
    response = client.get(path)
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain; version=")
    return read(response.text)


@pytest.fixture
def other_client(registry: Registry) -> Iterator[FlaskClient]:
    """Asks an application whose metrics are called otherwise."""
    settings = replace(SETTINGS, metrics_namespace="fastapi", metrics_subsystem="model")
    app = create_app(settings, FakeManager(), registry)
    yield app.test_client()
    app.extensions["doneyet"].close()


def test_requests_are_counted_by_route_and_code(client: FlaskClient) -> None:
    """Whoever answered them; never by an id, nor by a path that somebody made up."""
    task_id = client.post("/factorize", json={"number": 6}).get_json()["id"]
    client.post("/factorize", json={"number": "x"})
    client.get(f"/tasks/{task_id}")
    client.get("/factorize/0")
    client.get("/load/factorization")
    client.get("/made/up")
    client.post("/factorize", json={"number": 6}, headers={"Host": "evil.example.com"})
    told = scraped(client, "/metrics")
    counts = {
        labels: value for (name, labels), value in told.items() if name.endswith("seconds_count")
    }
    assert counts == {
        ("/factorize", "202"): 1,
        ("/factorize", "422"): 1,
        ("/tasks/<task_id>", "200"): 1,
        ("/factorize/<task_id>", "404"): 1,
        ("/load/<name>", "200"): 1,
        ("none", "404"): 1,
        ("none", "403"): 1,
    }
    assert told["doneyet_http_request_seconds_bucket", ("/factorize", "202", "60.0")] == 1
    assert told["process_resident_memory_bytes", ()] > 1e6


def test_answers_from_memory_are_counted(client: FlaskClient, manager: FakeManager) -> None:
    """Redis does not hear of them."""
    client.post("/factorize", json={"number": 6})
    manager.finish_all()
    client.post("/factorize", json={"number": 6})
    assert ("doneyet_remembered_answers_total", (TYPE,)) not in scraped(client, "/metrics")
    client.post("/factorize", json={"number": 6})
    assert scraped(client, "/metrics")["doneyet_remembered_answers_total", (TYPE,)] == 1


def test_queues_are_told_by_type(client: FlaskClient, manager: FakeManager) -> None:
    """States, workers, the oldest; what happened; and histograms that end with all."""
    client.post("/factorize", json=[{"number": 6}, {"number": 7}])
    manager.oldest_s = 12.5
    manager.events = {
        "new": 2,
        "joined": 5,
        "done": 3,
        "crashed": 1,
        "abandoned": 4,
        "retries": 6,
        "wait_1": 2,
        "wait_19": 1,
        "wait_ms": 7_200_500,
        "batch_2": 1,
        "batch_tasks": 2,
    }
    told = scraped(client, "/metrics/queue")
    assert told["doneyet_tasks", (TYPE, "waiting")] == 2
    assert told["doneyet_tasks", (TYPE, "running")] == 0
    assert told["doneyet_workers", (TYPE, "1")] == 1
    assert told["doneyet_oldest_waiting_seconds", (TYPE,)] == 12.5
    by_outcome = {
        labels[1]: value
        for (name, labels), value in told.items()
        if name == "doneyet_submissions_total" and labels[0] == TYPE
    }
    assert by_outcome == {"new": 2, "joined": 5, "cached": 0, "refused": 0}
    assert told["doneyet_finished_total", (TYPE, "crashed")] == 1
    assert told["doneyet_abandoned_total", (TYPE,)] == 4
    assert told["doneyet_retries_total", (TYPE,)] == 6
    assert told["doneyet_wait_seconds_bucket", (TYPE, "0.005")] == 2
    assert told["doneyet_wait_seconds_bucket", (TYPE, "7200.0")] == 2
    assert told["doneyet_wait_seconds_bucket", (TYPE, "+Inf")] == 3
    assert told["doneyet_wait_seconds_count", (TYPE,)] == 3
    assert told["doneyet_wait_seconds_sum", (TYPE,)] == 7200.5
    assert told["doneyet_batch_size_bucket", (TYPE, "2.0")] == 1
    assert told["doneyet_batch_size_sum", (TYPE,)] == 2
    manager.others = [Load(TYPE, 4, 5, 6, "0"), Load("regression", 1, 1, 1, "0")]
    told = scraped(client, "/metrics/queue")
    assert told["doneyet_tasks", (TYPE, "waiting")] == 2 + 4
    assert told["doneyet_tasks", (TYPE, "running")] == 5
    assert told["doneyet_workers", (TYPE, "1")] == 1
    assert told["doneyet_workers", (TYPE, "0")] == 6
    assert not any("redis" in name for name, _ in told)
    manager.told_memory = Memory(1000, 4000)
    told = scraped(client, "/metrics/queue")
    assert told["doneyet_redis_memory_bytes", ()] == 1000
    assert told["doneyet_redis_memory_limit_bytes", ()] == 4000


def test_queues_are_not_told_as_empty_while_redis_is_away(
    client: FlaskClient, manager: FakeManager
) -> None:
    """An autoscaler or an alert would believe it; this process goes on to tell of itself."""
    manager.down = True
    assert client.get("/metrics/queue").status_code == 503
    told = scraped(client, "/metrics")
    assert told["doneyet_http_request_seconds_count", ("/metrics/queue", "503")] == 1


def test_names_follow_the_settings(other_client: FlaskClient) -> None:
    """As Prometheus' own client libraries make names."""
    other_client.get("/ping")
    assert "fastapi_model_http_request_seconds_count" in {
        name for name, _ in scraped(other_client, "/metrics")
    }
    assert ("fastapi_model_tasks", (TYPE, "waiting")) in scraped(other_client, "/metrics/queue")


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [
        (Settings(), "doneyet_"),
        (Settings(metrics_namespace=""), "doneyet_"),
        (Settings(metrics_subsystem="api"), "doneyet_api_"),
    ],
)
def test_prefixes(settings: Settings, prefix: str) -> None:
    """Each part that is there, with an underscore."""
    assert metric_prefix(replace(settings, metrics_namespace="doneyet")) == prefix


@pytest.mark.parametrize("name", ["my-team", "1st", "a b", "ä"])
def test_names_that_prometheus_refuses(name: str) -> None:
    """The message names the setting."""
    with pytest.raises(SettingError, match="DONEYET_METRICS_NAMESPACE"):
        metric_prefix(Settings(metrics_namespace=name))


def test_settings_without_the_prefix() -> None:
    """As other servers of models call them; doneyet's own names win."""
    given = {"ENABLE_METRICS": "false", "METRICS_NAMESPACE": "a", "METRICS_SUBSYSTEM": "b"}
    settings = Settings.from_environment({**given, "DONEYET_METRICS_SUBSYSTEM": "c"})
    assert settings.enable_metrics == "false"
    assert metric_prefix(settings) == "a_c_"
    with pytest.raises(SettingError, match="DONEYET_ENABLE_METRICS must be one of true, false"):
        Settings.from_environment({"ENABLE_METRICS": "perhaps"})


def test_metrics_can_be_left_out(registry: Registry) -> None:
    """Then there are no such paths."""
    app = create_app(replace(SETTINGS, enable_metrics="false"), FakeManager(), registry)
    client = app.test_client()
    assert client.get("/metrics").status_code == client.get("/metrics/queue").status_code == 404
    app.extensions["doneyet"].close()


def test_openmetrics_where_it_is_preferred(client: FlaskClient) -> None:
    """Prometheus asks for it."""
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    for path in ("/metrics", "/metrics/queue"):
        response = client.get(path, headers=accept)
        assert response.content_type.startswith("application/openmetrics-text")
        assert response.text.endswith("# EOF\n")


def test_a_whole_system(system: System) -> None:
    """A server, Redis and a worker: what was submitted is what is counted."""
    before = read(requests.get(f"{system.url}/metrics/queue", timeout=10).text)
    numbers = [{"number": 10**12 + n} for n in range(30)]

    def all_done() -> bool:
        reply = requests.post(f"{system.url}/factorize", json=numbers, timeout=10)
        return all(answer["done"] for answer in reply.json())

    wait_until(all_done, description="all are done")
    after = read(requests.get(f"{system.url}/metrics/queue", timeout=10).text)

    def more(name: str, *labels: str) -> float:
        key = f"doneyet_{name}", (TYPE, *labels)
        return after[key] - before[key]

    assert more("submissions_total", "new") == more("finished_total", "done") == 30
    assert more("wait_seconds_count") == 30
    assert after["doneyet_redis_memory_bytes", ()] > 1e5
    assert after["doneyet_tasks", (TYPE, "waiting")] == 0


@pytest.mark.parametrize("file", ["alerts.yml", "grafana/doneyet.json"])
def test_what_is_deployed_names_metrics_that_there_are(
    client: FlaskClient, manager: FakeManager, file: str
) -> None:
    """An alert about a metric that there is not never fires."""
    manager.told_memory = Memory(1, 2)
    client.post("/factorize", json={"number": 6})
    there_are = {
        name for path in ("/metrics", "/metrics/queue") for name, _ in scraped(client, path)
    }
    text = (DEPLOY / file).read_text()
    named = set(re.findall(r"doneyet_\w+", text))
    assert len(named) > 8
    assert named <= there_are
