"""Programs that are deaf to signals from their first moment on, since another one ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from doneyet.process_tree import held_signals
from tests.http.servers import ROOT

PROGRAM = """
from doneyet.process_tree import ignore_signals
import signal
ignore_signals(signal.SIGINT, signal.SIGTERM)
print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_signal_comes_too_early(number: signal.Signals) -> None:
    """One that is sent before the interpreter runs does nothing; and nothing stays held, which
    whatever the program starts would inherit."""
    with held_signals(signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.strip(), err) == (0, "set()", "")
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()), "here neither"
