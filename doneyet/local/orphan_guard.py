"""Runs one program for as long as the process that started this one lives.

Started by `managed_process` by its path, with nothing but the standard library. Standard input is
a pipe from the parent: when it ends, however the parent ended, the program gets SIGTERM, and after
the grace time SIGKILL. What it started and left behind gets SIGKILL, too; a directory may be
removed then. The program's process id goes to standard output, its own output to standard error.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading

parent_has_ended = threading.Event()


def main(grace_s: float, directory: str, command: list[str]) -> int:
    """Runs `command` to its end, or to the parent's; returns its exit code."""
    # In a process group of its own, so that a signal to that reaches it and all that it started.
    program = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), process_group=0
    )
    sys.stdout.write(f"{program.pid}\n")
    sys.stdout.flush()
    threading.Thread(target=_end_with_parent, args=(program, grace_s), daemon=True).start()
    code = program.wait()
    if parent_has_ended.is_set():
        _kill_all(program.pid)
        if directory:
            shutil.rmtree(directory, ignore_errors=True)
    return 128 - code if code < 0 else code


def _end_with_parent(program: "subprocess.Popen[bytes]", grace_s: float) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    parent_has_ended.set()
    program.terminate()
    try:
        program.wait(grace_s)
    except subprocess.TimeoutExpired:
        _kill_all(program.pid)


def _kill_all(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2], sys.argv[3:]))
