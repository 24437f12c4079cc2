"""Random numbers without a stream: each is a function of what it is for.

An actor's noise is a hash of (sensor seed, decision, actor, channel), so what happens to one
actor never shifts the draws of another, and both backends draw the same.
"""

from __future__ import annotations

import math

from drivemem_envs._jit import jit

# Channels: what a number is drawn for.
DROPOUT, BLACKOUT, NOISE_POSITION, NOISE_SPEED, MISS_CLOCK, MISS_LEVEL = range(6)
CHANNELS = 8

_WORD = 0xFFFFFFFF


@jit
def _mix(a: int, b: int, turns: tuple[int, int, int, int]) -> tuple[int, int]:
    """Four rounds: add, rotate, exclusive-or."""
    for turn in turns:
        a = (a + b) & _WORD
        b = ((b << turn) & _WORD) | (b >> (32 - turn))
        b ^= a
    return a, b


@jit
def random_words(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Two random 32-bit words: Threefry-2x32 with 20 rounds.

    Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. It needs only sums,
    rotations and exclusive-ors of 32-bit words, which 64-bit signed integers hold without
    overflow; so numba's integers and Python's give the same.

    Args:
        key: two words in [0, 2**32).
        counter: two words in [0, 2**32).

    Returns:
        Two words in [0, 2**32).
    """
    k0, k1 = key
    k2 = 0x1BD11BDA ^ k0 ^ k1
    a = (counter[0] + k0) & _WORD
    b = (counter[1] + k1) & _WORD
    a, b = _mix(a, b, (13, 15, 26, 6))
    a, b = (a + k1) & _WORD, (b + k2 + 1) & _WORD
    a, b = _mix(a, b, (17, 29, 16, 24))
    a, b = (a + k2) & _WORD, (b + k0 + 2) & _WORD
    a, b = _mix(a, b, (13, 15, 26, 6))
    a, b = (a + k0) & _WORD, (b + k1 + 3) & _WORD
    a, b = _mix(a, b, (17, 29, 16, 24))
    a, b = (a + k1) & _WORD, (b + k2 + 4) & _WORD
    a, b = _mix(a, b, (13, 15, 26, 6))
    return (a + k2) & _WORD, (b + k0 + 5) & _WORD


@jit
def _words_for(seed: int, decision: int, actor: int, channel: int) -> tuple[int, int]:
    # int(): NumPy's scalars would overflow with a warning in plain Python, its integers do not.
    number = int(seed)
    key = (number & _WORD, (number >> 32) & _WORD)
    counter = (int(decision) & _WORD, (int(actor) * CHANNELS + channel) & _WORD)
    return random_words(key, counter)


@jit
def uniform(seed: int, decision: int, actor: int, channel: int) -> float:
    """A uniform number in [0, 1), with 53 random bits.

    Args:
        seed: sensor seed of the episode, any 64-bit integer.
        decision: index of the decision in the episode.
        actor: id of the actor, or 0 for the whole scene.
        channel: what the number is for (this module's constants).
    """
    high, low = _words_for(seed, decision, actor, channel)
    return ((high >> 5) * 67108864.0 + (low >> 6)) / 9007199254740992.0


@jit
def normal_pair(seed: int, decision: int, actor: int, channel: int) -> tuple[float, float]:
    """Two independent standard normal numbers (Box and Muller); arguments as in `uniform`."""
    first, second = _words_for(seed, decision, actor, channel)
    radius = math.sqrt(-2.0 * math.log((first + 1.0) / 4294967296.0))
    angle = 2.0 * math.pi * (second / 4294967296.0)
    return radius * math.cos(angle), radius * math.sin(angle)
