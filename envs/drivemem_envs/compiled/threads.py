"""Kernels on several threads: each thread does its share of the worlds, without Python's lock.

Plain threads, not numba's parallel loops: those take twice as long to compile, and the libraries
behind them abort in processes that were forked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of a process; a forked child has none of its parent's, so it gets its own."""
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="drivemem")


def share(kernel: Callable[..., Any], threads: int, *arguments: Any) -> None:
    """Call `kernel(*arguments, thread, threads)` for every thread and wait for all.

    Args:
        kernel: a compiled function that takes the worlds thread, thread + threads, …
        threads: how many share the work; the first is the calling one.
        arguments: what it takes.
    """
    if threads == 1:
        kernel(*arguments, 0, 1)
        return
    pool = _pool(os.getpid())
    others = [pool.submit(kernel, *arguments, thread, threads) for thread in range(1, threads)]
    try:
        kernel(*arguments, 0, threads)
    finally:
        for other in others:
            other.result()
