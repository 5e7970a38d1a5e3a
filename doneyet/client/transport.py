"""One HTTP request to a doneyet server, and what came of it."""

from __future__ import annotations

import email.utils
import http.client
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from weakref import ref

import requests

from doneyet.client.address import parse_address, proxy_to, without_login
from doneyet.client.errors import (
    ClientError,
    InvalidInputError,
    UnavailableError,
    UnexpectedAnswerError,
    problem_error,
)
from doneyet.client.keeping import NOTHING, PREFER

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 15.0
"""How long an answer may take beyond the time that the request asks to be held."""

SILENT_S = 40.0
"""How long a stream may be silent; a server sends a comment every 15 s."""

EVENT_STREAM = "text/event-stream"
_PIECE_BYTES = 1 << 20
_MOST_SAID = 300

# What a lost connection looks like to `requests`, whichever side or moment it was lost on.
_LOST = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered (parsed JSON), and how long that took."""

    body: Any
    retry_after_s: float | None
    took_s: float


class Transport:
    """Sends requests to one server; may be shared by threads, and by processes that are forked."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url, self._login = parse_address(url)
        self._headers = dict(headers)
        self._local = threading.local()
        # Each ends with its thread. No lock, which a process that is forked might find taken.
        self._sessions: set[ref[requests.Session]] = set()

    def send(
        self,
        method: str,
        path: str,
        text: str | None = None,
        *,
        query: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
        more: Mapping[str, str] = NOTHING,
    ) -> Reply:
        """The answer to one request with `text` as its JSON body, held for up to `wait_s`, with
        `more` headers.

        Raises:
            UnavailableError: the server cannot be reached, or cannot serve now.
            ProblemError: it refuses the request; of the subclass that fits.
            UnexpectedAnswerError: it does not speak doneyet's protocol.
        """
        headers = {"Accept": "application/json, application/problem+json", **more}
        if text is not None:
            headers["Content-Type"] = "application/json"
        if wait_s >= 1:  # whole seconds are all that RFC 7240 knows
            wishes = [f"wait={int(wait_s)}", more.get(PREFER)]
            headers[PREFER] = ", ".join(filter(None, wishes))
        began_at = time.monotonic()
        try:
            response = self._session().request(
                method,
                f"{self.url}/{quote(path.lstrip('/'), safe='/')}",
                params=query,
                data=None if text is None else text.encode(),
                headers=headers,
                timeout=(CONNECT_TIMEOUT_S, wait_s + ANSWER_TIMEOUT_S),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise self._failure(error) from error
        return self._reply(response, time.monotonic() - began_at)

    def lines(
        self, path: str, headers: Mapping[str, str], silent_s: float | None = None
    ) -> Iterator[bytes]:
        """The lines of a stream of server-sent events, as they come; at most `silent_s` apart.

        Raises:
            ProblemError, UnexpectedAnswerError: as `send`; a stream that breaks is an
                UnavailableError.
        """
        timeout_s = SILENT_S if silent_s is None else max(0.1, min(SILENT_S, silent_s))
        try:
            with self._session().get(
                f"{self.url}/{quote(path, safe='/')}",
                headers={"Accept": f"{EVENT_STREAM}, application/problem+json", **headers},
                timeout=(CONNECT_TIMEOUT_S, timeout_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                if not response.headers.get("Content-Type", "").startswith(EVENT_STREAM):
                    raise self._refusal(response)
                yield from response.iter_lines(_PIECE_BYTES)
        except requests.RequestException as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Closes all connections."""
        for each in list(self._sessions):
            if (session := each()) is not None:
                session.close()

    def _session(self) -> requests.Session:
        """This thread's session; `requests` does not promise that threads may share one. Nor may
        processes: one that was forked would read the answers to its parent."""
        if getattr(self._local, "process", None) != os.getpid():
            session = requests.Session()
            session.headers.update(self._headers)
            session.auth = self._login
            self._local.session, self._local.process = session, os.getpid()
            self._sessions.add(ref(session, self._sessions.discard))
        own: requests.Session = self._local.session
        return own

    def _failure(self, error: requests.RequestException) -> ClientError:
        """What it means that there is no answer."""
        said = _said(error)
        if isinstance(error, requests.exceptions.SSLError):
            hint = "; does the server speak http:// there?"
            if "CERTIFICATE" in said:
                hint = "; set REQUESTS_CA_BUNDLE to a file with the authority's certificate"
            return UnexpectedAnswerError(f"no secure connection to {self.url}: {said}{hint}")
        if (line := _no_http(error)) is not None:
            return UnexpectedAnswerError(
                f"what answers at {self.url} does not speak HTTP ({line}); is the port right, and "
                "http:// or https://?"
            )
        if not isinstance(error, _LOST):
            return UnexpectedAnswerError(f"no request can be made to {self.url}: {said}")
        proxy = proxy_to(self.url)
        if proxy is None:
            told = f"no answer from {self.url}: {said}"
        else:
            which = "the proxy" if isinstance(error, requests.exceptions.ProxyError) else self.url
            told = (
                f"no answer from {which}: {said}. Requests to {self.url} go through the proxy "
                f"{proxy.url}, which {proxy.variable} names; correct it, or add the server's host "
                "to no_proxy"
            )
        return UnavailableError(told, status=0, problem={})

    def _reply(self, response: requests.Response, took_s: float) -> Reply:
        body = _json_of(response)
        if response.ok and not response.is_redirect and body is not None:
            return Reply(body, _retry_after_s(response.headers.get("Retry-After")), took_s)
        raise self._refusal(response)

    def _refusal(self, response: requests.Response) -> ClientError:
        """What it means that this is no answer."""
        if response.ok:
            return UnexpectedAnswerError(self._without_json(response))
        body = _json_of(response)
        error = problem_error(response.status_code, body if isinstance(body, dict) else {})
        if body is None and not isinstance(error, InvalidInputError):
            if not isinstance(error, UnavailableError):
                return UnexpectedAnswerError(self._without_json(response))
            told = self._without_json(response)
            error = UnavailableError(told, status=response.status_code, problem={})
        error.retry_after_s = _retry_after_s(response.headers.get("Retry-After"))
        return error

    def _without_json(self, response: requests.Response) -> str:
        """That something else answers, what it may be, and what to do."""
        told = f"{self.url} answered {response.status_code} without JSON"
        if where := response.headers.get("Location"):
            where = without_login(where.partition("?")[0])
            told += f" and sends on to {where}; give the server's own URL"
        elif kind := response.headers.get("Content-Type"):
            told += f" ({kind.partition(';')[0].strip()[:40]})"
        if (proxy := proxy_to(self.url)) is not None:
            told += f", through the proxy {proxy.url}, which {proxy.variable} names"
        return f"{told}; is this a doneyet server?"


def _json_of(response: requests.Response) -> Any:
    """The body; None where it is no JSON."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _retry_after_s(value: str | None) -> float | None:
    """`Retry-After` in seconds; RFC 9110 allows a number or a date."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _said(error: BaseException) -> str:
    """The last words of a chain of exceptions, `Connection refused`, without its wrapping."""
    last = list(_chain(error))[-1]
    text = getattr(last, "strerror", None) or str(last) or type(last).__name__
    return without_login(text).splitlines()[0][:_MOST_SAID]


def _no_http(error: BaseException) -> str | None:
    """The first line that came, where that was none of HTTP."""
    for each in _chain(error):
        if isinstance(each, http.client.RemoteDisconnected):
            return None
        if isinstance(each, (http.client.BadStatusLine, http.client.UnknownProtocol)):
            return ascii(str(each).strip())[:60]
        if isinstance(each, http.client.HTTPException) and "got more than" in str(each):
            return "its first line has no end"
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """`error`, and what it came from, to the first cause."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
