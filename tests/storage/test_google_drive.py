"""Files in Google Drive, through PyDrive2, against a stand-in for its API on loopback."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from doneyet.task_types.batch.storage.files import Files, Info, StorageError
from doneyet.task_types.batch.storage.places import Places
from tests.storage.drive_server import DOCUMENT, FOLDER, DriveServer

pytestmark = [  # what PyDrive2 stands on is old
    pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:sign.. is deprecated:DeprecationWarning"),
]

LOCATION = "gdrive://shared-folder/sub/out.json"


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[DriveServer]:
    """A Drive in which one folder is shared with the account."""
    with DriveServer() as server:
        monkeypatch.setattr("pydrive2.auth.build", server.build)
        yield server


@pytest.fixture
def files(drive: DriveServer, tmp_path: Path) -> Files:
    """What a worker has with that account's key."""
    key_file = drive.key_file(tmp_path / "key.json")
    return Files(Places.parse("gdrive://shared-folder"), gdrive_credentials=str(key_file))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to store."""
    path = tmp_path / "source"
    path.write_bytes(b"first")
    return path


def test_storing_again_keeps_the_file(files: Files, source: Path, drive: DriveServer) -> None:
    """Two stores make one file, which keeps its id and has the new content; one folder, too."""
    files.store(source, LOCATION)
    (first,) = drive.called("out.json")
    first_id = first.id
    source.write_bytes(b"second, and longer")
    files.store(source, LOCATION)
    (again,) = drive.called("out.json")
    assert (again.id, again.content) == (first_id, b"second, and longer")
    (folder,) = drive.called("sub")
    assert (folder.kind, folder.parent, again.parent) == (FOLDER, "shared-folder", folder.id)


def test_what_is_stored_is_fetched(files: Files, source: Path, tmp_path: Path) -> None:
    """Byte for byte, in more than one chunk, under a name that queries must quote."""
    location = "gdrive://shared-folder/it's mine/café 'x'.json"
    source.write_bytes(os.urandom(9 << 20))
    files.store(source, location)
    assert files.describe(location) == Info(9 << 20)
    files.fetch(location, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


def test_an_empty_file(files: Files, source: Path, tmp_path: Path) -> None:
    """Is a file, too."""
    source.write_bytes(b"")
    files.store(source, LOCATION)
    files.fetch(LOCATION, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b""


def test_what_is_not_there(files: Files, tmp_path: Path, drive: DriveServer) -> None:
    """No file, a folder, a document and a folder that is not shared are told apart."""
    assert files.describe(LOCATION) is None
    with pytest.raises(StorageError, match="there is no such file"):
        files.fetch(LOCATION, tmp_path / "copy")
    drive.add("sub", "shared-folder", FOLDER)
    with pytest.raises(StorageError, match="it is a folder"):
        files.fetch("gdrive://shared-folder/sub", tmp_path / "copy")
    drive.add("text", "shared-folder", DOCUMENT)
    with pytest.raises(StorageError, match="a document made in Drive"):
        files.fetch("gdrive://shared-folder/text", tmp_path / "copy")
    del drive.items["shared-folder"]
    with pytest.raises(StorageError, match="not shared with bot@example"):
        files.check_writable(LOCATION)


def test_two_files_of_one_name_are_refused(
    files: Files, source: Path, tmp_path: Path, drive: DriveServer
) -> None:
    """Nobody could say which one is meant, whether to read or to write."""
    for _ in range(2):
        drive.add("twice", "shared-folder", "text/plain", b"kept")
    location = "gdrive://shared-folder/twice"
    with pytest.raises(StorageError, match="2 files there have this name"):
        files.fetch(location, tmp_path / "copy")
    with pytest.raises(StorageError, match="2 files there have this name"):
        files.store(source, location)
    assert [item.content for item in drive.called("twice")] == [b"kept", b"kept"]


def test_another_case_is_another_name(files: Files, source: Path, drive: DriveServer) -> None:
    """Drive's search does not tell `OUT.json` from `out.json`; storing does."""
    drive.add("OUT.json", "shared-folder", "text/plain", b"kept")
    files.store(source, "gdrive://shared-folder/out.json")
    assert [item.content for item in drive.called("OUT.json")] == [b"kept"]
    assert [item.content for item in drive.called("out.json")] == [b"first"]


def test_checking_makes_nothing(files: Files, drive: DriveServer) -> None:
    """Not even the folder; and it knows who may not write."""
    files.check_writable(LOCATION)
    assert list(drive.items) == ["shared-folder"]
    drive.writable = False
    with pytest.raises(StorageError, match=r"access is denied; let bot@example.* edit the folder"):
        files.check_writable(LOCATION)


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ((403, "insufficientFilePermissions"), "access is denied; let bot@"),
        ((403, "storageQuotaExceeded"), "no space left there"),
    ],
)
def test_refusals_are_told_at_once(
    refusal: tuple[int, str], told: str, files: Files, source: Path, drive: DriveServer
) -> None:
    """With what to do about them, after one call."""
    drive.refusal = refusal
    with pytest.raises(StorageError, match=told):
        files.store(source, LOCATION)
    assert drive.calls == 1


def test_calls_that_fail_are_made_again(
    files: Files, source: Path, tmp_path: Path, drive: DriveServer
) -> None:
    """A fifth of all calls fails, some when their work is done; nothing is lost or there twice."""
    drive.fail_share = 0.2
    for content in (b"first", b"second"):
        source.write_bytes(content)
        files.store(source, LOCATION)
        files.store(source, f"gdrive://shared-folder/{content.decode()}/file")
    files.fetch(LOCATION, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"second"
    assert drive.failed > 0
    for title in ("out.json", "sub", "first", "second"):
        assert len(drive.called(title)) == 1, title


def test_credentials_are_asked_for(
    tmp_path: Path, drive: DriveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that is in a wrong file is told."""
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    places = Places.parse("gdrive://shared-folder")
    with pytest.raises(StorageError, match="set DONEYET_GDRIVE_CREDENTIALS"):
        Files(places).describe(LOCATION)
    (tmp_path / "wrong").write_text("private-key, but no JSON")
    with pytest.raises(StorageError, match="can be read: JSONDecodeError") as caught:
        Files(places, gdrive_credentials=str(tmp_path / "wrong")).describe(LOCATION)
    assert "private-key" not in str(caught.value)
    key_file = drive.key_file(tmp_path / "key.json")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))
    assert Files(places).describe(LOCATION) is None


def test_a_users_own_credentials(
    tmp_path: Path, drive: DriveServer, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `gcloud auth application-default login` saves will do as well."""
    monkeypatch.setattr("oauth2client.GOOGLE_TOKEN_URI", drive.url + "/token")
    saved = {"type": "authorized_user", "client_id": "1", "client_secret": "2"}
    (tmp_path / "user.json").write_text(json.dumps({**saved, "refresh_token": "3"}))
    files = Files(
        Places.parse("gdrive://shared-folder"), gdrive_credentials=str(tmp_path / "user.json")
    )
    files.store(source, LOCATION)
    assert files.describe(LOCATION) == Info(5)
