"""What batches free is not given back between them."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from doneyet.task_types.models.engines.runtime.malloc_tuning import keep_freed_memory

def batch():
    [bytearray(8 << 20) for _ in range(4)]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if "keep" in sys.argv:
    keep_freed_memory()
batch()
batch()
before = faults()
for _ in range(10):
    batch()
print(faults() - before)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="mallopt is glibc's; elsewhere keep_freed_memory does nothing",
)
def test_no_page_is_asked_for_twice() -> None:
    """Ten batches of 32 MiB are 80,000 pages where they are given back each time."""
    given_back, kept = (
        int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, *arguments],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for arguments in ([], ["keep"])
    )
    assert kept < 1000
    assert given_back > 10 * kept
