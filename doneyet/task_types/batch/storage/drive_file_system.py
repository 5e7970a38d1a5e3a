"""PyDrive2's file system of Google Drive, where writing replaces. Imports PyDrive2.

In Drive a name is no key: a folder can hold many files of one name, and PyDrive2 adds another one
with each `put_file`. Here a file that is there is given new content under its id.
"""

from __future__ import annotations

import mimetypes
import posixpath
from typing import Any

from oauth2client.client import GoogleCredentials
from pydrive2.auth import GoogleAuth
from pydrive2.fs import GDriveFileSystem

from doneyet.task_types.batch.storage.errors import StorageError

SCOPE = "https://www.googleapis.com/auth/drive"
CALL_TIMEOUT_S = 60.0
DOWNLOAD_CHUNK_BYTES = 8 << 20


class DriveFileSystem(GDriveFileSystem):  # type: ignore[misc]  # PyDrive2 ships no types
    """The files below one folder. Remembers the ids of folders, so make one for each piece of work.

    A path is `FOLDER_ID/path`. Files are refused whose name several files in their folder have.
    """

    def ids(self, path: str) -> list[str]:
        """The ids of all that have this path, just asked."""
        _, below = self.split_path(path)
        return self._path_to_item_ids(below, use_cache=False) or []

    def info(self, path: str) -> dict[str, Any]:
        """What fsspec tells of a file; raises where there are several."""
        self._only(path)
        try:
            about: dict[str, Any] = super().info(path)
        except TypeError:  # documents made in Drive have no size, which PyDrive2 does not expect
            raise StorageError(
                "it is a document made in Drive; download it as a file and upload that"
            ) from None
        return about

    def get_file(self, rpath: str, lpath: str, **kwargs: Any) -> None:
        super().get_file(rpath, lpath, block_size=DOWNLOAD_CHUNK_BYTES, **kwargs)

    def put_file(self, lpath: str, rpath: str, **kwargs: Any) -> None:
        """Uploads a file: as new content of the one that is there, else as a new one."""
        about: dict[str, Any] = {"title": posixpath.basename(rpath)}
        if found := self._only(rpath):
            about["id"] = found
        else:
            about["parents"] = [{"id": self._get_item_id(self._parent(rpath), create=True)}]
        about["mimeType"] = mimetypes.guess_type(rpath)[0] or "application/octet-stream"
        item = self.client.CreateFile(about)
        with open(lpath, "rb") as item.content:
            item.Upload()

    def may_write(self, path: str) -> bool:
        """Whether the file may be changed, or else made in the nearest folder that is there."""
        wanted, found = "canEdit", self._only(path)
        while not found:
            path, wanted = self._parent(path), "canAddChildren"
            found = next(iter(self.ids(path)), "")
        item = self.client.CreateFile({"id": found})
        item.FetchMetadata(fields="id,capabilities")
        return bool(item["capabilities"].get(wanted))

    def _only(self, path: str) -> str:
        """The id of the one file that has this path; empty where there is none."""
        found = self.ids(path)
        if len(found) > 1:
            raise StorageError(
                f"{len(found)} files there have this name, as Drive allows; rename all but one"
            )
        return found[0] if found else ""


def authorization(key_file: str, *, of_user: bool) -> GoogleAuth:
    """What a key file allows: a service account's, or one that `gcloud` saved for a user."""
    settings = {
        "client_config_backend": "service",
        "service_config": {"client_json_file_path": key_file, "client_user_email": None},
        "oauth_scope": [SCOPE],
    }
    allowed = GoogleAuth(settings=settings, http_timeout=CALL_TIMEOUT_S)
    if of_user:
        allowed.credentials = GoogleCredentials.from_stream(key_file)
    allowed.ServiceAuth()
    return allowed
