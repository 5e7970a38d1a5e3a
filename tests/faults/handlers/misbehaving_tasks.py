"""Task types that misbehave on request: `do` names what one input does; each run is written down.

`{"do": "answer", "n": 3}` is innocent. `misbehaving` runs one input at a time,
`misbehaving-batched` up to 16 together, `misbehaving-limited` one for at most a second.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_serializer

from doneyet.task_types import RunContext, TaskType
from worker.exit_codes import BROKEN, NOT_LOADED

FOLDER = "MISBEHAVING_FOLDER"
"""Environment variable: the folder for `runs` (a line `do n pid` per run of an input, at its start)
and `children` (a line per process id that an input started)."""


class Input(BaseModel):
    do: str = "answer"
    n: int = 0
    seconds: float = 0.0


class Output(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    square: Any = None


class Sulking(Output):
    """Its serializer raises."""

    @field_serializer("square")
    def raise_instead(self, value: Any) -> Any:
        raise RuntimeError("the serializer sulks")


class UnprintableError(Exception):
    """Neither `str` nor `repr` of it works."""

    def __str__(self) -> str:
        raise ValueError("no words")

    __repr__ = __str__


class UnpicklableError(Exception):
    """Holds what cannot be copied."""

    def __init__(self) -> None:
        super().__init__("it holds a lock")
        self.lock = threading.Lock()


def note(file: str, line: str) -> None:
    """Appends `line` to a file of the test's folder, in one write."""
    if folder := os.environ.get(FOLDER):
        fd = os.open(Path(folder) / file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{line}\n".encode())
        os.close(fd)


def _spawn(item: Any, **options: Any) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], **options)
    note("children", str(child.pid))
    time.sleep(item.seconds)


def _spawn_and_die(item: Any) -> None:
    _spawn(item)
    os._exit(7)


def _fork(item: Any) -> None:
    """A copy of the process, as multiprocessing makes it: it has all that was open."""
    if (pid := os.fork()) == 0:
        time.sleep(600)
        os._exit(0)
    note("children", str(pid))
    time.sleep(item.seconds)


def _fork_and_die(item: Any) -> None:
    _fork(item)
    os.kill(os.getpid(), signal.SIGKILL)


def _daemon(item: Any) -> None:
    """A process that left its session, and whose parent has ended."""
    if (middle := os.fork()) == 0:
        os.setsid()
        if (pid := os.fork()) == 0:
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"])
        note("children", str(pid))
        os._exit(0)
    os.waitpid(middle, 0)
    time.sleep(item.seconds)


def _hold_the_interpreter(item: Any) -> None:
    # PyDLL, unlike CDLL, keeps the interpreter's lock while the C function runs.
    libc = ctypes.PyDLL(None)
    ends_s = time.monotonic() + item.seconds
    while (left_s := ends_s - time.monotonic()) > 0:  # usleep ends at any signal
        libc.usleep(min(999_999, int(left_s * 1e6)))


def _never_let_go(item: Any) -> None:
    ctypes.PyDLL(None).sleep(int(item.seconds))  # one call, in which no other thread gets on


def _compute(item: Any) -> None:
    ends_s = time.monotonic() + item.seconds
    while time.monotonic() < ends_s:
        pass


def _overflow_the_stack(_item: Any) -> None:
    nested: tuple[Any, ...] = ()
    for _ in range(10**6):
        nested = (nested,)
    hash(nested)  # calls itself in C, where nothing counts how deep


def _leave_a_thread(item: Any) -> None:
    threading.Thread(target=time.sleep, args=(item.seconds,), daemon=False).start()


def _take_signals(_item: Any) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)


def _close_output(_item: Any) -> None:
    sys.stdout.close()
    sys.stderr.close()
    for fd in (1, 2):
        os.close(fd)


def _raise(error: BaseException) -> Callable[[Any], None]:
    def now(_item: Any) -> None:
        raise error

    return now


def _cyclic() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


ACTS: dict[str, Callable[[Any], None]] = {
    "answer": lambda item: time.sleep(item.seconds),
    "exit": lambda _: os._exit(7),
    "exit 3": lambda _: os._exit(NOT_LOADED),
    "exit 70": lambda _: os._exit(BROKEN),
    "exit 3 later": lambda _: threading.Timer(0.5, os._exit, [NOT_LOADED]).start(),
    "segfault": lambda _: os.kill(os.getpid(), signal.SIGSEGV),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    "overflow the stack": _overflow_the_stack,
    "hold": _hold_the_interpreter,
    "never let go": _never_let_go,
    "compute": _compute,
    "spawn": _spawn,
    "spawn and die": _spawn_and_die,
    "fork": _fork,
    "fork and die": _fork_and_die,
    "spawn a session": lambda item: _spawn(item, start_new_session=True),
    "spawn a daemon": _daemon,
    "fork and return": lambda _: note("children", str(os.fork())),
    "leave a thread": _leave_a_thread,
    "take signals": _take_signals,
    "close output": _close_output,
    "change folder": lambda _: os.chdir("/"),
    "raise": _raise(ValueError("it is raised on request")),
    "raise unprintable": _raise(UnprintableError()),
    "raise unpicklable": _raise(UnpicklableError()),
    "raise SystemExit": _raise(SystemExit(3)),
    "raise KeyboardInterrupt": _raise(KeyboardInterrupt()),
    "raise GeneratorExit": _raise(GeneratorExit()),
    "raise surrogates": _raise(ValueError("half a \ud800 character")),
    "raise at length": lambda item: _raise(ValueError("x" * item.n))(item),
}

