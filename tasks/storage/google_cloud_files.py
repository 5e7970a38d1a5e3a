"""Files in Google Cloud Storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.storage.errors import ChangedError
from tasks.storage.remote_files import RemoteFiles

CHUNK_BYTES = 8 << 20
"""What is sent at once of a file of more than 5 MB; a multiple of 256 KiB, as the protocol asks."""


class GoogleCloudFiles(RemoteFiles):
    """Files in `gs://`; credentials come from the environment. gcsfs tries each call 6 times."""

    extra = "gs"

    def connect(self) -> Any:
        import gcsfs

        return gcsfs.GCSFileSystem(use_listings_cache=False, skip_instance_cache=True)

    def is_transient(self, error: Exception) -> bool:
        from gcsfs.retry import is_retriable

        return is_retriable(error) or isinstance(
            error, (ConnectionError, TimeoutError, ChangedError)
        )

    def reason(self, error: Exception) -> str | None:
        if isinstance(error, OSError) and str(error).startswith("Forbidden"):
            return "access is denied; give the worker's credentials the right to do that"
        return None

    def put(self, source: Path, path: str) -> None:
        self.file_system.put_file(str(source), path, chunksize=CHUNK_BYTES)

    def check_writable(self, path: str) -> None:
        """Begins an upload and ends it: that needs the right to write, and a bucket."""
        from fsspec.asyn import sync
        from gcsfs.core import initiate_upload

        bucket, key = path.split("/", 1)
        files = self.file_system
        try:
            begun = sync(files.loop, initiate_upload, files, bucket, key)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"there is no bucket {bucket!r}") from error
        files.call("DELETE", begun)
