"""Files in S3, and in whatever else speaks its protocol."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from doneyet.task_types.batch.storage.errors import ChangedError
from doneyet.task_types.batch.storage.remote_files import RemoteFiles, chain

PART_BYTES = 8 << 20
PARTS_AT_ONCE = 4
MOST_PARTS = 10_000

CALL_TRIES = 6
"""Of each call to S3, with pauses that grow to 20 s, so that one of many parts can fail."""

TRANSIENT_CODES = frozenset(
    {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests"}
    | {"InternalError", "ServiceUnavailable", "BadDigest", "IncompleteBody", "OperationAborted"}
    # An upload that was completed, or given up, by a call whose answer got lost.
    | {"NoSuchUpload"}
)

REASONS = {
    "NoSuchBucket": "there is no such bucket; make it, or check DONEYET_STORAGE and the endpoint",
    "AccessDenied": "access is denied; give the worker's credentials the right to do that",
    "403": "access is denied; give the worker's credentials the right to do that",
    "InvalidAccessKeyId": "the access key is not known there; check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong; check AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the worker's credentials have expired; renew them",
}


class S3Files(RemoteFiles):
    """Files in `s3://`; credentials and endpoint come from the environment."""

    extra = "s3"

    def connect(self) -> Any:
        import s3fs

        return s3fs.S3FileSystem(
            use_listings_cache=False,
            skip_instance_cache=True,
            config_kwargs={
                "retries": {"mode": "standard", "max_attempts": CALL_TRIES},
                "connect_timeout": 10,
                "read_timeout": 60,
            },
        )

    def is_transient(self, error: Exception) -> bool:
        import aiohttp
        from botocore.exceptions import HTTPClientError
        from botocore.parsers import ResponseParserError

        code, status = _answered(error)
        if status is not None:
            return status >= 500 or status == 429 or code in TRANSIENT_CODES
        passing = (HTTPClientError, ResponseParserError, aiohttp.ClientError, ChangedError)
        return isinstance(error, (*passing, ConnectionError, TimeoutError))

    def reason(self, error: Exception) -> str | None:
        from botocore.exceptions import NoCredentialsError

        if any(isinstance(each, NoCredentialsError) for each in chain(error)):
            return "the worker has no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        return REASONS.get(_answered(error)[0])

    def is_elsewhere(self, error: FileNotFoundError) -> bool:
        return _answered(error)[0] == "NoSuchBucket"

    def download(self, path: str, into: Path) -> None:
        # One stream, which goes on where it broke off; several would have to begin anew.
        self.file_system.get_file(path, str(into), max_concurrency=1)

    def put(self, source: Path, path: str) -> None:
        size = source.stat().st_size
        self.file_system.put_file(
            str(source),
            path,
            chunksize=max(PART_BYTES, math.ceil(size / MOST_PARTS)),
            max_concurrency=PARTS_AT_ONCE,
        )

    def check_writable(self, path: str) -> None:
        """Begins an upload in parts and ends it: that needs all that writing needs."""
        bucket, key = path.split("/", 1)
        call = self.file_system.call_s3
        begun = call("create_multipart_upload", Bucket=bucket, Key=key)
        call("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=begun["UploadId"])


def _answered(error: BaseException) -> tuple[str, int | None]:
    """The error code and the status of S3's answer; none where there was no answer."""
    for each in chain(error):
        response = getattr(each, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return str(response.get("Error", {}).get("Code", "")), status
    return "", None
