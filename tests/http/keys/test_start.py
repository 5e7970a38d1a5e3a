"""When a server starts with keys, and when it refuses to start without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from deploy.health import main as health
from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from http_server.keys.start_check import check_keys, is_loopback
from tests.http.keys.conftest import SECRETS, bearer
from tests.http.servers import ROOT, serving


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.3.4.5", "localhost", "LOCALHOST", "::1", "[::1]", "::ffff:127.0.0.1"],
)
def test_loopback_needs_no_keys(host: str) -> None:
    """Only this machine reaches it."""
    assert is_loopback(host)
    check_keys(Settings(host=host))


@pytest.mark.parametrize(
    "host",
    [
        *("0.0.0.0", "::", "10.1.2.3", "192.168.0.1", "fe80::1", "box", "box.example.org"),
        *("127.0.0.1.nip.io", "localhost.example.org", "::ffff:10.1.2.3"),
    ],
)
def test_other_hosts_need_keys(host: str, key_file: Path) -> None:
    """Or somebody who says that everybody may use the server; a name may lead anywhere."""
    with pytest.raises(SettingError, match=r"doneyet key new.*DONEYET_ALLOW_NO_KEYS=true"):
        check_keys(Settings(host=host))
    check_keys(Settings(host=host, allow_no_keys="true"))
    check_keys(Settings(host=host, keys=str(key_file)))


def test_a_file_that_is_missing_is_refused_anywhere() -> None:
    """Also where keys are not needed, or none are allowed."""
    for host in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(SettingError, match=r"^DONEYET_KEYS: '/no/such/file' cannot be read"):
            check_keys(Settings(host=host, keys="/no/such/file", allow_no_keys="true"))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--host", "0.0.0.0"], "DONEYET_HOST 0.0.0.0 lets other machines in"),
        (["--keys", "/no/such/file"], "DONEYET_KEYS: '/no/such/file' cannot be read"),
        (["--trusted-proxies", "proxy"], "DONEYET_TRUSTED_PROXIES takes addresses"),
        (["--client-weights", "x"], "DONEYET_CLIENT_WEIGHTS"),
        (["--cors-origins", "example.org"], "DONEYET_CORS_ORIGINS must be origins"),
    ],
)
def test_it_ends_with_one_line(flags: list[str], said: str) -> None:
    """And exit code 2."""
    ended = subprocess.run(
        [sys.executable, "-m", "http_server", "--port", "0", "--synchronous", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    (told,) = ended.stderr.splitlines()
    assert said in told


def test_a_server_with_keys(key_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everywhere, without Redis: keys, roles and the container's health check."""
    flags = ("--synchronous", "--tasks", "factorization", "--keys", str(key_file))
    with serving(*flags, "--host", "0.0.0.0") as server:
        url = f"{server.url}/factorize"
        assert requests.post(url, json={"number": 6}, timeout=10).status_code == 401
        reply = requests.post(url, json={"number": 6}, headers=bearer(SECRETS["ask"]), timeout=20)
        assert reply.json()["factorization_str"] == "2^1 3^1"
        load = f"{server.url}/load"
        assert requests.get(load, headers=bearer(SECRETS["ask"]), timeout=10).status_code == 403
        assert requests.get(load, headers=bearer(SECRETS["read"]), timeout=10).status_code == 200
        program = ["python", "-m", "http_server", "--host", "0.0.0.0"]
        assert health([*program, "--port", str(server.port)]) == 0
        assert capsys.readouterr().out == "healthy\n"
        errors = server.stop()
    assert "dyk_" not in errors


@pytest.mark.parametrize(
    "path",
    [ROOT / "Dockerfile", *sorted(ROOT.glob("docker-compose*.yml"))],
    ids=lambda path: path.name,
)
def test_containers_start_without_keys(path: Path) -> None:
    """They must listen on all addresses; who reaches these is decided by the published port."""
    text = path.read_text()
    assert text.count("DONEYET_HOST") == text.count("DONEYET_ALLOW_NO_KEYS")
    extended = "file: docker-compose.yml\n      service: http-server"
    assert "DONEYET_ALLOW_NO_KEYS" in text or extended in text