OUTPUTS: dict[str, Callable[[], Any]] = {
    "nan": lambda: Output(square=math.nan),
    "nested nan": lambda: Output(square={"a": [1, (math.nan,)]}),
    "inf": lambda: Output(square=-math.inf),
    "surrogates": lambda: Output(square="half a \ud800 character"),
    "object": lambda: Output(square=object()),
    "cyclic": lambda: Output(square=_cyclic()),
    "sulking": lambda: Output(square=Sulking(square=1)),
    "other": lambda: "this is no output",
    "nothing": lambda: None,
    "base exception": lambda: SystemExit(3),
}
"""Outputs that are none, by what `do` says: each fails its own input."""

WHOLES: dict[str, Callable[[list[Any]], Any]] = {
    "return None": lambda _: None,
    "return a string": lambda _: "text",
    "return too few": lambda outputs: outputs[1:],
    "return too many": lambda outputs: [*outputs, outputs[0]],
    "return a number": lambda _: 7,
    "return for ever": lambda outputs: iter(lambda: outputs[0], None),
    "return a generator": lambda outputs: (output for output in outputs),
}
"""What `run` returns as a whole where one of its inputs says so."""

REPORTS: dict[str, tuple[Any, ...]] = {
    "report nan": (0, math.nan, "m"),
    "report inf": (0, math.inf, "m"),
    "report minus inf": (0, -math.inf, "m"),
    "report 7": (0, 7, "m"),
    "report -1": (0, -1, "m"),
    "report text": (0, "half", "m"),
    "report None": (0, None, None),
    "report huge": (0, 10**400, "m"),
    "report complex": (0, 1j, "m"),
    "report at length": (0, 0.5, "m" * 1_000_000),
    "report surrogates": (0, 0.5, "half a \ud800 character"),
    "report control": (0, 0.5, "a\nb\0c\x1b[31m"),
    "report an object": (0, 0.5, UnprintableError()),
    "report beyond": (99, 0.5, "m"),
    "report before": (-1, 0.5, "m"),
    "report nowhere": ("first", 0.5, "m"),
}
"""What is reported as (index, fraction, message), by what `do` says; then `seconds` pass."""


class Misbehaving(TaskType):
    """Does what it is told to, one input at a time."""

    name, endpoint = "misbehaving", "/misbehaving"
    Input, Output = Input, Output

    def run(self, inputs: Sequence[Any], context: RunContext) -> Any:
        for item in inputs:
            note("runs", f"{item.do.replace(' ', '-')} {item.n} {os.getpid()}")
        for item in inputs:
            if item.do in ACTS:
                ACTS[item.do](item)
            elif item.do in REPORTS:
                context.progress(*REPORTS[item.do])
                time.sleep(item.seconds)
        outputs = [self._output(item) for item in inputs]
        for item in inputs:
            if item.do in WHOLES:
                return WHOLES[item.do](outputs)
        return outputs

    def _output(self, item: Any) -> Any:
        return OUTPUTS[item.do]() if item.do in OUTPUTS else Output(square=item.n**2)


class Batched(Misbehaving):
    """Up to 16 inputs together."""

    name, endpoint = "misbehaving-batched", "/misbehaving-batched"
    max_batch_size = 16


class Limited(Misbehaving):
    """For at most a second."""

    name, endpoint = "misbehaving-limited", "/misbehaving-limited"
    timeout_s = 1.0


COSTS: dict[str, Any] = {
    "cost text": "x",
    "cost nan": math.nan,
    "cost inf": math.inf,
    "cost a negative": -5,
    "cost a fortune": 10**400,
    "cost nothing known": None,
}
"""What `cost` gives where `do` says so."""

PREPARED: dict[str, Callable[[list[Any]], Any]] = {
    "prepare None": lambda _: None,
    "prepare too few": lambda items: items[1:],
    "prepare for ever": lambda items: iter(lambda: items[0], None),
}
"""What `prepare` gives as a whole where one of its inputs says so."""


class Preparing(Misbehaving):
    """What its inputs do, they do when they are prepared, or are asked for their cost."""

    name, endpoint = "misbehaving-preparing", "/misbehaving-preparing"
    max_batch_size = 4
    max_batch_cost = 4.0
    timeout_s = 3.0

    def prepare(self, inputs: Sequence[Any]) -> Any:
        for item in inputs:
            if item.do in PREPARED:
                return PREPARED[item.do](list(inputs))
            if item.do in ACTS:
                ACTS[item.do](item)
        return inputs

    def cost(self, item: Any) -> Any:
        if item.do == "cost an error":
            raise ValueError("it is priceless")
        if item.do == "cost an exit":
            raise SystemExit(3)
        if item.do == "cost an eternity":
            time.sleep(600)
        return COSTS.get(item.do, 1)

    def run(self, inputs: Sequence[Any], context: RunContext) -> Any:
        return [Output(square=item.n**2) for item in inputs]


def task_types(_settings: object) -> list[TaskType]:
    """All of the above."""
    return [Misbehaving(), Batched(), Limited(), Preparing()]
