"""PyTorch's threads while the product drives, trains and probes."""

from __future__ import annotations


def limit_threads() -> None:
    """Use as many threads as help from here on: see `helpful_threads`."""
    import torch

    from drivemem_agents.threads import helpful_threads

    torch.set_num_threads(helpful_threads())
