"""Inputs and outputs that are compressed, and inputs that only seem to be."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doneyet.task_types.batch import items as batch_items
from doneyet.task_types.batch.compression import CompressionError, created
from doneyet.task_types.batch.items import BrokenFileError, count_items, read_items
from tests.batch.conftest import Jobs

KINDS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
PLAIN: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.decompress,
    "bz2": bz2.decompress,
    "xz": lzma.decompress,
}
LINES = b'\xef\xbb\xbf{"n": 1}\r\n\r\n{"n": 2}'


def items(path: Path, content: bytes, name: str) -> list[object]:
    """What the items of a file of that name and content are."""
    path.write_bytes(content)
    found = [item.value for item in read_items(path, name)]
    assert count_items(path, name) == len(found)
    return found


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("content", [LINES, b'[{"n": 1}, {"n": 2}]'])
def test_the_name_says_how_an_input_is_compressed(
    tmp_path: Path, ending: str, content: bytes
) -> None:
    """For lines and arrays, in capitals, too; what was compressed in parts is one file."""
    compress = KINDS[ending]
    expected = [{"n": 1}, {"n": 2}]
    assert items(tmp_path / "f", compress(content), f"a.jsonl.{ending}") == expected
    parts = compress(content[:10]) + compress(content[10:])
    assert items(tmp_path / "f", parts, f"s3://bucket/A.JSON.{ending.upper()}") == expected


@pytest.mark.parametrize("ending", KINDS)
def test_an_output_is_compressed_as_its_name_says(tmp_path: Path, ending: str) -> None:
    """And the same content is the same file, whenever it is written."""
    for name in ("one", "two"):
        with created(tmp_path / name, f"out.json.{ending}") as file:
            file.write(LINES)
    assert PLAIN[ending]((tmp_path / "one").read_bytes()) == LINES
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("ending", KINDS)
def test_one_error_for_a_broken_file(tmp_path: Path, ending: str) -> None:
    """Cut short, spoilt, or compressed otherwise than the name says: one sentence, no items."""
    whole = KINDS[ending](b"".join(b'{"n": %d}\n' % n for n in range(20_000)))
    middle = len(whole) // 2
    spoilt = whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 64])
    spoilt += whole[middle + 64 :]
    for content in (whole[:-20], whole[:middle], spoilt):
        with pytest.raises(CompressionError, match="the input cannot be decompressed"):
            items(tmp_path / "f", content, f"in.jsonl.{ending}")
    with pytest.raises(CompressionError, match=rf"ends in \.{ending}, but it is not compressed"):
        items(tmp_path / "f", LINES, f"in.jsonl.{ending}")
    with pytest.raises(CompressionError, match=rf"give its name the ending \.{ending}"):
        items(tmp_path / "f", whole, "in.jsonl")
    assert items(tmp_path / "f", b"", f"in.jsonl.{ending}") == []


BOMB = """
import gzip, io, resource, sys
from pathlib import Path
from typing import Any
from doneyet.task_types.batch.items import BrokenFileError, count_items, read_items
path = Path(sys.argv[1])
with gzip.open(path, "wb", compresslevel=1) as file:
    file.write(sys.argv[2].encode())
    for _ in range(320):
        file.write(b"0" * (1 << 20))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    found = [(item.number, item.fault) for item in read_items(path, "bomb.gz")]
    print(found, count_items(path, "a.gz"))
except BrokenFileError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.parametrize(
    ("start", "told", "most_mib"),
    [
        ("", "[(1, 'the line has more than 33554432 bytes')] 1", 128),
        ("[", "a JSON array of more than 256 MiB; write it as JSON lines", 600),
    ],
)
def test_what_expands_hugely_fills_no_memory(
    tmp_path: Path, start: str, told: str, most_mib: int
) -> None:
    """320 MiB of one line are an item that fails, of an array they are refused."""
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(tmp_path / "f"), start],
        capture_output=True,
        text=True,
        check=True,
    )
    said, grown_mib = done.stdout.splitlines()
    assert told in said
    assert int(grown_mib) < most_mib


def test_a_long_line_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it hide that the reading goes on."""
    monkeypatch.setattr(batch_items, "MOST_LINE_BYTES", 100)
    monkeypatch.setattr(batch_items, "_PULSE_BYTES", 1000)
    (tmp_path / "f").write_bytes(b"1\n" + b"2" * 100_000 + b"\n3\n" + b"4" * 101)
    pulses: list[None] = []
    found = list(read_items(tmp_path / "f", "f", lambda: pulses.append(None)))
    assert [(item.value, item.fault is None) for item in found] == [
        *((1, True), (None, False), (3, True), (None, False))
    ]
    assert [item.line for item in found] == [1, 2, 3, 4]
    assert len(pulses) >= 90


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ['{"n": 1}\n{"n": 2}\n', '[{"n": 1}]'])
def test_another_encoding_is_one_error(tmp_path: Path, encoding: str, text: str) -> None:
    """Not one for each line, and with what to do."""
    with pytest.raises(BrokenFileError, match="save it as UTF-8"):
        items(tmp_path / "f", text.encode(encoding), "in.jsonl")


def test_odd_lines(tmp_path: Path) -> None:
    """A NUL spoils its own line; the last line needs no end; blank ones are none."""
    (tmp_path / "f").write_bytes(b'{"n": 1}\r\n \t\r\n{"n": "\0"}\n\n{"n": 3}')
    found = list(read_items(tmp_path / "f", "f"))
    assert [(item.line, item.value) for item in found] == [(1, {"n": 1}), (3, None), (5, {"n": 3})]


@pytest.mark.parametrize("ending", ["gz", "xz"])
def test_a_job_from_compressed_to_compressed(start_jobs: Callable[..., Jobs], ending: str) -> None:
    """Lines in, an array out, and lines again; an ending that is not known is refused."""
    jobs = start_jobs()
    lines = b"".join(b'{"n": %d}\n' % n for n in range(50))
    (jobs.folder / f"in.jsonl.{ending}").write_bytes(KINDS[ending](lines))
    first: dict[str, Any] = {
        "input": f"in.jsonl.{ending}",
        "output": f"mid.json.{ending}",
        "carry": [],
    }
    assert jobs.run(**first)["succeeded"] == 50
    content = PLAIN[ending]((jobs.folder / f"mid.json.{ending}").read_bytes())
    expected = [{"n": n, "square": n * n} for n in range(50)]
    assert json.loads(content) == expected
    last: dict[str, Any] = {
        "input": f"mid.json.{ending}",
        "output": f"out.jsonl.{ending}",
        "carry": ["square"],
    }
    assert jobs.run(**last)["succeeded"] == 50
    content = PLAIN[ending]((jobs.folder / f"out.jsonl.{ending}").read_bytes())
    assert [json.loads(line) for line in content.splitlines()] == expected
    refused = jobs.run(**{**first, "output": "out.jsonl.zip"})
    assert "use .gz, .bz2, .xz, or none" in refused["error"]["detail"]
    (jobs.folder / f"in.jsonl.{ending}").write_bytes(KINDS[ending](lines)[:-5])
    broken = jobs.run(**{**first, "output": "other.json"})
    assert "cannot be decompressed" in broken["error"]["detail"]
    assert not (jobs.folder / "other.json").exists()
