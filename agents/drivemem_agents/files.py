"""Writing files and folders so that a reader never meets half of one, and reading them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_PROCESS = secrets.token_hex(4)
"""Tells this process from an earlier one of the same number."""
_LEFT = re.compile(
    r"\.(?P<name>.+)-(?P<host>\w{8})-(?P<pid>\d+)-(?P<process>\w{8})-\w{8}\.(tmp|old)"
)
"""Names of what is being written, or of the folder that a new one takes the place of."""


@contextmanager
def atomic_folder(folder: Path, own: Sequence[str] = ()) -> Iterator[Path]:
    """A temporary folder that takes the place of `folder` when the block ends without an error.

    Args:
        folder: made, or replaced where the first of `own` shows that it is of the same kind; what
            else is in it stays there.
        own: names of the files that the block may write.

    Raises:
        FileExistsError: what is there is something else; it is left as it is.
        OSError: the parent cannot be written.
    """
    folder = Path(os.path.realpath(folder))  # a link stays a link
    check_replaceable(folder, own)
    folder.parent.mkdir(parents=True, exist_ok=True)
    clear_leavings(folder.parent)
    temporary = _beside(folder, "tmp")
    temporary.mkdir()
    try:
        yield temporary
        check_replaceable(folder, own)  # again: that was a while ago
        if _others(folder, own):
            for name in own:
                _replace_file(folder / name, temporary / name)
        else:
            _replace_folder(folder, temporary, own)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of `path` when the block ends without an error.

    What earlier writers to the folder have left there, because they were killed, is removed.

    Args:
        path: of the file; its folder is made.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_leavings(path.parent)
    temporary = _beside(path, "tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def clear_leavings(folder: Path) -> None:
    """Remove what writers that were killed have left in a folder.

    What a process that still runs is writing stays, as does whatever another machine or another
    program has put there. A folder that was moved away for a new one that never came is put back.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            left = _LEFT.fullmatch(path.name)
            if left is None or not _is_dead(left):
                continue
            if path.suffix == ".old" and not os.path.lexists(folder / left["name"]):
                os.replace(path, folder / left["name"])
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def is_running(pid: int) -> bool:
    """Whether a process of this machine may still be there."""
    if os.name != "posix":  # elsewhere a signal, even none, may end it
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _beside(path: Path, kind: str) -> Path:
    """A new name in the same folder that says which process uses it."""
    name = f".{path.name}-{_HOST}-{os.getpid()}-{_PROCESS}-{secrets.token_hex(4)}.{kind}"
    return path.with_name(name)


def _is_dead(left: re.Match[str]) -> bool:
    """Whether the process that a name tells of has ended."""
    if left["host"] != _HOST:
        return False
    pid = int(left["pid"])
    if pid == os.getpid():
        return left["process"] != _PROCESS
    return not is_running(pid)


def agent_folder(path: Any) -> Path:
    """The folder that an agent's path means; SB3's callbacks add `.zip`, which is dropped.

    Raises:
        ValueError: no path, such as an open file.
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(
            f"the path is a {type(path).__name__}: give that of a folder, for an agent is a folder "
            "of plain files"
        )
    return Path(os.fspath(path).removesuffix(".zip"))


def check_replaceable(folder: Path, own: Sequence[str]) -> None:
    """Refuse a place where `atomic_folder` would have to replace what is not its own.

    Raises:
        FileExistsError: a file, or a folder that holds something, but not the first of `own`.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise FileExistsError(
            errno.EEXIST, f"{folder} is a file, not a folder: choose another name", str(folder)
        )
    held = _others(folder, ())
    if held and not (own and (folder / own[0]).is_file()):
        named = ", ".join(held[:3]) + (f" and {len(held) - 3} more" if held[3:] else "")
        raise FileExistsError(
            errno.EEXIST,
            f"{folder} holds {named}: nothing there is replaced; choose another folder",
            str(folder),
        )


def _others(folder: Path, own: Sequence[str]) -> list[str]:
    """Names of what a folder holds besides files of its owner, sorted."""
    if not folder.is_dir():
        return []
    return sorted(
        path.name for path in folder.iterdir() if path.name not in own or not path.is_file()
    )


def _replace_file(file: Path, new: Path) -> None:
    """Put a file in the place of another; without the new one, the old one goes."""
    if new.exists():
        os.replace(new, file)
    elif file.is_file():
        file.unlink()


def _replace_folder(folder: Path, new: Path, own: Sequence[str]) -> None:
    """Put a folder in the place of one that holds nothing but its owner's files, if any."""
    if not folder.is_dir():
        os.replace(new, folder)
        return
    # A folder cannot be replaced in one call: move the old one away.
    old = _beside(folder, "old")
    os.replace(folder, old)
    try:
        os.replace(new, folder)
    except BaseException:
        os.replace(old, folder)
        raise
    for name in _others(old, own):  # what came in between stays
        os.replace(old / name, folder / name)
    shutil.rmtree(old, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write canonical JSON (sorted keys), atomically."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: unreadable, truncated or no object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is unreadable or truncated: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{path} is unreadable: nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object")
    return value
