"""Files in Google Drive: `gdrive://FOLDER_ID/path`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from doneyet.task_types.batch.storage.errors import ChangedError, StorageError
from doneyet.task_types.batch.storage.remote_files import RemoteFiles, chain

THROTTLED = ("rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded")
SERVICE, USER = "service_account", "authorized_user"
DENIED = "access is denied; let {who} edit the folder"


class GoogleDriveFiles(RemoteFiles):
    """Files below folders that the credentials can reach. PyDrive2 repeats failed calls itself.

    Args:
        key_file: a JSON file: a service account's key, or what `gcloud` saves for a user.
            Empty: the file that GOOGLE_APPLICATION_CREDENTIALS names.
    """

    extra = "gdrive"

    def __init__(self, key_file: str) -> None:
        self._key_file = key_file or os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
        super().__init__()

    def connect(self) -> Any:
        from doneyet.task_types.batch.storage.drive_file_system import authorization

        kind, self._who = _account(self._key_file)
        self._authorization = authorization(self._key_file, of_user=kind == USER)

    @contextlib.contextmanager
    def _files(self, path: str) -> Iterator[Any]:
        """The file system of the folder that `path` begins with: a new one, which knows nothing."""
        from doneyet.task_types.batch.storage.drive_file_system import DriveFileSystem

        allowed = self._authorization
        try:
            yield DriveFileSystem(
                path.split("/", 1)[0], google_auth=allowed, skip_instance_cache=True
            )
        finally:  # PyDrive2 keeps a connection per thread, and would never close it
            if connection := getattr(allowed.thread_local, "http", None):
                connection.close()

    def about(self, path: str) -> dict[str, Any]:
        with self._files(path) as files:
            about: dict[str, Any] = files.info(path)
            return about

    def same(self, one: str, other: str) -> bool:
        with self._files(one) as files, self._files(other) as others:
            return not set(files.ids(one)).isdisjoint(others.ids(other))

    def download(self, path: str, into: Path) -> None:
        with self._files(path) as files:
            files.get_file(path, str(into))

    def put(self, source: Path, path: str) -> None:
        with self._files(path) as files:
            files.put_file(str(source), path)

    def check_writable(self, path: str) -> None:
        with self._files(path) as files:
            if not files.may_write(path):
                raise StorageError(DENIED.format(who=self._who))

    def is_transient(self, error: Exception) -> bool:
        import httplib2

        status, reason = _answered(error)
        if status is not None:
            return status >= 500 or status == 429 or (status == 403 and reason in THROTTLED)
        passing = (httplib2.HttpLib2Error, http.client.HTTPException, ChangedError)
        return isinstance(error, (*passing, ConnectionError, TimeoutError))

    def reason(self, error: Exception) -> str | None:
        from oauth2client.client import Error as CredentialsError

        if any(isinstance(each, CredentialsError) for each in chain(error)):
            return "Google refuses the credentials; make a new key for the service account"
        status, reason = _answered(error)
        if reason in ("storageQuotaExceeded", "quotaExceeded"):
            return (
                "the account has no space left there; service accounts have none of their own, so "
                "write to a shared drive, or over a file that somebody else made"
            )
        if status == 404 or isinstance(error, PermissionError):
            return f"there is no such folder, or it is not shared with {self._who}"
        return DENIED.format(who=self._who) if status in (401, 403) else None


def _account(key_file: str) -> tuple[str, str]:
    """The kind of key that the file has, and whom it stands for.

    Raises:
        StorageError: there is no such file, or something else in it.
    """
    if not key_file:
        raise StorageError(
            "Google Drive needs credentials; set DONEYET_GDRIVE_CREDENTIALS to the JSON file of a "
            "service account's key"
        )
    try:
        key = json.loads(Path(key_file).read_text())
        if key["type"] in (SERVICE, USER):
            return key["type"], str(key.get("client_email", "the user whose credentials these are"))
        wrong = "it is of another type"
    except (OSError, ValueError, KeyError, TypeError) as error:
        wrong = type(error).__name__  # its message might show what is in the file
    raise StorageError(
        f"DONEYET_GDRIVE_CREDENTIALS names no service account's key in JSON that can be read: "
        f"{wrong}"
    )


def _answered(error: BaseException) -> tuple[int | None, str]:
    """The status of Google's answer and the reason in it; none where there was no answer."""
    from googleapiclient.errors import HttpError
    from oauth2client.client import HttpAccessTokenRefreshError

    for each in chain(error):
        if isinstance(each, HttpAccessTokenRefreshError):
            return each.status, ""
        if isinstance(each, HttpError):
            try:
                reason = json.loads(each.content)["error"]["errors"][0]["reason"]
            except (ValueError, KeyError, IndexError, TypeError):
                reason = ""
            return int(each.resp.status), str(reason)
    return None, ""
