"""Seeds of episodes from one number, the same for both backends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drivemem_envs.making import EpisodeSeeds


def spaced_seeds(base: int | None) -> EpisodeSeeds:
    """Seeds of all episodes from one number (NumPy's SeedSequence keeps them independent).

    Args:
        base: the number; None: fresh entropy.
    """
    root = int(np.random.SeedSequence().entropy % 2**63) if base is None else base  # type: ignore[operator]

    def seed(world: int, episode: int) -> int:
        return int(np.random.SeedSequence([root, world, episode]).generate_state(1)[0])

    return seed


def first_seeds(
    seed: int | Sequence[int] | None, worlds: int
) -> tuple[list[int] | None, int | None]:
    """What `reset(seed=...)` of a vector environment means.

    Args:
        seed: one number for all, one for each world (of its first episode), or None.
        worlds: N.

    Returns:
        The seeds of the first episodes if each was given, and the number for `spaced_seeds`.

    Raises:
        ValueError: another number of seeds than of worlds.
    """
    if seed is None or isinstance(seed, int | np.integer):
        return None, None if seed is None else int(seed)
    first = [int(value) for value in seed]
    if len(first) != worlds:
        raise ValueError(f"{len(first)} seeds for {worlds} worlds")
    return first, first[0]
