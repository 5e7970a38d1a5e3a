"""A real nginx with `deploy/nginx.conf`: other addresses, and a certificate made for the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.http.servers import free_port

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NAME = "models.example.org"

_AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{user}
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/doneyet.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running one: its ports, its certificate, and the folder with its logs."""

    http_port: int
    https_port: int
    certificate: Path
    folder: Path

    @property
    def url(self) -> str:
        """Where clients find the servers."""
        return f"https://127.0.0.1:{self.https_port}/ml"

    def log(self) -> str:
        """The lines about requests so far."""
        return (self.folder / "doneyet.log").read_text()


def program(name: str, package: str) -> str:
    """Where it is."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        pytest.fail(f"no {name} on PATH (Debian, Ubuntu: apt install {package})")
    return path


@contextmanager
def nginx_before(ports: Sequence[int], folder: Path, *changes: tuple[str, str]) -> Iterator[Nginx]:
    """A running nginx before the servers at `ports`, which are two or the same one twice.

    Args:
        ports: of this machine.
        folder: an empty one, for all that it writes.
        changes: texts of the configuration that a test wants otherwise, and what they become.
    """
    certificate = make_certificate(folder)
    http_port, https_port = free_port(), free_port()
    text = CONFIGURATION.read_text()
    first, second = ports
    for old, new in (
        ("127.0.0.1:8080", f"127.0.0.1:{first}"),
        ("127.0.0.1:8081", f"127.0.0.1:{second}"),
        ("listen 80;", f"listen {http_port};"),
        ("listen 443 ssl http2;", f"listen {https_port} ssl http2;"),
        ("https://$host$request_uri", f"https://$host:{https_port}$request_uri"),
        ("/etc/ssl/models.pem", str(certificate)),
        ("/etc/ssl/models.key", str(folder / "models.key")),
        ("/var/log/nginx/", f"{folder}/"),
        *changes,
    ):
        assert text.count(old) == 1, f"{old} stands {text.count(old)} times in {CONFIGURATION}"
        text = text.replace(old, new)
    (folder / "doneyet.conf").write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_AROUND.format(folder=folder, user=user))
    command = [program("nginx", "nginx-light"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with (folder / "stderr").open("w") as said:
        process = subprocess.Popen([*command, "-e", str(folder / "error.log")], stderr=said)

    def listens() -> bool:
        assert process.poll() is None, (folder / "stderr").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", https_port)) == 0

    try:
        wait_until(listens, description="nginx listens")
        yield Nginx(http_port, https_port, certificate, folder)
    finally:
        process.terminate()
        process.wait(20)


def make_certificate(folder: Path) -> Path:
    """A self-signed one for `NAME` and 127.0.0.1, whose key is beside it."""
    names = f"subjectAltName=DNS:{NAME},IP:127.0.0.1"
    subprocess.run(
        [
            *(program("openssl", "openssl"), "req", "-x509", "-nodes", "-days", "1"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", f"/CN={NAME}", "-addext", names),
            *("-keyout", str(folder / "models.key"), "-out", str(folder / "models.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "models.pem"
