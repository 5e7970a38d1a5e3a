"""Settings: one table, three ways in, junk refused by name."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from doneyet.command.setting_options import settings_from
from doneyet.redis_url import without_password
from doneyet.service_links import service_links
from doneyet.setting_values import SettingError, env_name, flag_name
from doneyet.settings import Settings


def test_defaults() -> None:
    """With nothing given, the documented defaults hold."""
    settings = Settings.from_environment({})
    assert (settings.redis_url, settings.port) == ("redis://localhost:6379/0", 8080)
    assert (settings.queue_mode, settings.lease_s, settings.max_attempts) == ("random", 15.0, 3)


def test_environment_and_flags() -> None:
    """The command line wins over the environment."""
    environ = {"DONEYET_PORT": "9000", "DONEYET_LEASE_S": "3.5", "HOME": "/root"}
    settings = settings_from("http_server", ["--port", "9001"], environ=environ)
    assert (settings.port, settings.lease_s) == (9001, 3.5)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"DONEYET_PORT": "many"}, "DONEYET_PORT must be a whole number, not 'many'"),
        ({"DONEYET_LEASE_S": "long"}, "DONEYET_LEASE_S must be a number of s, not 'long'"),
        ({"DONEYET_LEASE_S": "0.5"}, "DONEYET_LEASE_S must be at least 1, not 0.5"),
        ({"DONEYET_LEASE_S": "nan"}, "DONEYET_LEASE_S must be a number of s, not 'nan'"),
        ({"DONEYET_LEASE_S": "-inf"}, "DONEYET_LEASE_S must be a number of s, not '-inf'"),
        ({"DONEYET_LEASE_S": "1e400"}, "DONEYET_LEASE_S must be a finite number, not inf"),
        (
            {"DONEYET_LEASE_S": "1e12"},
            "DONEYET_LEASE_S must be at most 1000000000 s",
        ),
        ({"DONEYET_LEASE_S": "1_0"}, "DONEYET_LEASE_S must be a number of s, not '1_0'"),
        ({"DONEYET_LEASE_S": "１５"}, "DONEYET_LEASE_S must be a number of s, not '１５'"),  # noqa: RUF001
        ({"DONEYET_LEASE_S": "0x10"}, "DONEYET_LEASE_S must be a number of s, not '0x10'"),
        ({"DONEYET_LEASE_S": "15 s"}, "DONEYET_LEASE_S must be a number of s, not '15 s'"),
        ({"DONEYET_LEASE_S": "."}, r"DONEYET_LEASE_S must be a number of s, not '\.'"),
        ({"DONEYET_PORT": "8_080"}, "DONEYET_PORT must be a whole number, not '8_080'"),
        ({"DONEYET_PORT": "８０"}, "DONEYET_PORT must be a whole number, not '８０'"),  # noqa: RUF001
        ({"DONEYET_PORT": "8080.0"}, r"DONEYET_PORT must be a whole number, not '8080\.0'"),
        ({"DONEYET_PORT": "9" * 5000}, "DONEYET_PORT must be a whole number, not '99"),
        (
            {"DONEYET_PROCESSES": "many"},
            "DONEYET_PROCESSES must be a whole number, or a range such",
        ),
        ({"DONEYET_PROCESSES": "0"}, "DONEYET_PROCESSES must be at least 1, or a range such as"),
        ({"DONEYET_PROCESSES": "4..2"}, r"DONEYET_PROCESSES must .* not '4\.\.2'"),
        ({"DONEYET_PROCESSES": "0..0"}, "DONEYET_PROCESSES must be at least 1, or a range such as"),
        ({"DONEYET_PROCESSES": "0.."}, r"DONEYET_PROCESSES must be a whole number, .* not '0\.\.'"),
        ({"DONEYET_PROCESSES": "0-4"}, "DONEYET_PROCESSES must be a whole number, or a range such"),
        ({"DONEYET_PROCESSES": "-1..4"}, "DONEYET_PROCESSES must be a whole number, or a range"),
        ({"DONEYET_PROCESSES": "9" * 5000}, "DONEYET_PROCESSES must be a whole number, or a range"),
        ({"DONEYET_QUEUE_MODE": "fifo"}, "DONEYET_QUEUE_MODE must be one of random, "),
        ({"DONEYET_REDIS_URL": "http://x"}, "DONEYET_REDIS_URL must begin with redis://"),
        ({"DONEYET_KEY_PREFIX": "a{b}"}, "DONEYET_KEY_PREFIX must be non-empty without braces"),
        ({"DONEYET_PROT": "1"}, r"DONEYET_PROT is not a setting; did you mean DONEYET_PORT\?"),
        ({"DONEYET_COLOUR": "1"}, "DONEYET_COLOUR is not a setting; see --help"),
        ({"DONEYET_PORT": "http://10.0.0.1:80"}, "DONEYET_PORT must be a whole number"),
        ({"DONEYET_PORT": "tcp://evil.example:80"}, "DONEYET_PORT must be a whole number"),
        ({"DONEYET_SERVICE_HOST": "me"}, "DONEYET_SERVICE_HOST is not a setting"),
        ({"DONEYET_REDIS_PORT": "6379"}, "DONEYET_REDIS_PORT is not a setting"),
    ],
)
def test_junk_is_refused_by_name(environ: dict[str, str], message: str) -> None:
    """The message names the setting and the value."""
    with pytest.raises(SettingError, match="^" + message.replace("{", r"\{")):
        Settings.from_environment(environ)


def links(service: str, address: str) -> dict[str, str]:
    """What Kubernetes sets in every container for a Service with a port called `http`."""
    name = service.upper().replace("-", "_")
    shown = f"[{address}]" if ":" in address else address
    found = {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": "80",
        f"{name}_SERVICE_PORT_HTTP": "80",
        f"{name}_PORT": f"tcp://{shown}:80",
    }
    for protocol in ("tcp", "udp", "sctp"):
        port = f"{name}_PORT_80_{protocol.upper()}"
        found |= {
            port: f"{protocol}://{shown}:80",
            f"{port}_PROTO": protocol,
            f"{port}_PORT": "80",
            f"{port}_ADDR": address,
        }
    return found


@pytest.mark.parametrize("service", ["doneyet", "doneyet-worker", "doneyet-http", "doneyet-redis"])
@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1"])
def test_variables_of_a_kubernetes_service_are_no_settings(service: str, address: str) -> None:
    """A Service called like the program sets `DONEYET_PORT=tcp://...` in every container."""
    environ = links(service, address)
    assert service_links(environ) == list(environ)
    assert Settings.from_environment(environ) == Settings()
    assert service_links({"DONEYET_PORT": "9000", "HOME": "/", "OTHER_SERVICE_HOST": "::1"}) == []


@pytest.mark.parametrize("program", ["http_server", "worker"])
def test_programs_start_beside_a_kubernetes_service(program: str) -> None:
    """Both get past their settings, and at log level debug say what they ignored."""
    port = {"DONEYET_REDIS_URL": "redis://127.0.0.1:1/0", "DONEYET_TASKS": "no_such_module"}
    ran = subprocess.run(
        [sys.executable, "-m", program, "--log-level", "debug"],
        env={**os.environ, **links("doneyet", "10.0.0.1"), **port},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "ignored: ['DONEYET_SERVICE_HOST', " in ran.stderr
    assert "no_such_module" in ran.stderr  # the next thing that is wrong


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_value_is_the_default(text: str) -> None:
    """As Compose writes it for `${LEASE:-}`; the flag still wins over the environment."""
    names = [env_name(row.name) for row in dataclasses.fields(Settings)]
    assert Settings.from_environment(dict.fromkeys(names, text)) == Settings()
    environ = {"DONEYET_MODELS": "models.toml", "DONEYET_PORT": "9000"}
    argv = ["--models", text, "--port", text]
    assert settings_from("http_server", argv, environ=environ) == Settings()


def test_blanks_around_a_value_are_dropped() -> None:
    """A Kubernetes Secret often ends in a line break."""
    environ = {"DONEYET_REDIS_URL": "redis://:pw@r/0\n", "DONEYET_PORT": " 9000 "}
    settings = Settings.from_environment({**environ, "DONEYET_QUEUE_MODE": "ordered\r\n"})
    assert settings == Settings(redis_url="redis://:pw@r/0", port=9000, queue_mode="ordered")


@pytest.mark.parametrize("text", ["15", "15.0", "+15", "1.5e1", "15.", "150E-1"])
def test_numbers_as_people_write_them(text: str) -> None:
    """Digits, a sign, a point, an exponent."""
    assert Settings.from_environment({"DONEYET_LEASE_S": text}).lease_s == 15


def test_junk_on_the_command_line_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """One line on standard error, no trace."""
    with pytest.raises(SystemExit) as caught:
        settings_from("worker", ["--processes", "two"], environ={})
    assert caught.value.code == 2
    message = "--processes must be a whole number, or a range such as 0..4, not 'two'"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "least", "most"), [("2", 2, 2), ("+2", 2, 2), ("0..4", 0, 4), ("3..3", 3, 3)]
)
def test_processes_are_a_number_or_a_range(text: str, least: int, most: int) -> None:
    """Which worker processes are told as it was given."""
    settings = settings_from("worker", ["--processes", text], environ={})
    assert settings.processes == (least, most)
    assert Settings.from_environment(settings.to_environment()) == settings


@pytest.mark.parametrize("queue_mode", ["rq", "synchronous"])
def test_a_range_is_refused_where_nobody_chooses_from_it(queue_mode: str) -> None:
    """RQ's workers, and the server's own thread, are as many as were said."""
    environ = {"DONEYET_PROCESSES": "0..4", "DONEYET_QUEUE_MODE": queue_mode}
    message = f"^DONEYET_PROCESSES must be a whole number in the {queue_mode} queue mode, not 0..4:"
    with pytest.raises(SettingError, match=message):
        Settings.from_environment(environ)
    fixed = Settings.from_environment({**environ, "DONEYET_PROCESSES": "4"})
    assert fixed.processes.most == 4


@pytest.mark.parametrize("queue_mode", ["distributed", "ordered", "rq", "synchronous"])
def test_a_queue_mode_has_its_own_flag(queue_mode: str) -> None:
    """`--distributed` says the same as `--queue-mode distributed`."""
    settings = settings_from("http_server", [f"--{queue_mode}"], environ={})
    assert settings.queue_mode == queue_mode


def test_older_flags_keep_working() -> None:
    """The flags that deployments of the seed use mean what they meant."""
    argv = "--redis-host redis --redis-port 6380 --output-cache-db 2 --input-cache-db 3"
    settings = settings_from("http_server", argv.split(), environ={})
    assert (settings.redis_url, settings.input_db) == ("redis://redis:6380/2", 3)
    worker = settings_from("worker", ["--distributed-lock", "gpu"], environ={})
    assert worker.lock == "gpu"
    assert settings_from("http_server", ["--threads", "5"], environ={}).threads == 5


def test_older_flags_keep_the_password() -> None:
    """Only what they name is replaced."""
    environ = {"DONEYET_REDIS_URL": "rediss://:secret@old:6379/5"}
    settings = settings_from("worker", ["--redis-host", "new"], environ=environ)
    assert settings.redis_url == "rediss://:secret@new:6379/5"


def test_secrets_do_not_show() -> None:
    """Neither in a repr nor in what logs name the server by."""
    settings = Settings(redis_url="redis://user:hunter2@host/0")
    assert "hunter2" not in repr(settings)
    assert settings.redis_place == without_password(settings.redis_url) == "redis://***@host/0"


def test_settings_travel_to_child_processes() -> None:
    """What `to_environment` writes, `from_environment` reads."""
    settings = Settings(port=0, lease_s=2.5, queue_mode="ordered", tasks="a,b")
    assert Settings.from_environment(settings.to_environment()) == settings


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` shows flag, variable, unit and default of each."""
    with pytest.raises(SystemExit):
        settings_from("http_server", ["--help"], environ={})
    shown = " ".join(capsys.readouterr().out.split())
    for name in ("max_wait_s", "port", "redis_url", "input_ttl_s"):
        assert flag_name(name) in shown
        assert env_name(name) in shown
    assert "[DONEYET_MAX_WAIT_S, s; default 30.0]" in shown
