"""`doneyet check`: a row for each thing that was tried, and an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from doneyet.command.checking import Finding, look
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
    assert "there is no file" in findings["task types"].text
    assert "--redis-url" in findings["Redis"].text


def test_keys(tmp_path: Path) -> None:
    """Whose there are, or what is wrong with their file."""
    path = tmp_path / "keys.txt"
    settings = Settings(keys=str(path), tasks="no.py", queue_mode="synchronous")
    assert found(settings)["keys"].state == "broken"
    path.write_text(f"b ask {'0' * 64}\na read {'1' * 64}\n")
    assert found(settings)["keys"] == ("keys", "ok", "a, b")


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
