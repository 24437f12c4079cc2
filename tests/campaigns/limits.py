"""Part 4: what a machine may lack: room on the disk, a home folder, a cache, a clock that is right.

Every writer meets a full disk: either the file is too large for the limit on sizes of files that
the process has, or (where this user may mount one) a small file system is full.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.campaigns.apart import Ending, apart, run_here
from tests.campaigns.figures import REFUSED, RIGHT, Tally
from tests.campaigns.files import Reader, evaluate, report, resume
from tests.campaigns.project import EPISODES, kept_folder, make, train
from tests.campaigns.signals import run_files, tables

Job = tuple[Callable[[Path], Any], Callable[[Path], Any]]
"""A command, and the result of its finished folder."""


def _train_result(root: Path) -> Any:
    return run_files(root / "new")


def _evaluate(root: Path) -> Ending:
    return run_here("evaluate", str(root / "none"), *EPISODES, "--record", "4", "--again")


JOBS: dict[str, Job] = {
    "train": (lambda root: train(root / "new", resume=True), _train_result),
    "evaluate --record": (_evaluate, lambda root: tables(root / "none")),
    "replay": (
        lambda root: run_here("replay", str(root / "gru"), "--page", str(root / "page.html")),
        lambda root: (root / "page.html").stat().st_size,
    ),
    "replay --video": (
        lambda root: run_here("replay", str(root / "gru"), "--video", str(root / "drive.gif")),
        lambda root: (root / "drive.gif").stat().st_size,
    ),
    "compare --report": (
        lambda root: run_here("compare", str(root), "--report", str(root / "report")),
        lambda root: (root / "report/table.csv").read_text(),
    ),
}
"""Commands that write."""


# ---- full disk -----------------------------------------------------------------------------


def file_size(name: str, most: int | None = None) -> Tally:
    """Let no file of a command grow beyond a size; then lift the limit and run it again.

    Args:
        name: of `JOBS`.
        most: how many sizes; None: half of the size of every file that the command writes.
    """
    tally = Tally("limits", f"disk full (size of files): {name}")
    work, result = JOBS[name]
    with project() as whole:
        before = {path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()}
        ending = apart(partial(_finish, work, result, whole), 120.0)
        if ending.how != "done":
            raise RuntimeError(f"{name} fails undisturbed: {ending}")
        written = [path for path in whole.rglob("*") if path.is_file()]
        new = [path for path in written if path.stat().st_mtime_ns != before.get(path)]
        sizes = sorted({path.stat().st_size // 2 for path in new} | {0})
    for size in sizes if most is None else sizes[:: max(len(sizes) // most, 1)][:most]:
        with project() as root:
            first = apart(partial(_limited, work, root, size), 120.0)
            _judge(tally, name, f"files of at most {size} bytes", first, root, ending.value)
    return tally


def full_disk(name: str, most: int | None = None) -> Tally:
    """Run a command on a file system with so many pages left; then make room and go on."""
    tally = Tally("limits", f"disk full (file system): {name}")
    work, result = JOBS[name]
    with project() as whole:
        ending = apart(partial(_finish, work, result, whole), 120.0)
    pages = (0, 1, 2, 4, 8, 16, 24, 32, 48, 64, 96)
    for left in pages if most is None else pages[1 : 1 + most]:
        with _small_disk() as disk, project(disk) as root:
            filler = disk / "filler"
            _fill(filler, left)
            first = apart(partial(_limited, work, root, None), 120.0)
            filler.unlink(missing_ok=True)
            _judge(tally, name, f"{left} pages left", first, root, ending.value)
    return tally


def can_mount() -> bool:
    """Whether this user may mount a small file system."""
    try:
        with _small_disk():
            return True
    except OSError:
        return False


@contextlib.contextmanager
def _small_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]
        try:
            subprocess.run(words, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise OSError(f"cannot mount: {error}") from error
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True, capture_output=True)


def _fill(filler: Path, left: int) -> None:
    """Fill a file system but for so many pages of 4096 bytes."""
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass
    size = filler.stat().st_size - 4096 * left
    os.truncate(filler, max(size, 0))


def _limited(work: Callable[[Path], Any], root: Path, size: int | None) -> Any:
    if size is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    os.chdir(root)
    return work(root)


def _judge(tally: Tally, name: str, what: str, first: Ending, root: Path, expected: Any) -> None:
    given = f"{name}, {what}"
    if first.how not in ("done", "refused", "usage"):
        tally.add_fault(f"{first.how}: {first.kind}", given, first.text)
        return
    again = apart(partial(_finish, *JOBS[name], root), 120.0)
    if again.how != "done":
        tally.add_fault(f"with room again: {again.how}: {again.kind}", given, again.text)
    elif again.value != expected:
        tally.add_fault("with room again: another result", given, str(again.value))
    else:
        tally.add(RIGHT if first.how == "done" else REFUSED)


def _finish(work: Callable[[Path], Any], result: Callable[[Path], Any], root: Path) -> Any:
    ending = work(root)
    if isinstance(ending, Ending) and ending.how != "done":
        return ending
    return result(root)


_MADE: list[Path] = []


@contextlib.contextmanager
def project(at: Path | None = None) -> Iterator[Path]:
    """A copy of the project that `make` makes, in a folder or a temporary one."""
    if not _MADE:
        folder = kept_folder()
        make(folder)
        _MADE.append(folder)
    with tempfile.TemporaryDirectory(dir=at) as folder:
        root = Path(folder) / "project"
        shutil.copytree(_MADE[0], root)
        yield root


# ---- homes and caches ----------------------------------------------------------------------


def homes(only: Sequence[str] | None = None) -> Tally:
    """Commands without a home folder, with caches that cannot be used, are damaged, or planted.

    Args:
        only: names of cases; None: all of them, the last two of which compile all kernels.
    """
    tally = Tally("limits", "homes and caches")
    cache = os.environ.get("NUMBA_CACHE_DIR") or _user_cache()
    cases: dict[str, dict[str, str | None]] = {
        "no home": {"HOME": "/nonexistent", "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": cache},
        "HOME not set": {"HOME": None, "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": cache},
        "no matplotlib folder": {"MPLCONFIGDIR": "/proc/nowhere", "NUMBA_CACHE_DIR": cache},
        "no temporary folder": {"TMPDIR": "/nonexistent", "NUMBA_CACHE_DIR": cache},
    }
    cases["read-only cache"] = {"NUMBA_CACHE_DIR": "/proc/nowhere"}
    for name, changes in cases.items():
        if only is None or name in only:
            _fresh(tally, name, changes)
    for name, work in {"damaged cache": _damaged_cache, "planted cache": _planted_cache}.items():
        if only is None or name in only:
            with tempfile.TemporaryDirectory() as folder:
                work(tally, Path(folder), cache)
    return tally


def _user_cache() -> str:
    return os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")


def _fresh(tally: Tally, name: str, changes: dict[str, str | None]) -> None:
    """Train in an interpreter of its own with another environment."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        for key, value in changes.items():
            environment.pop(key, None)
            if value is not None:
                environment[key] = value
        words = [
            "train", "exit-recall", "--preset", "none", "--steps", "32", "--num-envs", "2",
            "--n-steps", "16", "--batch-size", "16", "--num-workers", "1", "--out", f"{folder}/run",
        ]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "drivemem", *words], env=environment, text=True, timeout=600,
            capture_output=True, cwd=folder,
        )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if line.startswith("drivemem train: ")]
    if "Traceback" in done.stderr or (done.returncode and len(lines) != 1):
        tally.add_fault(f"{name}: traceback", name, done.stderr[-600:])
    else:
        tally.add(RIGHT if done.returncode == 0 else REFUSED)


