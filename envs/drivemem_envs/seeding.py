"""Seeds of episodes from one number, the same for both backends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drivemem_envs.compiled.random import first_words
from drivemem_envs.making import EpisodeSeeds

_WORD = 0xFFFFFFFF


def seed_words(*entropy: int) -> tuple[int, int]:
    """`np.random.SeedSequence(entropy).generate_state(2)`, ten times as fast.

    Every episode that ends asks for a seed, so that this weighs beside compiled worlds.

    Args:
        entropy: numbers >= 0; more than four, or more than 32 bits, take NumPy's time.

    Returns:
        Two numbers of 32 bits.
    """
    if len(entropy) <= 4 and min(entropy) >= 0 and max(entropy) <= _WORD:
        a, b, c, d = (*entropy, 0, 0, 0, 0)[:4]
        return first_words((int(a), int(b), int(c), int(d)))
    first, second = np.random.SeedSequence(entropy).generate_state(2)
    return int(first), int(second)


def spaced_seeds(base: int | None) -> EpisodeSeeds:
    """Seeds of all episodes from one number (NumPy's SeedSequence keeps them independent).

    Args:
        base: the number; None: fresh entropy.
    """
    root = int(np.random.SeedSequence().entropy % 2**63) if base is None else base  # type: ignore[operator]

    def seed(world: int, episode: int) -> int:
        return seed_words(root, world, episode)[0]

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
