"""Runs one program for as long as the process that started this one lives.

Started by `local.part` by its path, with nothing but the standard library. Standard input is a
pipe from the parent: when it ends, however the parent ended, the program gets SIGTERM, and after
the grace time SIGKILL with all that it started; a directory may be removed then. The program's
process id goes to standard output, its own output to standard error.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading

parent_has_ended = threading.Event()


def main(grace_s: float, directory: str, command: list[str]) -> int:
    """Runs `command` to its end, or to the parent's; returns its exit code."""
    # This program is kept from signals of the terminal by a session of its own, of which it is
    # the leader; so a signal to its process group reaches it and all that it started.
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno())
    sys.stdout.write(f"{program.pid}\n")
    sys.stdout.flush()
    threading.Thread(
        target=_end_with_parent, args=(program, grace_s, directory), daemon=True
    ).start()
    code = program.wait()
    if parent_has_ended.is_set() and directory:
        shutil.rmtree(directory, ignore_errors=True)
    return 128 - code if code < 0 else code


def _end_with_parent(program: "subprocess.Popen[bytes]", grace_s: float, directory: str) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    parent_has_ended.set()
    program.terminate()
    try:
        program.wait(grace_s)
    except subprocess.TimeoutExpired:
        if directory:
            shutil.rmtree(directory, ignore_errors=True)
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2], sys.argv[3:]))
