"""Files in S3, against a real S3 API: whole or not at all, patient or clear."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doneyet.task_types.batch.storage.files import Files, Info, StorageError
from doneyet.task_types.batch.storage.places import Places
from doneyet.task_types.batch.storage.s3_files import S3Files
from tests.storage.s3_server import FlakyProxy, S3Server

FEW_BYTES = b'{"text": "caf\xc3\xa9"}\n' * 10
MANY_BYTES = os.urandom(1 << 20) * 20
"""More than two parts."""


@pytest.fixture
def in_s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process uses `s3_server`."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def over_flaky(flaky_s3: FlakyProxy, monkeypatch: pytest.MonkeyPatch) -> FlakyProxy:
    """This process uses `flaky_s3`."""
    for name, value in flaky_s3.environment.items():
        monkeypatch.setenv(name, value)
    return flaky_s3


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small file to store."""
    path = tmp_path / "source.jsonl"
    path.write_bytes(FEW_BYTES)
    return path


def files(bucket: str) -> Files:
    """What a worker has that is allowed one prefix of the bucket."""
    return Files(Places.parse(f"s3://{bucket}/jobs"))


@pytest.mark.usefixtures("in_s3")
class TestWhole:
    """Storing and fetching where nothing fails."""

    def test_what_is_stored_is_fetched(self, bucket: str, source: Path, tmp_path: Path) -> None:
        """Byte for byte, under a name with letters that URLs would escape."""
        location = f"s3://{bucket}/jobs/a b/ü%41?#.jsonl"
        files(bucket).store(source, location)
        files(bucket).fetch(location, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == FEW_BYTES
        assert files(bucket).describe(location) == Info(len(FEW_BYTES))

    def test_the_key_is_what_the_location_says(
        self, bucket: str, source: Path, s3_server: S3Server
    ) -> None:
        """Other programs find the file under this very key."""
        files(bucket).store(source, f"s3://{bucket}/jobs/a b/ü%41?#.jsonl")
        listed = s3_server.client().list_objects_v2(Bucket=bucket)["Contents"]
        assert [each["Key"] for each in listed] == ["jobs/a b/ü%41?#.jsonl"]

    def test_a_file_is_seen_as_it_is_now(self, bucket: str, source: Path, tmp_path: Path) -> None:
        """However often one looked before: nothing is remembered."""
        one, other = files(bucket), files(bucket)
        location = f"s3://{bucket}/jobs/out"
        assert one.describe(location) is None
        other.store(source, location)
        assert one.describe(location) == Info(len(FEW_BYTES))
        source.write_bytes(b"new")
        other.store(source, location)
        assert one.describe(location) == Info(3)
        one.fetch(location, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"new"

    def test_large_files_go_in_parts(
        self, bucket: str, tmp_path: Path, s3_server: S3Server
    ) -> None:
        """And come back whole; no unfinished upload stays behind."""
        (tmp_path / "large").write_bytes(MANY_BYTES)
        location = f"s3://{bucket}/jobs/large"
        files(bucket).store(tmp_path / "large", location)
        tag = s3_server.client().head_object(Bucket=bucket, Key="jobs/large")["ETag"]
        assert tag.endswith('-3"'), "three parts"
        files(bucket).fetch(location, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == MANY_BYTES
        assert unfinished(s3_server, bucket) == []

    def test_a_file_that_is_replaced_while_it_is_read(
        self, bucket: str, tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Is read again: half of one and half of another would be nobody's file."""
        s3, left, download = s3_server.client(), [b"newer"], S3Files.download
        s3.put_object(Bucket=bucket, Key="jobs/in", Body=b"older")

        def and_replaced(self: S3Files, path: str, into: Path) -> None:
            download(self, path, into)
            if left:
                s3.put_object(Bucket=bucket, Key="jobs/in", Body=left.pop())

        monkeypatch.setattr(S3Files, "download", and_replaced)
        files(bucket).fetch(f"s3://{bucket}/jobs/in", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"newer"

    def test_an_empty_file(self, bucket: str, source: Path, tmp_path: Path) -> None:
        """Is a file, too."""
        source.write_bytes(b"")
        location = f"s3://{bucket}/jobs/empty"
        files(bucket).store(source, location)
        assert files(bucket).describe(location) == Info(0)
        files(bucket).fetch(location, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b""

    def test_checking_leaves_no_trace(self, bucket: str, s3_server: S3Server) -> None:
        """Neither a file nor an unfinished upload."""
        files(bucket).check_writable(f"s3://{bucket}/jobs/out")
        assert "Contents" not in s3_server.client().list_objects_v2(Bucket=bucket)
        assert unfinished(s3_server, bucket) == []

    def test_what_is_not_there(self, bucket: str, source: Path, tmp_path: Path) -> None:
        """No file, a folder and no bucket are told apart."""
        one = files(bucket)
        one.store(source, f"s3://{bucket}/jobs/folder/file")
        assert one.describe(f"s3://{bucket}/jobs/none") is None
        assert one.describe(f"s3://{bucket}/jobs/folder") is None
        with pytest.raises(StorageError, match="jobs/none': there is no such file"):
            one.fetch(f"s3://{bucket}/jobs/none", tmp_path / "copy")
        with pytest.raises(StorageError, match="it is a folder"):
            one.fetch(f"s3://{bucket}/jobs/folder", tmp_path / "copy")
        nowhere = files("no-such-bucket")
        location = "s3://no-such-bucket/jobs/file"
        for act in (nowhere.describe, nowhere.check_writable):
            with pytest.raises(StorageError, match="there is no such bucket"):
                act(location)
        with pytest.raises(StorageError, match="there is no such bucket"):
            nowhere.fetch(location, tmp_path / "copy")
        with pytest.raises(StorageError, match="there is no such bucket"):
            nowhere.store(source, location)

    def test_another_prefix_is_refused(self, bucket: str, source: Path) -> None:
        """Also where whoever asked was allowed more than this worker is."""
        with pytest.raises(StorageError, match=r"this worker refuses it: .*not inside"):
            files(bucket).store(source, f"s3://{bucket}/jobs-other/file")


class TestFlaky:
    """Half of all requests fail."""

    def test_everything_succeeds_still(
        self, bucket: str, source: Path, tmp_path: Path, over_flaky: FlakyProxy
    ) -> None:
        """After some tries, and without anybody asking again."""
        one, location = files(bucket), f"s3://{bucket}/jobs/out"
        one.check_writable(location)
        one.store(source, location)
        assert one.describe(location) == Info(len(FEW_BYTES))
        one.fetch(location, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == FEW_BYTES
        assert over_flaky.failed > 0

    def test_large_files_go_in_parts_still(
        self, bucket: str, tmp_path: Path, s3_server: S3Server, over_flaky: FlakyProxy
    ) -> None:
        """A part that fails is sent again, not all of them."""
        (tmp_path / "large").write_bytes(MANY_BYTES)
        files(bucket).store(tmp_path / "large", f"s3://{bucket}/jobs/large")
        got = s3_server.client().get_object(Bucket=bucket, Key="jobs/large")
        assert got["Body"].read() == MANY_BYTES

    def test_answers_that_get_lost(
        self, bucket: str, tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S3 has completed the upload, but nobody heard of it: that is no failure."""
        (tmp_path / "large").write_bytes(MANY_BYTES)
        with LostCompletion(s3_server.port, share=0.0) as proxy:
            for name, value in proxy.environment.items():
                monkeypatch.setenv(name, value)
            files(bucket).store(tmp_path / "large", f"s3://{bucket}/jobs/large")
            assert proxy.failed > 1
        got = s3_server.client().get_object(Bucket=bucket, Key="jobs/large")
        assert got["Body"].read() == MANY_BYTES

    def test_a_broken_download_is_no_short_file(
        self, bucket: str, tmp_path: Path, s3_server: S3Server, over_flaky: FlakyProxy
    ) -> None:
        """Connections that end in the middle of the content."""
        over_flaky.faults = ("half an answer",)
        s3_server.client().put_object(Bucket=bucket, Key="jobs/in", Body=MANY_BYTES)
        files(bucket).fetch(f"s3://{bucket}/jobs/in", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == MANY_BYTES

    def test_denied_is_told_at_once(
        self, bucket: str, source: Path, tmp_path: Path, over_flaky: FlakyProxy
    ) -> None:
        """One request each, and no secrets in the message."""
        over_flaky.share, over_flaky.faults = 1.0, ("403",)
        one, location = files(bucket), f"s3://{bucket}/jobs/out"
        acts: list[Callable[[], object]] = [
            lambda: one.describe(location),
            lambda: one.fetch(location, tmp_path / "copy"),
            lambda: one.store(source, location),
            lambda: one.check_writable(location),
        ]
        for count, act in enumerate(acts, 1):
            with pytest.raises(StorageError, match="access is denied") as caught:
                act()
            assert over_flaky.failed == count
            assert "test-key" not in str(caught.value)
            assert "test-secret" not in str(caught.value)

    def test_a_failed_upload_leaves_nothing(
        self,
        bucket: str,
        tmp_path: Path,
        s3_server: S3Server,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The old content stays, and the parts that arrived are thrown away."""
        s3_server.client().put_object(Bucket=bucket, Key="jobs/out", Body=b"old")
        (tmp_path / "large").write_bytes(MANY_BYTES)
        with NoLastPart(s3_server.port, share=0.0) as proxy:
            for name, value in proxy.environment.items():
                monkeypatch.setenv(name, value)
            with pytest.raises(StorageError, match="access is denied"):
                files(bucket).store(tmp_path / "large", f"s3://{bucket}/jobs/out")
            assert proxy.failed == 1
        got = s3_server.client().get_object(Bucket=bucket, Key="jobs/out")
        assert got["Body"].read() == b"old"
        assert unfinished(s3_server, bucket) == []


def test_nobody_there_is_told_after_a_while(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried again, as whoever is not there may be starting; then told where nobody was."""
    monkeypatch.setattr("doneyet.task_types.batch.storage.patience.PATIENCE_S", 0.5)
    monkeypatch.setattr("doneyet.task_types.batch.storage.s3_files.CALL_TRIES", 2)
    with FlakyProxy(1, share=0.0) as proxy:
        port = proxy.environment["AWS_ENDPOINT_URL"]
    for name, value in proxy.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match=f'Could not connect to the endpoint URL: "{port}'):
        files("some-bucket").fetch("s3://some-bucket/jobs/x", tmp_path / "copy")


def test_no_credentials(
    s3_server: S3Server, source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Says which to set."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageError, match="no credentials; set AWS_ACCESS_KEY_ID"):
        files("some-bucket").fetch("s3://some-bucket/jobs/x", tmp_path / "copy")


SETTINGS = {
    "boto": {"AWS_ENDPOINT_URL": "{url}"},
    "boto, S3 alone": {"AWS_ENDPOINT_URL_S3": "{url}"},
    "fsspec": {"FSSPEC_S3_ENDPOINT_URL": "{url}"},
    "fsspec, all at once": {
        "FSSPEC_S3": '{{"endpoint_url": "{url}", "key": "test-key", "secret": "test-secret"}}'
    },
}


@pytest.mark.parametrize("variables", SETTINGS.values(), ids=SETTINGS)
def test_ways_to_name_the_endpoint(
    variables: dict[str, str], bucket: str, s3_server: S3Server, source: Path
) -> None:
    """Those that docs/how-to/storage.md tells work, in a process that has nothing else."""
    environ = dict(s3_server.environment)
    url = environ.pop("AWS_ENDPOINT_URL")
    environ |= {name: text.format(url=url) for name, text in variables.items()}
    if "key" in str(variables):
        del environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"]
    code = (
        "import sys, pathlib; from doneyet.task_types.batch.storage.files import Files\n"
        "from doneyet.task_types.batch.storage.places import Places\n"
        "Files(Places.parse(sys.argv[1])).store(pathlib.Path(sys.argv[2]), sys.argv[1] + '/file')"
    )
    subprocess.run(
        [sys.executable, "-c", code, f"s3://{bucket}", str(source)],
        env={**os.environ, **environ},
        check=True,
        timeout=40,
    )
    got = s3_server.client().get_object(Bucket=bucket, Key="file")
    assert got["Body"].read() == FEW_BYTES


def unfinished(server: S3Server, bucket: str) -> list[str]:
    """Keys of uploads that were begun and neither completed nor given up."""
    listed = server.client().list_multipart_uploads(Bucket=bucket)
    return [each["Key"] for each in listed.get("Uploads", [])]


class NoLastPart(FlakyProxy):
    """Refuses the last part of an upload."""

    def fault(self, path: str) -> str | None:
        if "partNumber=3" in path:
            self.failed += 1
            return "403"
        return None


class LostCompletion(FlakyProxy):
    """Breaks off the answer to the first completion; knows of no such upload from then on."""

    first = ""

    def fault(self, path: str) -> str | None:
        if "uploadId=" not in path or "partNumber=" in path:
            return None
        self.failed += not self.first or path == self.first
        if self.first:
            return "no such upload" if path == self.first else None
        self.first = path
        return "half an answer"


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Connections of file systems that are gone are closed within the test that made them."""
    yield
    import gc

    gc.collect()
