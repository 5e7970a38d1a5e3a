"""One program of the system: its log, its end, and its end with ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from doneyet.local.managed_process import Part, PartError
from tests.helpers import wait_until
from tests.local.processes import marked, new_mark

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); "


def python(code: str, *, grace_s: float = 5.0, **environ: str) -> Part:
    command = [sys.executable, "-c", code]
    return Part("the program", command, {**os.environ, **environ}, grace_s=grace_s)


def test_it_runs_until_stopped() -> None:
    """`pid` is the program's own; stopping sends SIGTERM and waits."""
    part = python("import time; time.sleep(60)")
    part.check()
    os.kill(part.pid, 0)
    part.stop()
    assert not part.running
    with pytest.raises(ProcessLookupError):
        os.kill(part.pid, 0)


def test_an_ended_program_is_told_with_its_last_words() -> None:
    """The exit code and the end of the log, both streams of it."""
    part = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    wait_until(lambda: not part.running, description="the program ended")
    with pytest.raises(PartError, match="the program ended with exit code 7") as caught:
        part.check()
    assert {"out", "err"} <= set(str(caught.value).splitlines())
    part.stop()


def test_a_crash_is_told_by_its_signal() -> None:
    """What `kill` does, too: the program alone gets SIGKILL."""
    part = python("import time; time.sleep(60)")
    part.kill()
    with pytest.raises(PartError, match="ended by signal 9"):
        part.check()
    part.stop()


def test_a_program_that_is_not_there_is_told() -> None:
    """The message names it; nothing is left running."""
    with pytest.raises(PartError, match="/no/such/program"):
        Part("the program", ["/no/such/program"], os.environ, grace_s=1.0)


def test_a_stubborn_program_is_killed_with_what_it_started() -> None:
    """When the grace time is over, SIGKILL goes to all its processes."""
    mark = new_mark()
    child = "import subprocess; subprocess.Popen(['sleep', '60']); "
    part = python(STUBBORN + child + "time.sleep(60)", grace_s=0.2, **mark)
    wait_until(lambda: len(marked(mark)) == 3 and part.log_tail(), description="all three run")
    part.stop()
    wait_until(lambda: not marked(mark), description="all ended")


def test_what_an_obedient_program_leaves_behind_is_killed() -> None:
    """Children that their parent forgot, or that ignore signals."""
    mark = new_mark()
    child = [sys.executable, "-c", STUBBORN + "time.sleep(60)"]
    part = python(
        f"import subprocess, time; subprocess.Popen({child}); time.sleep(60)", grace_s=5.0, **mark
    )
    wait_until(lambda: len(marked(mark)) == 3 and part.log_tail(), description="all three run")
    part.stop()
    wait_until(lambda: not marked(mark), description="all ended")


def test_it_ends_with_a_parent_that_is_killed() -> None:
    """Even a program that ignores SIGTERM, and even when the parent gets SIGKILL."""
    mark = new_mark()
    code = (
        "import os, sys; from doneyet.local.managed_process import Part\n"
        f"part = Part('p', [sys.executable, '-c', {STUBBORN + 'time.sleep(60)'!r}], "
        "os.environ, grace_s=0.2)\n"
        "while not part.log_tail(): pass\n"  # until it ignores SIGTERM
        "print('up', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        assert len(marked(mark)) == 3
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not marked(mark), description="the program ended")
