"""`doneyet check`: a row for each thing that was tried, and an exit code."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from doneyet.command.checking import look
from doneyet.command.checks.finding import Finding
from doneyet.command.main import doneyet
from doneyet.command.running import run
from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.settings import Settings


def found(settings: Settings) -> dict[str, Finding]:
    return {finding.what: finding for finding in look(settings)}


def test_all_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; a Redis without persistence is a note."""
    with EmbeddedRedis() as server:
        argv = ["check", "--redis-url", server.url, "--storage", str(tmp_path)]
        assert run(doneyet, argv, "doneyet") == 0
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        *("settings", "task", "Redis", "Redis", "storage", "factorization"),
        *("regression-fit", "regression-predict", "regression-score"),
    ]


def test_what_is_broken_says_what_to_do(tmp_path: Path) -> None:
    """Each on its own: a missing file, a server that is away, a folder that is not there."""
    gone = tmp_path / "gone"
    settings = Settings(tasks="no.py", redis_url="redis://127.0.0.1:1/0", storage=str(gone))
    findings = found(settings)
    broken = {what for what, finding in findings.items() if finding.state == "broken"}
    assert broken == {"task types", "Redis", f"storage {gone}"}
    assert found(Settings(storage=str(tmp_path)))[f"storage {tmp_path}"].state == "ok"
    assert "there is no file" in findings["task types"].text
    assert "--redis-url" in findings["Redis"].text


def test_keys(tmp_path: Path) -> None:
    """Whose there are, or what is wrong with their file."""
    path = tmp_path / "keys.txt"
    settings = Settings(keys=str(path), tasks="no.py", queue_mode="synchronous")
    (row,) = [each for each in look(settings) if "DONEYET_KEYS" in each.text]
    assert row[:2] == ("keys", "broken")
    path.write_text(f"b ask {'0' * 64}\na read {'1' * 64}\n")
    assert found(settings)["keys"] == ("keys", "ok", "a (read), b (ask)")


def test_keys_that_others_may_write(tmp_path: Path) -> None:
    """Whoever writes the file gives itself a key; two keys of a name are told."""
    path = tmp_path / "keys.txt"
    path.write_text(f"a ask {'0' * 64}\na ask {'1' * 64}\n")
    settings = Settings(keys=str(path), tasks="no.py", queue_mode="synchronous")
    path.chmod(0o666)
    rows = [each for each in look(settings) if each.what == "keys"]
    assert [each.state for each in rows] == ["ok", "note"]
    assert rows[0].text == "a (ask, 2 keys)"
    assert "chmod go-w" in rows[1].text
    path.chmod(0o644)
    assert [each.state for each in look(settings) if each.what == "keys"] == ["ok"]


REFUSED = [
    ({"host": "0.0.0.0"}, "there are no keys"),
    ({"hosts": "https://example.org"}, "DONEYET_HOSTS must be host names"),
    ({"cors_origins": "example.org"}, "DONEYET_CORS_ORIGINS must be origins"),
    ({"root_path": "ml"}, "DONEYET_ROOT_PATH must be a path"),
    ({"root_path": "/factorize"}, "paths of its own that begin with /factorize"),
    ({"root_type": "nope"}, "there is no task type 'nope'"),
    ({"trusted_proxies": "proxy"}, "DONEYET_TRUSTED_PROXIES takes addresses"),
    ({"client_weights": "x"}, "DONEYET_CLIENT_WEIGHTS"),
]


@pytest.mark.parametrize(("given", "text"), REFUSED, ids=str)
def test_what_a_server_would_refuse(given: dict[str, Any], text: str) -> None:
    """Every setting that is no good, and not the first alone."""
    settings = Settings(tasks="factorization", queue_mode="synchronous", **given)
    assert text in " ".join(each.text for each in look(settings) if each.state == "broken")
    both = dataclasses.replace(settings, metrics_subsystem="2")
    rows = [each for each in look(both) if each.state == "broken"]
    assert len(rows) == 2
    assert "DONEYET_METRICS_SUBSYSTEM" in " ".join(each.text for each in rows)


def test_types_that_a_worker_would_refuse() -> None:
    """A name that is none; and only what is named is loaded."""
    settings = Settings(tasks="factorization", types="nope", queue_mode="ordered")
    assert found(settings)["task types"].state == "broken"
    settings = Settings(tasks="factorization,regression", types="factorization", queue_mode="rq")
    assert {"factorization"} == {each.what for each in look(settings) if each.text == "loaded"}


ODD = [
    ({"client_max_waiting": 5}, "DONEYET_CLIENT_MAX_WAITING has no effect"),
    ({"client_weights": "10.0.0.7=4"}, "DONEYET_CLIENT_WEIGHTS has no effect"),
    ({"cors_origins": "*"}, "every web page"),
    ({"host": "0.0.0.0", "allow_no_keys": "true"}, "everybody who reaches 0.0.0.0:8080"),
    ({"root_path": "/ml", "client_rate": 3.0}, "DONEYET_TRUSTED_PROXIES"),
]


@pytest.mark.parametrize(("given", "text"), ODD, ids=str)
def test_what_is_odd_about_settings(given: dict[str, Any], text: str) -> None:
    """It works, and may not be meant: a note."""
    settings = Settings(tasks="factorization", queue_mode="synchronous", **given)
    (row,) = [each for each in look(settings) if each.state == "note"]
    assert text in row.text


def test_a_server_that_evicts(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1: it would throw waiting tasks away."""
    import redis

    with EmbeddedRedis() as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        argv = ["check", "--redis-url", server.url, "--tasks", "factorization"]
        assert run(doneyet, argv, "doneyet") == 1
    assert "set maxmemory-policy noeviction" in capsys.readouterr().out


def test_a_type_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the reason; no Redis is asked for where none is used."""
    monkeypatch.chdir(tmp_path)
    table = "[embedding.mini]\nmodel = './nothing'\n"
    (tmp_path / "models.toml").write_text(table)
    findings = found(Settings(models="models.toml", queue_mode="synchronous"))
    assert findings["embedding/mini"].state == "broken"
    assert "nothing" in findings["embedding/mini"].text
    assert "Redis" not in findings


def test_junk_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """As for the programs."""
    assert run(doneyet, ["check", "--port", "many"], "doneyet") == 2
    assert "--port must be a whole number, not 'many'" in capsys.readouterr().err
