"""One training at a time in a run's folder: the system's lock, and a note of who holds it.

The lock ends with its process, however that ends, so that a killed run is never barred.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from drivemem.errors import DrivememError
from drivemem.runs import saving
from drivemem_agents.files import is_running

LOCK = "training.lock"


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a run's folder for training; where the system has no locks, nothing is held.

    Args:
        folder: of the run; made if it is missing, and taken away again if nothing came into it.

    Raises:
        DrivememError: another process trains there, or the folder cannot be written.
    """
    path = folder / LOCK
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    file = _open_locked(path)
    try:
        note = {"pid": os.getpid(), "host": platform.node(), "since": _now()}
        with saving(path):
            file.seek(0)
            file.truncate()
            file.write(json.dumps(note) + "\n")
            file.flush()
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # before it is let go: another finds that the file it opened is gone
            for one in made:
                one.rmdir()
        with contextlib.suppress(OSError):
            file.close()


def _open_locked(path: Path) -> IO[str]:
    """The lock's file, locked, and still the one that the path names."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
        except OSError as error:
            why = error.strerror or error
            raise DrivememError(
                f"cannot write {path}: {why}; choose another folder with --out"
            ) from error
        if not _lock(file):
            owner = _owner(file)
            file.close()
            if not _is_gone(owner):
                raise DrivememError(_in_use(path, owner))
            with contextlib.suppress(OSError):
                path.unlink()  # a child of the process that was killed still has it open
            continue
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()


def _lock(file: IO[str]) -> bool:
    """Whether the file could be locked; a system or file system without locks refuses nobody."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _owner(file: IO[str]) -> dict[str, Any]:
    """What the holder has written of itself; empty if it has not come to that."""
    file.seek(0)
    with contextlib.suppress(ValueError):
        note = json.loads(file.read())
        if isinstance(note, dict):
            return note
    return {}


def _is_gone(owner: dict[str, Any]) -> bool:
    """Whether the process that took the lock is known to have ended."""
    pid = owner.get("pid")
    if owner.get("host") != platform.node() or not isinstance(pid, int):
        return False
    return not is_running(pid)


def _in_use(path: Path, owner: dict[str, Any]) -> str:
    who = "another process"
    if owner:
        who = f"process {owner.get('pid')} on {owner.get('host')} since {owner.get('since')}"
    return f"{path.parent} is being trained by {who}: wait for it, or choose another --out"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
