"""Seeds of episodes from one number, the same for both backends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from drivemem_envs._jit import jit

WORD = 0xFFFFFFFF
"""Largest number of 32 bits."""


class EpisodeSeeds(Protocol):
    """The seed of every episode, as a function without state (so nothing need be saved)."""

    def __call__(self, world: int, episode: int) -> int:
        """Seed of world `world`'s episode number `episode` (from 0)."""
        ...


@jit
def hash_word(value: int, constant: int, multiplier: int) -> tuple[int, int]:
    """`hashmix` of NumPy's SeedSequence: the mixed word and the next constant."""
    value = (value ^ constant) & WORD
    constant = (constant * multiplier) & WORD
    value = (value * constant) & WORD
    return value ^ (value >> 16), constant


@jit
def pool_of(words: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """`SeedSequence.pool` for entropy of up to four words, filled up with zeros."""
    a, constant = hash_word(words[0], 0x43B0D7E5, 0x931E8875)
    b, constant = hash_word(words[1], constant, 0x931E8875)
    c, constant = hash_word(words[2], constant, 0x931E8875)
    d, constant = hash_word(words[3], constant, 0x931E8875)
    pool = (a, b, c, d)
    for source in range(4):
        for target in range(4):
            if source == target:
                continue
            mixed, constant = hash_word(pool[source], constant, 0x931E8875)
            value = (pool[target] * 0xCA01F9DD) & WORD
            value = (value - ((mixed * 0x4973F715) & WORD)) & WORD
            value ^= value >> 16
            pool = (
                value if target == 0 else pool[0],
                value if target == 1 else pool[1],
                value if target == 2 else pool[2],
                value if target == 3 else pool[3],
            )
    return pool


@jit
def first_words(words: tuple[int, int, int, int]) -> tuple[int, int]:
    """`SeedSequence(words).generate_state(2)`."""
    pool = pool_of(words)
    first, constant = hash_word(pool[0], 0x8B51F9DD, 0x58F38DED)
    return first, hash_word(pool[1], constant, 0x58F38DED)[0]


def seed_words(*entropy: int) -> tuple[int, int]:
    """`np.random.SeedSequence(entropy).generate_state(2)`, ten times as fast.

    Every episode that ends asks for a seed, so that this weighs beside compiled worlds.

    Args:
        entropy: numbers >= 0; more than four, or more than 32 bits, take NumPy's time.

    Returns:
        Two numbers of 32 bits.
    """
    if len(entropy) <= 4 and min(entropy) >= 0 and max(entropy) <= WORD:
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
