"""The API of Kubernetes, as far as pods are listed and annotated, with TLS and a token."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PODS = "/api/v1/namespaces/models/pods"


class Kubernetes:
    """Pods by name, with their labels and annotations."""

    def __init__(self, folder: Path) -> None:
        self.account = folder
        self.pods: dict[str, dict[str, Any]] = {}
        self.patched: list[str] = []
        self.refuses = ""
        self.refuses_pod = ""
        self.odd: Any = None
        (folder / "namespace").write_text("models\n")
        self.set_token("first")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = _context(folder).wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def environ(self) -> dict[str, str]:
        """What Kubernetes sets in each pod."""
        port = str(self._server.server_address[1])
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}

    def set_token(self, token: str) -> None:
        """Only this one is taken from now on."""
        self.token = token
        (self.account / "token").write_text(token + "\n")

    def add(self, name: str, label: str = "a=b", **annotations: str) -> None:
        """One more pod."""
        metadata = {"name": name, "annotations": annotations} if annotations else {"name": name}
        self.pods[name] = {"metadata": metadata, "label": label}

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(kubernetes: Kubernetes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            (selector,) = parse_qs(url.query)["labelSelector"]
            if kubernetes.odd is not None:
                self._answer(200, kubernetes.odd)
                return
            chosen = [pod for pod in kubernetes.pods.values() if pod["label"] == selector]
            self._answer(200 if url.path == PODS else 404, {"items": chosen})

        def do_PATCH(self) -> None:
            patch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = self.path.removeprefix(f"{PODS}/")
            if name not in kubernetes.pods:
                self._answer(404, {"message": f'pods "{name}" not found'})
                return
            if name == kubernetes.refuses_pod:
                self._answer(500, {"message": "etcd is slow"})
                return
            if self.headers["Content-Type"] != "application/merge-patch+json":
                self._answer(415, {"message": "no such patch"})
                return
            kubernetes.patched.append(name)
            metadata = kubernetes.pods[name]["metadata"]
            metadata.setdefault("annotations", {}).update(patch["metadata"]["annotations"])
            self._answer(200, kubernetes.pods[name])

        def log_message(self, *_: Any) -> None:
            """Nothing."""

        def _answer(self, status: int, told: Any) -> None:
            if self.headers["Authorization"] != f"Bearer {kubernetes.token}":
                status, told = 401, {"message": "Unauthorized"}
            elif kubernetes.refuses:
                status, told = 403, {"message": kubernetes.refuses}
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _context(folder: Path) -> ssl.SSLContext:
    key, certificate = folder / "ca.key", folder / "ca.crt"
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    names = ("-subj", "/CN=kubernetes", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-nodes", "-days", "1", "-keyout", str(key), "-out", str(certificate))
    subprocess.run([*made, *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
