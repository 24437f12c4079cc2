"""Worlds shared by threads: every world belongs to one, and no two write to the same memory."""

from __future__ import annotations

import numpy as np
import pytest

from drivemem_envs.compiled.parallel_for import APART, parallel_for, scratch_rows, threads_of


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 64])
def test_every_world_is_one_threads_work(threads, count):
    calls = []

    def kernel(name, scratch_row, first, last):
        calls.append((scratch_row, range(first, last)))

    parallel_for(kernel, threads, count, "name")
    assert len(calls) <= threads
    assert sorted(world for _, worlds in calls for world in worlds) == list(range(count))
    assert len({room for room, _ in calls}) == len(calls)
    assert all(
        scratch_row % APART == 0 and scratch_row < scratch_rows(threads) for scratch_row, _ in calls
    )


def test_rows_of_threads_share_no_cache_line():
    memory = np.zeros((scratch_rows(2), 1))
    assert threads_of(memory) == 2
    assert APART * memory.strides[0] >= 128


def test_an_error_in_another_thread_reaches_the_caller():
    def kernel(scratch_row, first, last):
        if scratch_row:
            raise RuntimeError("there")

    with pytest.raises(RuntimeError, match="there"):
        parallel_for(kernel, 2, 4)
