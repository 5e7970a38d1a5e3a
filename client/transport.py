"""One HTTP request to a doneyet server, and what came of it."""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from client.errors import (
    InvalidInputError,
    UnavailableError,
    UnexpectedAnswerError,
    problem_error,
)

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 15.0
"""How long an answer may take beyond the time that the request asks to be held."""

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
    """Sends requests to one server; may be shared by threads."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"the server's URL must begin with http:// or https://, not {url!r}")
        self.url = url.rstrip("/")
        self._headers = dict(headers)
        self._local = threading.local()
        self._sessions: list[requests.Session] = []

    def send(
        self, method: str, path: str, text: str | None = None, *, wait_s: float = 0.0
    ) -> Reply:
        """The answer to one request with `text` as its JSON body, held for up to `wait_s`.

        Raises:
            UnavailableError: the server cannot be reached, or cannot serve now.
            ProblemError: it refuses the request; of the subclass that fits.
            UnexpectedAnswerError: it does not speak doneyet's protocol.
        """
        headers = {"Accept": "application/json, application/problem+json"}
        if text is not None:
            headers["Content-Type"] = "application/json"
        if wait_s >= 1:  # whole seconds are all that RFC 7240 knows
            headers["Prefer"] = f"wait={int(wait_s)}"
        began_at = time.monotonic()
        try:
            response = self._session().request(
                method,
                f"{self.url}/{quote(path.lstrip('/'), safe='/')}",
                data=None if text is None else text.encode(),
                headers=headers,
                timeout=(CONNECT_TIMEOUT_S, wait_s + ANSWER_TIMEOUT_S),
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            raise UnexpectedAnswerError(f"no secure connection to {self.url}: {error}") from error
        except _LOST as error:
            raise UnavailableError(
                f"no answer from {self.url}: {_cause(error)}", status=0, problem={}
            ) from error
        return self._reply(response, time.monotonic() - began_at)

    def close(self) -> None:
        """Closes all connections."""
        while self._sessions:
            self._sessions.pop().close()

    def _session(self) -> requests.Session:
        """This thread's session; `requests` does not promise that threads may share one."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.headers.update(self._headers)
            self._sessions.append(self._local.session)
        session: requests.Session = self._local.session
        return session

    def _reply(self, response: requests.Response, took_s: float) -> Reply:
        retry_after_s = _retry_after_s(response.headers.get("Retry-After"))
        try:
            body = response.json()
        except ValueError:
            body = None
        if response.ok and not response.is_redirect and body is not None:
            return Reply(body, retry_after_s, took_s)
        if response.ok:
            where = response.headers.get("Location")
            hint = f" and sends on to {where}" if where else ""
            raise UnexpectedAnswerError(
                f"{self.url} answers {response.status_code} without JSON{hint}; is doneyet there?"
            )
        error = problem_error(response.status_code, body if isinstance(body, dict) else {})
        if body is None and not isinstance(error, (UnavailableError, InvalidInputError)):
            raise UnexpectedAnswerError(
                f"{self.url} answers {response.status_code} without JSON; is doneyet there?"
            )
        error.retry_after_s = retry_after_s
        raise error


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


def _cause(error: BaseException) -> str:
    """The last words of a chain of exceptions: `Connection refused`, without its wrapping."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
