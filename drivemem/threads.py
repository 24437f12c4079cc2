"""PyTorch's threads: one for small networks, unless the user says otherwise."""

from __future__ import annotations

import os


def limit_threads() -> None:
    """Use one thread: more only wait for each other on networks of this size, and for the worlds.

    OMP_NUM_THREADS, when set, is left in charge.
    """
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
