"""Writing files and folders so that a reader never meets half of one, and reading them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


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
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        check_replaceable(folder, own)  # again: that was a while ago
        if _others(folder, own):
            for name in own:
                _replace_file(folder / name, temporary / name)
        else:
            _replace_folder(folder, temporary, own)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
    away = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    old = away / folder.name
    os.replace(folder, old)
    try:
        os.replace(new, folder)
    except BaseException:
        os.replace(old, folder)
        away.rmdir()
        raise
    for name in own:  # by name: what came in between stays
        (old / name).unlink(missing_ok=True)
    with suppress(OSError):
        old.rmdir()
        away.rmdir()


def write_json(path: Path, value: Any) -> None:
    """Write canonical JSON (sorted keys), atomically."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
