"""A small stand-in for Google Drive on loopback: what PyDrive2 asks of the API, version 2.

Tokens, `files.list` with the queries that name parents and a title, `get` (also of content, by
ranges), `insert` and `update` by resumable uploads, folders. As in Drive, names are no keys.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import googleapiclient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from googleapiclient.discovery import build_from_document

FOLDER = "application/vnd.google-apps.folder"
DOCUMENT = "application/vnd.google-apps.document"
TOKEN = "loopback-token"


@dataclass
class Item:
    """A file or a folder."""

    id: str
    title: str
    parent: str
    kind: str
    content: bytes = b""

    def metadata(self, *, writable: bool) -> dict[str, Any]:
        """The resource as the API shows it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "title": self.title,
            "mimeType": self.kind,
            "parents": [{"id": self.parent}],
            "labels": {"trashed": False},
            "capabilities": {"canEdit": writable, "canAddChildren": writable},
        }
        if self.kind not in (FOLDER, DOCUMENT):
            shown |= {"fileSize": str(len(self.content)), "md5Checksum": str(hash(self.content))}
        return shown


class DriveServer:
    """The stand-in, with one folder that is shared with the account: its id is `shared-folder`."""

    def __init__(self) -> None:
        self.items = {"shared-folder": Item("shared-folder", "jobs", "root", FOLDER)}
        self.refusal: tuple[int, str] | None = None
        """A status and a reason that all calls get, tokens aside."""
        self.writable = True
        self.fail_share = 0.0
        """The share of calls that fail: by 503, or without a reply, before or after the work."""
        self.calls, self.failed = 0, 0
        self.sessions: dict[str, Item] = {}
        self.random, self._ids = random.Random(1), itertools.count(1)
        server = self

        class Handler(_Handler):
            drive = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> DriveServer:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def add(self, title: str, parent: str, kind: str, content: bytes = b"") -> Item:
        """A new item, whatever else has its name."""
        item = Item(f"id-{next(self._ids)}", title, parent, kind, content)
        self.items[item.id] = item
        return item

    def new_session(self, item: Item) -> str:
        """The id of an upload of new content for `item`."""
        name = f"session-{next(self._ids)}"
        self.sessions[name] = item
        return name

    def called(self, title: str) -> list[Item]:
        """All items of that name."""
        return [item for item in self.items.values() if item.title == title]

    def build(self, *args: Any, **kwargs: Any) -> Any:
        """What `googleapiclient.discovery.build` gives, but for this server."""
        documents = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
        document = json.loads((documents / "drive.v2.json").read_text())
        document["rootUrl"] = self.url + "/"
        document["baseUrl"] = self.url + "/drive/v2/"
        return build_from_document(document, http=kwargs["http"])

    def key_file(self, path: Path) -> Path:
        """A service account's key, whose tokens this server gives."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()
        account = {
            "type": "service_account",
            "client_email": "bot@example.iam.gserviceaccount.com",
            "client_id": "1",
            "private_key_id": "one",
            "private_key": text,
            "token_uri": self.url + "/token",
        }
        path.write_text(json.dumps(account))
        return path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    drive: DriveServer

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts, self.lost = urlsplit(self.path), False
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/token":
            self._json({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
            return
        self.drive.calls += 1
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._error(401, "authError")
        elif self.drive.refusal:
            self._error(*self.drive.refusal)
        elif self.drive.random.random() < self.drive.fail_share:
            self.drive.failed += 1
            fault = self.drive.random.choice(("503", "no work", "no reply"))
            if fault == "503":
                self._error(503, "backendError")
                return
            self.lost = self.close_connection = True
            if fault == "no reply":
                self._route(parts.path, body)
        else:
            self._route(parts.path, body)

    def _route(self, path: str, body: bytes) -> None:
        _, *_, last = path.split("/")
        if "session" in self.query:
            self._receive(self.drive.sessions[self.query["session"]], body)
        elif path == "/drive/v2/files" and self.command == "GET":
            self._json({"items": self._found(self.query["q"])})
        elif last == "files":  # insert, with or without content
            about = json.loads(body)
            kind = about.get("mimeType", "application/octet-stream")
            parent = about["parents"][0]["id"]
            if path.startswith("/upload"):
                self._begin(Item("", about["title"], parent, kind))
            else:
                self._json(self._shown(self.drive.add(about["title"], parent, kind)))
        elif last not in self.drive.items:
            self._error(404, "notFound")
        elif path.startswith("/upload"):
            self._begin(self.drive.items[last])
        elif self.query.get("alt") == "media":
            self._send(self.drive.items[last].content)
        else:
            self._json(self._shown(self.drive.items[last]))

    def _found(self, query: str) -> list[dict[str, Any]]:
        parents = re.findall(r"'([^']+)' in parents", query)
        title = re.search(r"title='((?:[^'\\]|\\.)*)'", query)
        wanted = title and title[1].replace("\\'", "'").lower()
        return [
            self._shown(item)
            for item in self.drive.items.values()
            if item.parent in parents and (wanted is None or item.title.lower() == wanted)
        ]

    def _begin(self, item: Item) -> None:
        session = self.drive.new_session(item)
        self._reply(200, b"", {"Location": f"{self.drive.url}/upload/x?session={session}"})

    def _receive(self, item: Item, body: bytes) -> None:
        """All of the content; only then the file is seen."""
        if not item.id:
            item = self.drive.add(item.title, item.parent, item.kind)
        item.content = body
        self._json(self._shown(item))

    def _send(self, content: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        assert asked
        first, last = int(asked[1]), int(asked[2])
        if not content:
            self._reply(416, b"", {"Content-Range": "bytes */0"})
            return
        part = content[first : last + 1]
        span = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        self._reply(206, part, {"Content-Range": span})

    def _shown(self, item: Item) -> dict[str, Any]:
        return item.metadata(writable=self.drive.writable)

    def _error(self, status: int, reason: str) -> None:
        error = {"errors": [{"reason": reason, "message": reason}], "code": status}
        self._json({"error": {**error, "message": reason}}, status)

    def _json(self, value: Any, status: int = 200) -> None:
        self._reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        if self.lost:
            return
        self.send_response_only(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = _handle  # noqa: N815  # as http.server calls them
