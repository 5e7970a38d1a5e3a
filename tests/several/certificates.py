"""A private certificate authority, and what it certifies for loopback addresses."""

from __future__ import annotations

import subprocess
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """Its certificate is `ca`; `certificate` and `key` are those of a server at 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.ca, self._ca_key = folder / "ca.pem", folder / "ca.key"
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        request, names = folder / "server.csr", folder / "names"
        names.write_text("subjectAltName=IP:127.0.0.1\n")
        ca = ("-subj", "/CN=Private CA", "-keyout", self._ca_key, "-out", self.ca)
        server = ("-subj", "/CN=redis", "-keyout", self.key, "-out", request)
        _openssl("req", "-x509", *_KEY, *ca, "-addext", "basicConstraints=critical,CA:TRUE")
        _openssl("req", *_KEY, *server)
        signed = ("-in", request, "-out", self.certificate, "-extfile", names)
        _openssl(
            *("x509", "-req", "-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial"), *signed
        )

    @property
    def server_options(self) -> tuple[str, ...]:
        """Those of a Redis that has its certificate, and asks clients for none."""
        return (
            *("--tls-cert-file", str(self.certificate), "--tls-key-file", str(self.key)),
            *("--tls-ca-cert-file", str(self.ca), "--tls-auth-clients", "no"),
        )


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
