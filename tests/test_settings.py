"""Settings: one table, three ways in, junk refused by name."""

from __future__ import annotations

import pytest

from settings import SettingError, Settings, env_name, flag_name, without_password


def test_defaults() -> None:
    """With nothing given, the documented defaults hold."""
    settings = Settings.from_environment({})
    assert (settings.redis_url, settings.port) == ("redis://localhost:6379/0", 8080)
    assert (settings.discipline, settings.lease_s, settings.max_attempts) == ("random", 15.0, 3)


def test_environment_and_flags() -> None:
    """The command line wins over the environment."""
    environ = {"DONEYET_PORT": "9000", "DONEYET_LEASE_S": "3.5", "HOME": "/root"}
    settings = Settings.from_command_line("http_server", ["--port", "9001"], environ=environ)
    assert (settings.port, settings.lease_s) == (9001, 3.5)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DONEYET_PORT": "many"}, "DONEYET_PORT must be a whole number, not 'many'"),
        ({"DONEYET_LEASE_S": "long"}, "DONEYET_LEASE_S must be a number of s, not 'long'"),
        ({"DONEYET_LEASE_S": "0.5"}, "DONEYET_LEASE_S must be at least 1, not 0.5"),
        ({"DONEYET_LEASE_S": "nan"}, "DONEYET_LEASE_S must be a finite number, not nan"),
        ({"DONEYET_DISCIPLINE": "fifo"}, "DONEYET_DISCIPLINE must be one of random, "),
        ({"DONEYET_REDIS_URL": "http://x"}, "DONEYET_REDIS_URL must begin with redis://"),
        ({"DONEYET_KEY_PREFIX": "a{b}"}, "DONEYET_KEY_PREFIX must be non-empty without braces"),
        ({"DONEYET_PROT": "1"}, "DONEYET_PROT is no setting"),
    ],
)
def test_junk_is_refused_by_name(environ: dict[str, str], message: str) -> None:
    """The message names the setting and the value."""
    with pytest.raises(SettingError, match="^" + message.replace("{", r"\{")):
        Settings.from_environment(environ)


def test_junk_on_the_command_line_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """One line on standard error, no trace."""
    with pytest.raises(SystemExit) as caught:
        Settings.from_command_line("worker", ["--processes", "two"], environ={})
    assert caught.value.code == 2
    assert "--processes must be a whole number, not 'two'" in capsys.readouterr().err


@pytest.mark.parametrize("discipline", ["distributed", "ordered", "synchronous"])
def test_a_discipline_has_its_own_flag(discipline: str) -> None:
    """`--distributed` says the same as `--discipline distributed`."""
    settings = Settings.from_command_line("http_server", [f"--{discipline}"], environ={})
    assert settings.discipline == discipline


def test_older_flags_keep_working() -> None:
    """The flags that deployments of the seed use mean what they meant."""
    argv = "--redis-host redis --redis-port 6380 --output-cache-db 2 --input-cache-db 3"
    settings = Settings.from_command_line("http_server", argv.split(), environ={})
    assert (settings.redis_url, settings.input_db) == ("redis://redis:6380/2", 3)
    worker = Settings.from_command_line("worker", ["--distributed-lock", "gpu"], environ={})
    assert worker.lock == "gpu"
    assert Settings.from_command_line("http_server", ["--threads", "5"], environ={}).threads == 5


def test_older_flags_keep_the_password() -> None:
    """Only what they name is replaced."""
    environ = {"DONEYET_REDIS_URL": "rediss://:secret@old:6379/5"}
    settings = Settings.from_command_line("worker", ["--redis-host", "new"], environ=environ)
    assert settings.redis_url == "rediss://:secret@new:6379/5"


def test_secrets_do_not_show() -> None:
    """Neither in a repr nor in what logs name the server by."""
    settings = Settings(redis_url="redis://user:hunter2@host/0")
    assert "hunter2" not in repr(settings)
    assert settings.redis_place == without_password(settings.redis_url) == "redis://***@host/0"


def test_settings_travel_to_child_processes() -> None:
    """What `to_environment` writes, `from_environment` reads."""
    settings = Settings(port=0, lease_s=2.5, discipline="ordered", tasks="a,b")
    assert Settings.from_environment(settings.to_environment()) == settings


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` shows flag, variable, unit and default of each."""
    with pytest.raises(SystemExit):
        Settings.from_command_line("http_server", ["--help"], environ={})
    shown = " ".join(capsys.readouterr().out.split())
    for name in ("max_wait_s", "port", "redis_url", "input_ttl_s"):
        assert flag_name(name) in shown
        assert env_name(name) in shown
    assert "[DONEYET_MAX_WAIT_S, s; default 30.0]" in shown
