"""The keys of a running server, read again whenever their file changes."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from doneyet.setting_values import SettingError
from http_server.keys.key_file import Key, read_key_file, sha256_of

LOOK_EVERY_S = 1.0
"""The file is looked at no more often, by whichever request comes then."""

log = logging.getLogger(__name__)

_Mark = tuple[int, int, int, int]


class KeyRing:
    """Finds keys. A file that goes bad leaves the keys as they were, and a line in the log.

    Raises:
        SettingError: the file cannot be read, or is not one of keys.
    """

    def __init__(self, path: str, now_s: Callable[[], float] = time.monotonic) -> None:
        self._path, self._now_s = Path(path), now_s
        self._mark = self._look()
        self._keys = read_key_file(self._path)
        self._trouble = ""
        self._look_at_s = now_s() + LOOK_EVERY_S
        self._looks = threading.Lock()

    def find(self, secret: str) -> Key | None:
        """The key that a client sent; None where there is no such key."""
        return self.find_hash(sha256_of(secret))

    def find_hash(self, sha256: str) -> Key | None:
        """The key of this hash; None where there is no such key, or no more."""
        if self._now_s() >= self._look_at_s:
            self.refresh()
        key = self._keys.get(sha256)
        return key if key is not None and hmac.compare_digest(key.sha256, sha256) else None

    def refresh(self) -> None:
        """Reads the file again if it has changed; by one thread, the others go on."""
        if not self._looks.acquire(blocking=False):
            return
        try:
            self._look_at_s = self._now_s() + LOOK_EVERY_S
            mark = self._look()  # before it is read, so that a change meanwhile is seen next time
            if mark is None or mark != self._mark or self._trouble:
                self._read_again()
                self._mark = mark
        finally:
            self._looks.release()

    def _read_again(self) -> None:
        try:
            self._keys = read_key_file(self._path)
        except SettingError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.error("%s; the keys of before stay valid until this is mended", error)
            return
        self._trouble = ""
        log.info("the key file was read again: %d keys", len(self._keys))

    def _look(self) -> _Mark | None:
        """What changes with the file; None where there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
