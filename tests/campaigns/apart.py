"""Work in a process of its own: forked from a warm one, with limits on time and memory.

A stranger's input may end the process, fill the memory or never come back. Forking costs 15 ms,
starting a new interpreter two seconds.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parent.parent.parent
MEMORY = 4 << 30
"""Bytes that a child may reserve beyond what the parent has."""

_EMPTY = re.compile(r"\d+ validation errors? for \w+$")

How = Literal["done", "refused", "usage", "traceback", "died", "hung"]


@dataclass(frozen=True)
class Ending:
    """How a piece of work ended.

    Attributes:
        how: done; refused in one line; bad usage (exit code 2); a traceback, or any other ending
            that no user should see; killed by a signal; or stopped by the clock.
        kind: names what went wrong, the same for all inputs that go wrong alike.
        text: what was printed, or the message.
        value: what the work returned.
    """

    how: How
    kind: str = ""
    text: str = ""
    value: Any = None


def apart(
    work: Callable[[], Any],
    seconds: float = 60.0,
    memory: int | None = MEMORY,
    library: bool = False,
) -> Ending:
    """Do work in a forked child.

    Args:
        work: returns something that can be pickled; an `Ending` is taken as it is.
        seconds: how long it may take.
        memory: how much it may reserve; None: no limit.
        library: it calls the libraries, which refuse with a ValueError; the product refuses with
            a DrivememError alone.
    """
    warm()
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _in_child(work, writing, memory, library)
    os.close(writing)
    try:
        return _outcome(child, reading, time.monotonic() + seconds)
    finally:
        os.close(reading)


def start(work: Callable[[], Any]) -> int:
    """Begin work in a forked child and leave it alone: its process, to be killed or waited for."""
    warm()
    child = os.fork()
    if child == 0:
        _in_child(work, os.pipe()[1])
    return child


def end(child: int, with_signal: int = signal.SIGKILL) -> int:
    """Kill a child of `start` with all that it started; returns its exit status."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, with_signal)
    return os.waitpid(child, 0)[1]


def is_over(child: int) -> bool:
    """Whether a child of `start` has ended (it still must be waited for with `end`)."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def command(*words: str, seconds: float = 60.0, memory: int | None = MEMORY) -> Ending:
    """Run a drivemem command in a forked child and judge its ending as a user would."""
    return apart(lambda: run_here(*words), seconds, memory)


def run_here(*words: str) -> Ending:
    """Run a drivemem command in this process, which should be a child.

    Exit code 0 is done; 1 must come with exactly one line on the error stream that begins with
    the command's name; 2 is bad usage. Anything else is a traceback.
    """
    from drivemem.cli import run_command

    # Bytes in memory: a full disk must not stop what is printed here, and what cannot be encoded
    # fails as it would on a terminal.
    shown, complained = io.BytesIO(), io.BytesIO()
    sys.stdout = io.TextIOWrapper(shown, encoding="utf-8")
    sys.stderr = io.TextIOWrapper(complained, encoding="utf-8", errors="backslashreplace")
    try:
        code: Any = run_command(words[0], list(words[1:]))
        sys.stdout.flush()
    except SystemExit as leaving:
        code = leaving.code
    except BaseException as error:
        return Ending("traceback", where(error), f"{type(error).__name__}: {error}")
    sys.stdout.flush()
    sys.stderr.flush()
    return _judged(words[0], code, _text(shown), _text(complained))


def _judged(name: str, code: Any, shown: str, complained: str) -> Ending:
    if "Traceback (most recent call last)" in shown + complained:
        last = complained.strip().splitlines()[-1:] or shown.strip().splitlines()[-1:]
        return Ending("traceback", f"traceback shown: {last[0][:80]}", shown + complained)
    if code in (0, None):
        return Ending("done", text=shown + complained, value=0)
    if code == 2:
        return Ending("usage", text=complained)
    lines = [line for line in complained.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(f"drivemem {name}: ")]
    if code == 1 and len(errors) == 1 and errors[0] is lines[-1] and is_one_line(errors[0]):
        return Ending("refused", text=errors[0])
    if code == 1 and not errors:  # a study whose runs failed says so among what it prints
        return Ending("refused" if shown.strip() else "traceback", "exit 1 unexplained", shown)
    kind = f"no single line of error (exit {code})"
    return Ending("traceback", kind, complained)


def where(error: BaseException) -> str:
    """An exception's class and the place in our own code that it came through last."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(ROOT) and "tests" not in path.relative_to(ROOT).parts:
            place = f" in {path.relative_to(ROOT).as_posix()} {frame.name}"
    return f"{type(error).__name__}{place}"


