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

from numpy.typing import NDArray

from drivemem_envs.cores import usable_cores

APART = 16
"""Rows from one thread's working memory to the next one's. Processors pass memory to each other
in lines of 64 bytes, often two at once: threads that write to one line wait for each other, and a
row of the smallest arrays has 8 bytes."""


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of a process; a forked child has none of its parent's, so it gets its own."""
    return ThreadPoolExecutor(max_workers=usable_cores(), thread_name_prefix="drivemem")


def scratch_rows(threads: int) -> int:
    """Rows of an array of working memory that this many threads write to."""
    return threads * APART


def threads_of(memory: NDArray[Any]) -> int:
    """How many threads an array of working memory was made for."""
    return len(memory) // APART


def parallel_for(kernel: Callable[..., Any], threads: int, count: int, *arguments: Any) -> None:
    """Call `kernel(*arguments, scratch_row, first, last)` for every thread and wait for all.

    Args:
        kernel: a compiled function that works on the worlds first, …, last - 1, in that row
            (scratch_row) of its working memory.
        threads: T, how many share the work; the first is the calling one.
        count: of worlds. Neighbours belong to one thread, as their results share cache lines.
        arguments: what it takes.
    """
    threads = max(min(threads, count), 1)
    shares = [
        (thread * APART, count * thread // threads, count * (thread + 1) // threads)
        for thread in range(threads)
    ]
    if threads == 1:
        kernel(*arguments, *shares[0])
        return
    pool = _pool(os.getpid())
    others = [pool.submit(kernel, *arguments, *each) for each in shares[1:]]
    try:
        kernel(*arguments, *shares[0])
    finally:
        for other in others:
            other.result()
