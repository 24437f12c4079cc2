"""PyTorch's threads: one for small networks, unless somebody says otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

import torch

Method = TypeVar("Method", bound=Callable[..., Any])


def helpful_threads() -> int:
    """How many threads help networks of the size of ours: one.

    More only wait for each other below some 256 units, and for the threads of the worlds: an
    update took 2.3 times as long with two on a busy machine. OMP_NUM_THREADS, when set, is left in
    charge.

    Returns:
        One, or what PyTorch has where OMP_NUM_THREADS is set.
    """
    return torch.get_num_threads() if "OMP_NUM_THREADS" in os.environ else 1


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Give PyTorch so many threads for a while.

    Args:
        count: None: `helpful_threads`.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(helpful_threads() if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def on_own_threads(method: Method) -> Method:
    """A method that runs on its object's `torch_threads`."""

    @wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        with threads(self.torch_threads):
            return method(self, *args, **kwargs)

    return cast(Method, run)
