"""What `doneyet check` says of a Redis that is there, and will do or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from doneyet.command.checks.finding import Finding
from doneyet.command.checks.redis_server import look_at_redis
from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.settings import Settings
from doneyet.task_types import Registry
from task_manager.redis.inspection import Inspection, commands, inspect
from tests.helpers import connect, wait_until

RULES = ("on", ">secret", "resetkeys", "resetchannels")


@pytest.fixture
def server() -> Iterator[EmbeddedRedis]:
    """A Redis of the test's own, which it may change."""
    with EmbeddedRedis() as running:
        yield running


@pytest.fixture
def admin(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    """Asks it."""
    with connect(server.url) as client:
        yield client


def found(url: str, **more: Any) -> dict[str, Finding]:
    """The rows, by what they are about."""
    settings = Settings(redis_url=url, **more)
    return {each.what: each for each in look_at_redis(settings, Registry({}))}


def as_user(server: EmbeddedRedis, admin: redis.Redis, *rules: str) -> str:
    """The URL of a user with some rights."""
    admin.execute_command("ACL", "SETUSER", "half", *RULES, *rules)
    joint = "&" if "?" in server.url else "?"
    return f"{server.url}{joint}username=half&password=secret"


def test_how_far_it_is(server: EmbeddedRedis) -> None:
    """Its version, and the length of a round trip."""
    row = found(server.url)["Redis"]
    assert row.state == "ok"
    assert row.text.endswith(" ms away")
    (seen,) = inspect(server.url, "doneyet", 1)
    assert 0 < seen.round_trip_ms < 1000
    assert abs(seen.clock_ahead_s) < 1
    assert seen.refused == ()


@pytest.mark.parametrize("mode", ["random", "distributed"])
def test_a_user_with_the_rights_of_the_docs(
    server: EmbeddedRedis, admin: redis.Redis, mode: str
) -> None:
    """All is well, but that it may not ask for INFO."""
    url = as_user(server, admin, "~doneyet:*", "&doneyet:*", "+@all", "-@dangerous")
    rows = found(url, queue_mode=mode)
    assert {name: row.state for name, row in rows.items()} == {
        "Redis": "ok",
        "Redis persistence": "note",
    }
    assert "INFO" in rows["Redis persistence"].text


def test_commands_that_are_refused(server: EmbeddedRedis, admin: redis.Redis) -> None:
    """All of them are named at once, with the rules that help; none was run for that."""
    url = as_user(server, admin, "~*", "&*", "+@all", "-zadd", "-hset", "-publish")
    rows = found(url)
    assert rows["Redis permissions"].state == "broken"
    assert rows["Redis permissions"].text.startswith("HSET, PUBLISH, ZADD refused; ")
    assert "+@all -@dangerous ~doneyet:* &doneyet:*" in rows["Redis permissions"].text
    assert admin.keys() == []


def test_keys_and_channels_that_are_refused(server: EmbeddedRedis, admin: redis.Redis) -> None:
    """Those of another prefix."""
    url = as_user(server, admin, "~other:*", "&other:*", "+@all", "-@dangerous")
    text = found(url)["Redis permissions"].text
    assert sorted(text.partition(" refused")[0].split(", ")) == ["channels", "keys"]
    rows = found(url, key_prefix="other")
    assert "Redis permissions" not in rows


def test_every_command_is_known(admin: redis.Redis) -> None:
    """What is read from the scripts is what they call."""
    names = commands()
    assert {"ZADD", "HSET", "EVALSHA", "PUBLISH", "SUBSCRIBE", "RANDOMKEY", "TIME"} <= set(names)
    told: Any = admin.command()
    assert {name.lower() for name in names} <= set(told)


def test_a_snapshot_that_failed(server: EmbeddedRedis, admin: redis.Redis) -> None:
    """Redis may refuse writes then; a folder is where the file should go."""
    told: Any = admin.config_get("dir", "dbfilename")
    folder = Path(told["dir"], told["dbfilename"])
    (folder / "full").mkdir(parents=True)
    admin.bgsave()
    wait_until(
        lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err",
        description="the snapshot has failed",
    )
    admin.config_set("appendonly", "yes")
    row = found(server.url)["Redis persistence"]
    assert row.state == "broken"
    assert row.text.startswith("the last snapshot failed")


@pytest.mark.parametrize(("times", "state"), [(1.15, "note"), (0.5, "broken")])
def test_memory_that_is_short(
    server: EmbeddedRedis, admin: redis.Redis, times: float, state: str
) -> None:
    """Before it is used up it is a note."""
    admin.set("doneyet:ballast", "x" * 20_000_000)
    admin.config_set("maxmemory", int(admin.info("memory")["used_memory"] * times))
    row = found(server.url, queue_mode="ordered")["Redis memory"]
    assert row.state == state
    assert "maxmemory" in row.text
    assert "DONEYET_RESULT_TTL_S" in row.text


def test_somebody_elses_keys_in_the_input_database(
    server: EmbeddedRedis, admin: redis.Redis
) -> None:
    """In the random queue mode workers would find them; in others nobody looks there."""
    with connect(server.url) as other:
        other.select(1)
        other.set("session:7", "x")
    row = found(server.url)["Redis input database"]
    assert row.state == "broken"
    assert "'session:7'" in row.text
    assert "Redis input database" not in found(server.url, queue_mode="ordered")
    assert "Redis input database" not in found(server.url, input_db=2)


def test_clocks_that_differ(server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """By more than some seconds: a note, which says what is told in whose time."""
    for ahead_s, told in ((61.0, "61 s ahead of"), (-90.0, "90 s behind"), (3.0, None)):
        seen = Inspection(round_trip_ms=50.0, clock_ahead_s=ahead_s)
        monkeypatch.setattr("task_manager.redis.inspection.inspect", lambda *_, seen=seen: [seen])
        rows = found(server.url)
        assert rows["Redis"].state == "note"  # far away
        assert ("clock" in rows) == (told is not None)
        if told:
            assert told in rows["clock"].text