def _newest(cache: str) -> Path:
    """The kernels that are in use."""
    return max((Path(cache) / "drivemem").glob("kernels-*"), key=lambda path: path.stat().st_mtime)


def _damaged_cache(tally: Tally, folder: Path, cache: str) -> None:
    """Empty one index of compiled kernels that is read: it is compiled again."""
    newest = _newest(cache)
    shutil.copytree(newest, folder / "drivemem" / newest.name, copy_function=os.link)
    found = subprocess.run(
        [sys.executable, "-c", _INDICES], text=True, capture_output=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NUMBA_CACHE_DIR": str(folder)},
    )  # fmt: skip
    read = {Path(line) for line in found.stdout.splitlines() if line.startswith(str(folder))}
    index = min(read, key=lambda path: path.stat().st_size)
    index.unlink()  # a link: the user's own file stays as it is
    index.write_bytes(b"")
    _fresh(tally, "an empty index in the cache", {"NUMBA_CACHE_DIR": str(folder)})


_INDICES = """
import sys
sys.addaudithook(lambda event, given: event == "open" and str(given[0]).endswith(".nbi")
    and print(given[0]))
import drivemem_envs
env = drivemem_envs.make_vec("exit-recall", 2, num_workers=1)
env.reset(seed=0)
env.step(env.action_space.sample())
"""
"""Prints every index of compiled kernels that is read."""


def _planted_cache(tally: Tally, folder: Path, cache: str) -> None:
    """Indices that run code, planted in a cache that everybody can write: they must not be read."""
    newest = _newest(cache)
    shutil.copytree(newest, folder / "drivemem" / newest.name)
    mark = folder / "code ran"
    for index in folder.rglob("*.nbi"):
        index.write_bytes(pickle.dumps(Planted(str(mark))))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777)
    _fresh(tally, "a cache that everybody can write", {"NUMBA_CACHE_DIR": str(folder)})
    if mark.exists():
        tally.add_fault("a planted index ran code", "a cache that everybody can write", str(mark))


class Planted:
    """Creates a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        """What unpickling runs."""
        return open, (self.path, "w")


# ---- clocks --------------------------------------------------------------------------------

YEARS = 10 * 365 * 86_400.0


def clocks(readers: Sequence[Reader] = (resume, evaluate, report)) -> Tally:
    """The clock is set back, or every file comes from the future: results stay the same."""
    tally = Tally("limits", "clock set back")
    for reader in readers:
        with project() as root:
            expected = apart(partial(reader, root), 120.0)
        for name, change in (("years back", _set_back), ("files from the future", _from_future)):
            with project() as root:
                seen = apart(partial(_at_another_time, change, reader, root), 120.0)
            what = f"{reader.__name__}, {name}"
            if seen.how != "done":
                tally.add_fault(f"{seen.how}: {seen.kind}", what, seen.text)
            elif seen.value != expected.value:
                tally.add_fault("another result", what, str(seen.value))
            else:
                tally.add(RIGHT)
    return tally


def _at_another_time(
    change: Callable[[Path], None], reader: Callable[[Path], Any], root: Path
) -> Any:
    change(root)
    return reader(root)


def _set_back(root: Path) -> None:
    """The wall clock goes back by a step at every reading."""
    now, read = time.time(), [0]

    def back() -> float:
        read[0] += 1
        return now - YEARS - 60.0 * read[0]

    time.time = back
    real = time.gmtime
    time.gmtime = lambda seconds=None: real(back() if seconds is None else seconds)


def _from_future(root: Path) -> None:
    later = time.time() + YEARS
    for path in root.rglob("*"):
        os.utime(path, (later, later))
