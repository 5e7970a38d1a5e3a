"""`python -m doneyet.client` among other programs: links, pipes, devices, full disks, Ctrl-C."""

from __future__ import annotations

import codecs
import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import MakeStub
from tests.client.stub_server import Asked, Says, StubServer, done, in_turn, pending
from tests.client.test_map import all_done
from tests.helpers import wait_until


@pytest.fixture
def server(stub: MakeStub) -> StubServer:
    """One that answers everything at once."""
    return stub(all_done)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two thousand inputs."""
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"number": {number}}}\n' for number in range(2000)))
    return path


def command(server: StubServer, *arguments: object) -> list[str]:
    common = [sys.executable, "-m", "doneyet.client", "--url", server.url, "--patience-s", "1"]
    return [*common, *map(str, arguments)]


def run(server: StubServer, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        command(server, *arguments),
        **{"capture_output": True, "text": True, "timeout": 30, "env": buffered, **options},
        check=False,
    )


@pytest.mark.parametrize("through", ["file", "stdin"])
def test_a_byte_order_mark(server: StubServer, tmp_path: Path, through: str) -> None:
    """Is no part of the first line."""
    path = tmp_path / "bom.jsonl"
    path.write_bytes(codecs.BOM_UTF8 + b'{"number": 1}\r\n{"number": 2}')
    with path.open() as file:
        name = path if through == "file" else "-"
        ended = run(server, "map", "double", name, "-q", stdin=file)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [done(1), done(2)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"number": 1}\n'.encode("utf-16"), "save it as UTF-8"),
        ('{"number": 1}\n'.encode("utf-16-le"), "save it as UTF-8"),
        (gzip.compress(b'{"number": 1}\n', mtime=0), "is compressed"),
    ],
)
def test_what_is_no_text_is_one_error(
    server: StubServer, tmp_path: Path, content: bytes, told: str
) -> None:
    """Not one for each line."""
    (tmp_path / "in.jsonl").write_bytes(content)
    ended = run(server, "map", "double", tmp_path / "in.jsonl", "-q")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_link_stays_one(server: StubServer, source: Path, tmp_path: Path) -> None:
    """The file that it leads to is replaced at once, also where it is not there yet."""
    (tmp_path / "there").mkdir()
    for name in ("old", "new"):
        (tmp_path / name).symlink_to(f"there/{name}.jsonl")
    (tmp_path / "there" / "old.jsonl").write_text("old\n")
    (tmp_path / "there" / "old.jsonl").chmod(0o640)
    with (tmp_path / "there" / "old.jsonl").open() as reader:
        for name in ("old", "new"):
            ended = run(server, "map", "double", source, "-o", tmp_path / name, "-q")
            assert ended.returncode == 0
            assert (tmp_path / name).is_symlink()
            target = tmp_path / "there" / f"{name}.jsonl"
            assert len(target.read_text().splitlines()) == 2000
        assert reader.read() == "old\n"
    assert (tmp_path / "there" / "old.jsonl").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path / "there")) == ["new.jsonl", "old.jsonl"]  # noqa: PTH208


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_standard_output_by_name(
    server: StubServer, source: Path, tmp_path: Path, name: str
) -> None:
    """A pipe, or a file to which a shell appends, whose content and inode stay."""
    if name == "link":
        (tmp_path / "link").symlink_to("/dev/stdout")
        name = str(tmp_path / "link")
    piped = run(server, "map", "double", source, "-o", name, "-q")
    assert (piped.returncode, len(piped.stdout.splitlines())) == (0, 2000)
    log = tmp_path / "log"
    log.write_text("before\n")
    inode = log.stat().st_ino
    with log.open("a") as file:
        ended = run(
            server, "map", "double", source, "-o", name, "-q", stdout=file, capture_output=False
        )
    assert ended.returncode == 0
    lines = log.read_text().splitlines()
    assert (lines[0], len(lines), log.stat().st_ino) == ("before", 2001, inode)


def test_pipes_and_devices(server: StubServer, source: Path, tmp_path: Path) -> None:
    """Stay what they are."""
    os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen(
        command(server, "map", "double", source, "-o", tmp_path / "pipe", "-q")
    )
    assert len((tmp_path / "pipe").read_text().splitlines()) == 2000
    assert process.wait(10) == 0
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("/dev/null", tmp_path / "null"):
        assert run(server, "map", "double", source, "-o", name, "-q").returncode == 0
    assert Path("/dev/null").is_char_device()
    assert (tmp_path / "null").is_symlink()


@pytest.mark.parametrize(
    "arguments",
    [
        ["map", "double", "SOURCE", "-q"],
        ["map", "double", "SOURCE"],
        ["double", "number=1"],
        ["double", "number=1", "--no-wait"],
        ["task", "a"],
        ["cancel", "a"],
        ["load"],
        ["--help"],
    ],
)
def test_whoever_reads_has_enough(stub: MakeStub, source: Path, arguments: list[str]) -> None:
    """As `| head -1` has: nothing is said, and the exit code is that of a broken pipe."""

    def answer(asked: Asked) -> Says:
        return all_done(asked) if isinstance(asked.body, list) else Says(200, done(1))

    server = stub(answer)
    reader, writer = os.pipe()
    os.close(reader)
    given = [str(source) if each == "SOURCE" else each for each in arguments]
    with open(writer, "wb") as pipe:
        ended = run(server, *given, stdout=pipe, stderr=subprocess.PIPE, capture_output=False)
    assert ended.returncode == 141
    assert all(line.startswith("double: ") for line in ended.stderr.splitlines())


def test_a_full_disk(stub: MakeStub, source: Path, tmp_path: Path) -> None:
    """By the name that was given; the old output is there, and nothing else."""
    server = stub(lambda asked: all_done(asked) if asked.body else Says(200, {}))
    (tmp_path / "out.jsonl").write_text("old\n")
    code = (
        "import resource, sys; from doneyet.command.asking import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); sys.exit(main())\n"
    )
    rest = command(server, "map", "double", source, "-o", tmp_path / "out.jsonl", "-q")[3:]
    ended = subprocess.run(
        [sys.executable, "-c", code, *rest], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"File too large: '{tmp_path}/out.jsonl'\n")
    assert ended.stderr.count("\n") == 1
    assert (tmp_path / "out.jsonl").read_text() == "old\n"
    assert sorted(os.listdir(tmp_path)) == ["in.jsonl", "out.jsonl"]  # noqa: PTH208
    with open("/dev/full", "w") as full:
        ended = run(server, "load", stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert ended.returncode == 2
    assert "No space left on device" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_no_folder_for_the_output(server: StubServer, source: Path, tmp_path: Path) -> None:
    """The message has the name that was given, not a temporary one."""
    ended = run(server, "map", "double", source, "-o", tmp_path / "none" / "out.jsonl", "-q")
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"No such file or directory: '{tmp_path}/none/out.jsonl'\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("do", ["ask", "map"])
def test_interrupted(
    stub: MakeStub, source: Path, tmp_path: Path, number: signal.Signals, code: int, do: str
) -> None:
    """Quietly, with no half file; what was submitted can be polled again."""
    if do == "ask":
        server = stub(in_turn(Says(202, pending(1))))
        arguments: list[object] = ["ask", "double", "number=1"]
    else:
        server = stub(lambda asked: Says(200, [pending(item["number"]) for item in asked.body]))
        arguments = ["map", "double", source, "-o", tmp_path / "out.jsonl", "-q"]
    process = subprocess.Popen(
        command(server, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: len(server.asked) >= 2, description="it asks")
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (code, "", "")
    assert sorted(os.listdir(tmp_path)) == ["in.jsonl"]  # noqa: PTH208