def is_one_line(message: str) -> bool:
    """Whether a message is one line that says something (the first line of pydantic's does not)."""
    said = message.strip()
    return bool(said) and "\n" not in said and not _EMPTY.search(said)


@cache
def warm() -> None:
    """Load what children need once: libraries, and the kernels through a run of a few steps."""
    import torch

    torch.set_num_threads(1)
    import drivemem
    from drivemem import cli

    for name in cli.COMMANDS:
        __import__(f"drivemem.commands.{name}")
    with tempfile.TemporaryDirectory() as folder, _silence():
        config = drivemem.TrainConfig(
            scenario="exit-recall", steps=1, num_envs=2, n_steps=4, batch_size=8, num_workers=1
        )
        run = drivemem.train(config, Path(folder) / "warm", quiet=True)
        drivemem.evaluate(run.folder, episodes=2, record=1, num_workers=1, quiet=True)
        drivemem.replay(run.folder)


@contextlib.contextmanager
def _silence() -> Any:
    with (
        open(os.devnull, "w") as nothing,
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        yield


def _in_child(
    work: Callable[[], Any], writing: int, memory: int | None = None, library: bool = False
) -> None:
    """Never returns: does the work, writes its ending, leaves without any clean-up of tests."""
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        sys.stdout = sys.stderr = os.fdopen(1, "w", closefd=False)
        if memory is not None:
            most = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (most + memory,) * 2)
        ending = _ending(work, library)
        with open(writing, "wb") as pipe:
            pipe.write(pickle.dumps(ending))
        status = 0
    finally:
        os._exit(status)


def _ending(work: Callable[[], Any], library: bool) -> Ending:
    try:
        value = work()
    except BaseException as error:
        if not _is_refusal(error, library):
            return Ending("traceback", where(error), f"{type(error).__name__}: {error}")
        if is_one_line(str(error)):
            return Ending("refused", text=str(error))
        return Ending("traceback", f"{where(error)}, not one line", str(error))
    return value if isinstance(value, Ending) else Ending("done", value=value)


def _is_refusal(error: BaseException, library: bool) -> bool:
    """Whether an error was meant for people: ours, not one of Python's that has the same base."""
    from drivemem import DrivememError

    own = type(error).__module__.startswith(("drivemem", "pydantic"))
    return isinstance(error, DrivememError) or (library and (type(error) is ValueError or own))


def _outcome(child: int, reading: int, until: float) -> Ending:
    parts = []
    while True:
        ready, _, _ = select.select([reading], [], [], max(until - time.monotonic(), 0.0))
        if not ready:
            end(child)
            return Ending("hung", "did not end in time")
        part = os.read(reading, 1 << 16)
        if not part:
            break
        parts.append(part)
    status = end(child)  # also ends what the child has started and left
    if parts:
        ending: Ending = pickle.loads(b"".join(parts))
        return ending
    code = os.waitstatus_to_exitcode(status)
    name = signal.Signals(-code).name if code < 0 else f"exit {code}"
    return Ending("died", f"process ended by {name}")


def _text(printed: io.BytesIO) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.getvalue().decode("utf-8", "replace"))
