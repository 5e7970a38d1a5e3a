"""Files in Google Cloud Storage."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from doneyet.task_types.batch.storage.errors import ChangedError
from doneyet.task_types.batch.storage.remote_files import RemoteFiles

CHUNK_BYTES = 8 << 20
"""What is sent at once of a file of more than 5 MB; a multiple of 256 KiB, as the protocol asks."""

_OF_A_BUCKET = re.compile(r"\bb/[^/]+/o(\?.*)?$")
"""How the addresses end that are missing only where their bucket is."""


class GoogleCloudFiles(RemoteFiles):
    """Files in `gs://`; credentials come from the environment. gcsfs tries each call 6 times."""

    extra = "gs"

    def connect(self) -> Any:
        from gcsfs.core import GCSFileSystem  # the one of old, which needs no rights to buckets

        return GCSFileSystem(use_listings_cache=False, skip_instance_cache=True)

    def is_transient(self, error: Exception) -> bool:
        from gcsfs.retry import is_retriable

        return is_retriable(error) or isinstance(
            error, (ConnectionError, TimeoutError, ChangedError)
        )

    def reason(self, error: Exception) -> str | None:
        if isinstance(error, FileNotFoundError) and self.is_elsewhere(error):
            return "there is no such bucket; make it, or check DONEYET_STORAGE"
        if isinstance(error, OSError) and str(error).startswith("Forbidden"):
            return "access is denied; give the worker's credentials the right to do that"
        return None

    def is_elsewhere(self, error: FileNotFoundError) -> bool:
        return _OF_A_BUCKET.search(str(error)) is not None

    def put(self, source: Path, path: str) -> None:
        self.file_system.put_file(str(source), path, chunksize=CHUNK_BYTES)

    def check_writable(self, path: str) -> None:
        """Begins an upload, which needs the right to write; unseen, it is forgotten in a week."""
        from fsspec.asyn import sync
        from gcsfs.core import initiate_upload

        bucket, key = path.split("/", 1)
        sync(self.file_system.loop, initiate_upload, self.file_system, bucket, key)
