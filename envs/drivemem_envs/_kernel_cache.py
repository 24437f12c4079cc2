"""Where compiled kernels are kept between processes: a folder that nobody else can plant code in.

numba unpickles what it finds in its cache, which runs whatever somebody put there, and gives up
for ever at a file that was cut short.
"""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache


class KernelCache(FunctionCache):  # type: ignore[misc]
    """numba's cache of one kernel, in which a damaged entry is dropped and compiled again."""

    def has_entry(self) -> bool:
        """Whether anything is kept for this kernel."""
        return Path(self._cache_file._index_path).exists()

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        """What tells compiled forms of one kernel apart.

        Without the kernels that a kernel was made from by a function: its name says which, and
        numba's hash of them differs from process to process.
        """
        return sig, codegen.magic_tuple()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel for a signature; None where there is none, or a damaged one."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # whatever unpickling damaged bytes may raise
            self._drop(error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel; where that fails it is compiled again next time."""
        try:
            super().save_overload(sig, data)
        except Exception as error:
            self._drop(error)

    def _drop(self, error: Exception) -> None:
        """Say once what is wrong, and empty the entry; if that fails too, do without a cache."""
        warnings.warn(
            f"the kernel cache's entry for {self._py_func.__name__} in {self.cache_path} cannot be "
            f"used ({type(error).__name__}: {error}); it is dropped and compiled again",
            RuntimeWarning,
            stacklevel=2,
        )
        try:
            self.flush()
        except OSError:
            self.disable()


def private_folder(base: Path, *parts: str) -> tuple[Path, str | None]:
    """Make a folder that only this user can write, below one whose path nobody else can change.

    Args:
        base: where to make it; made itself if need be.
        parts: names of the folders below it, each made readable and writable for the user alone.

    Returns:
        The folder, and why it must not be used; None: it may be.

    Raises:
        OSError: it cannot be made or written.
    """
    folder = base.joinpath(*parts)
    base.mkdir(parents=True, exist_ok=True)
    made = base
    for part in parts:
        made = made / part
        made.mkdir(mode=0o700, exist_ok=True)
    if not hasattr(os, "geteuid"):  # Windows keeps a user's folders from others by itself
        return folder, None
    path = folder.absolute()
    for each in dict.fromkeys([path, *path.parents, path.resolve(), *path.resolve().parents]):
        reason = _open_to_others(each, is_own=each in (path, path.resolve()))
        if reason is not None:
            return folder, reason
    return folder, None


def _open_to_others(folder: Path, is_own: bool) -> str | None:
    """Why others could replace what lies in a folder; None: they cannot."""
    facts = folder.lstat()
    owners = {os.geteuid()} if is_own else {os.geteuid(), 0}
    if facts.st_uid not in owners:
        return f"{folder} belongs to {_user(facts.st_uid)}"
    if stat.S_ISLNK(facts.st_mode):  # its own bits say nothing; what it leads to is looked at too
        return None
    sticky = not is_own and bool(facts.st_mode & stat.S_ISVTX)  # there only owners can rename
    if facts.st_mode & stat.S_IWOTH and not sticky:
        return f"everybody can write to {folder}"
    if facts.st_mode & stat.S_IWGRP and not sticky and not _is_users_own_group(facts.st_gid):
        return f"group {facts.st_gid} can write to {folder}"
    return None


def _user(number: int) -> str:
    import pwd  # there is none on Windows, where nobody asks

    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"


def _is_users_own_group(number: int) -> bool:
    """Whether a group holds nobody but this user, as many systems make one for each user."""
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(number), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    alone = set(group.gr_mem) <= {user.pw_name}
    return alone and (number == 0 or group.gr_name == user.pw_name)
