"""The one decorator of all kernels: compiled by numba, cached under a hash of every kernel source.

Nothing compiles on import. With NUMBA_DISABLE_JIT=1 the same functions run as plain Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast, overload

import numba
import numpy as np
from numpy.typing import NDArray

from drivemem_envs._kernel_cache import KernelCache, private_folder
from drivemem_envs._kernel_compiler import PartCompiler, WholeCompiler

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_KEPT, _UNUSED_S = 4, 86_400.0
"""Compiled kernels of so many source states are kept, and all that were used within a day."""

_PACKAGE = Path(__file__).parent
_USES = re.compile(rb"drivemem_envs\._jit import (?:\([^)]*|[^\n]*)\bjit\b")
_FROM = re.compile(
    r"^[ \t]*(?:from|import)[ \t]+drivemem_envs\.([\w.]+)(?:[ \t]+import[ \t]+(\([^)]*\)|[^\n]*))?",
    re.MULTILINE,
)


@overload
def jit(kernel: Kernel) -> Kernel: ...
@overload
def jit(*, inline: str = "never", allocates: bool = False) -> Callable[[Kernel], Kernel]: ...
def jit(
    kernel: Kernel | None = None, *, inline: str = "never", allocates: bool = False
) -> Kernel | Callable[[Kernel], Kernel]:
    """Compile a kernel on its first call.

    Floating point stays IEEE exact (no fastmath, no contraction) because both backends must agree
    to the last bit. Division by zero gives inf or nan instead of raising, so that kernels have no
    exceptions inside and the same source also compiles for CUDA; plain Python raises, so guard.

    Args:
        kernel: the function, when used without parentheses.
        inline: numba's `inline` option. "never" leaves it to LLVM; "always" saves translating a
            level of calls.
        allocates: it makes arrays. The others only write what they are given: nobody counts
            references to arrays in them, which took most of their time (each view of an array
            made two atomic additions to a number that all threads share).

    Returns:
        The compiled function; its plain Python form is its attribute `py_func`.
    """
    if kernel is None:
        return lambda function: _compile(function, inline, allocates)
    return _compile(kernel, inline, allocates)


def _compile(kernel: Kernel, inline: str, allocates: bool) -> Kernel:
    folder = cache_folder()
    options: dict[str, Any] = {
        "no_cfunc_wrapper": True,
        "inline": inline,
        "nogil": True,
        "error_model": "numpy",
        "_nrt": allocates,
    }
    # numba reads its CACHE_DIR when the dispatcher is made; pointing it at our folder for that
    # moment keeps the setting of other packages as it is.
    previous = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder) if folder else previous
    try:
        compiled = numba.njit(
            kernel, cache=folder is not None, pipeline_class=WholeCompiler, **options
        )
        if folder is not None and compiled is not kernel:
            compiled._cache = KernelCache(kernel)
    finally:
        numba.config.CACHE_DIR = previous
    if compiled is kernel:  # NUMBA_DISABLE_JIT=1
        vars(compiled)["py_func"] = kernel
        return kernel
    # Python calls `compiled`; kernels that call it are given what has no way in from Python.
    part = numba.njit(kernel, no_cpython_wrapper=True, pipeline_class=PartCompiler, **options)
    compiled.get_call_template = part.get_call_template
    compiled.get_overload = part.get_overload
    return cast(Kernel, compiled)


def named(kernel: Kernel, name: str) -> Kernel:
    """Name a function that a function makes, before it is compiled.

    Kernels are told apart by the names of their modules and functions, in the cache and in
    machine code: two of one name and different insides would be taken for each other.

    Args:
        kernel: the function.
        name: that no other kernel of its module has.
    """
    kernel.__name__ = kernel.__qualname__ = name
    return kernel


def is_cached(kernel: Callable[..., Any]) -> bool:
    """Whether a kernel was compiled before, for whatever arguments, and kept."""
    kept = getattr(kernel, "_cache", None)
    return isinstance(kept, KernelCache) and kept.has_entry()


@cache
def cache_folder() -> Path | None:
    """Where compiled kernels are kept between processes.

    Below NUMBA_CACHE_DIR when that is set, else below the user's cache folder (XDG_CACHE_HOME,
    LOCALAPPDATA or ~/.cache), never inside the installation. numba's own cache notices a change
    of a kernel's file but not of the functions it calls in other files, hence a folder for each
    state of the sources.

    Returns:
        The folder, made if need be; None where it cannot be written, or where others could plant
        code in it (that is said): then nothing is cached.
    """
    own = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        base = Path(os.environ.get("NUMBA_CACHE_DIR") or own or Path.home() / ".cache")
        name = f"kernels-{source_hash()[:16]}"
        is_new = not (base / "drivemem" / name).exists()
        folder, danger = private_folder(base, "drivemem", name)
        if danger is not None:
            warnings.warn(
                f"compiled kernels are not kept, for {danger} and could plant code in the cache: "
                "every process compiles them again (half a minute); set NUMBA_CACHE_DIR to a "
                "folder that only you can write",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
        tempfile.TemporaryFile(dir=folder).close()
        os.utime(folder)
        if is_new:
            _prune(folder.parent)
    except (OSError, RuntimeError):  # unwritable; RuntimeError: no home folder
        return None
    return folder


def _prune(base: Path) -> None:
    """Drop kernels of source states that nobody has used for a while; see `_KEPT`, `_UNUSED_S`."""
    used = {folder: folder.stat().st_mtime for folder in base.glob("kernels-*")}
    for folder in sorted(used, key=lambda each: used[each], reverse=True)[_KEPT:]:
        if time.time() - used[folder] > _UNUSED_S:
            shutil.rmtree(folder, ignore_errors=True)


@cache
def source_hash() -> str:
    """Hash of every file that a kernel's machine code can depend on.

    Those are the files of this package that use the decorator and, transitively, the files of the
    package that they import (for their constants).

    Returns:
        SHA-256, hexadecimal.
    """
    texts = {path: path.read_bytes() for path in sorted(_PACKAGE.rglob("*.py"))}
    pending = [path for path, text in texts.items() if _USES.search(text)]
    sources = {Path(__file__)}
    while pending:
        path = pending.pop()
        if path not in sources and path in texts:
            sources.add(path)
            pending += _imported(texts[path])
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + texts[path] + b"\0")
    return digest.hexdigest()


def _imported(text: bytes) -> list[Path]:
    """Files of this package that a module may import; some of them may not exist."""
    found = []
    for module, names in _FROM.findall(text.decode()):
        # What is imported from a package may be a module of it.
        for name in (module, *(f"{module}.{each}" for each in re.findall(r"(\w+)", names))):
            place = _PACKAGE.joinpath(*name.split("."))
            found += [place.with_suffix(".py"), place / "__init__.py"]
    return found
