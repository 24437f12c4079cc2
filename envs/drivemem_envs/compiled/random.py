"""NumPy's default generator inside kernels: PCG64 streams, bit for bit, one small array per world.

Scenes reset in a kernel therefore equal those that highway-env makes from the same seed. All
arithmetic is on 32-bit limbs in 64-bit signed integers, so plain Python and CUDA agree.
"""

from __future__ import annotations

import math

import numpy as np
from numba.np.random._constants import fi_double, ki_double, wi_double

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.seeding import WORD, hash_word, pool_of

# A stream (STREAM,): 4 limbs of the state, 4 limbs of the increment (least significant first),
# whether a 32-bit half is left over, and that half.
STREAM = 10
_HAS_HALF, _HALF = 8, 9
_MULTIPLIER = (0x9FCCF645, 0x4385DF64, 0x1FC65DA4, 0x2360ED05)

# Ziggurat tables of the normal law, 256 layers, the same that NumPy compiles in.
_KI: Ints = np.asarray(ki_double, dtype=np.int64)
_WI: Floats = np.asarray(wi_double, dtype=np.float64)
_FI: Floats = np.asarray(fi_double, dtype=np.float64)
_TAIL = 3.6541528853610087963519472518
_INVERSE_TAIL = 0.27366123732975827203338247596


@jit
def seed_stream(stream: Ints, seed: int) -> None:
    """`np.random.PCG64(np.random.SeedSequence(seed))`, as Gymnasium seeds an environment.

    Args:
        stream: written (STREAM,).
        seed: 0 to 2**63 - 1.
    """
    pool = pool_of((int(seed) & WORD, (int(seed) >> 32) & WORD, 0, 0))
    # Eight words: the initial state and the sequence, 128 bits each, most significant half first.
    constant = 0x8B51F9DD
    for word in range(8):
        value, constant = hash_word(pool[word % 4], constant, 0x58F38DED)
        half, limb = word // 2, word % 2
        stream[(1, 0, 3, 2)[half] * 2 + limb] = value
    s0, s1, s2, s3 = int(stream[0]), int(stream[1]), int(stream[2]), int(stream[3])
    carry = 1  # increment = 2 * sequence + 1
    for limb in range(4, 8):
        doubled = (int(stream[limb]) << 1) | carry
        stream[limb] = doubled & WORD
        carry = doubled >> 32
    for limb in range(4):
        stream[limb] = 0
    _advance(stream)
    carry = 0
    for limb, word in ((0, s0), (1, s1), (2, s2), (3, s3)):
        total = int(stream[limb]) + word + carry
        stream[limb] = total & WORD
        carry = total >> 32
    _advance(stream)
    stream[_HAS_HALF] = 0
    stream[_HALF] = 0


def copy_stream(generator: np.random.Generator) -> Ints:
    """The stream of a live generator, at the same point.

    Args:
        generator: one over PCG64, as Gymnasium's environments hold.

    Returns:
        A stream (STREAM,).

    Raises:
        ValueError: for another bit generator.
    """
    bits = generator.bit_generator.state
    if bits["bit_generator"] != "PCG64":
        raise ValueError(f"the generator is {bits['bit_generator']}; only PCG64 is supported")
    stream = np.zeros(STREAM, dtype=np.int64)
    for limb in range(4):
        stream[limb] = (bits["state"]["state"] >> (32 * limb)) & WORD
        stream[4 + limb] = (bits["state"]["inc"] >> (32 * limb)) & WORD
    stream[_HAS_HALF], stream[_HALF] = bits["has_uint32"], bits["uinteger"]
    return stream


@jit
def sensor_seed(stream: Ints) -> int:
    """The episode's sensor seed: the low 64 bits of the state, which drawing it does not change."""
    low, high = int(stream[0]), int(stream[1])
    if high >= 0x80000000:
        high -= 0x100000000
    return high * 0x100000000 + low


@jit
def _advance(stream: Ints) -> None:
    """One step of the linear congruence, modulo 2**128."""
    s = (int(stream[0]), int(stream[1]), int(stream[2]), int(stream[3]))
    r0, r1, r2, r3 = int(stream[4]), int(stream[5]), int(stream[6]), int(stream[7])
    for i in range(4):
        for j in range(4 - i):
            # A product of two limbs may wrap to a negative number; its halves stay right.
            product = s[i] * _MULTIPLIER[j]
            low, high = product & WORD, (product >> 32) & WORD
            if i + j == 0:
                r0, r1 = r0 + low, r1 + high
            elif i + j == 1:
                r1, r2 = r1 + low, r2 + high
            elif i + j == 2:
                r2, r3 = r2 + low, r3 + high
            else:
                r3 += low
    r1 += r0 >> 32
    r2 += r1 >> 32
    r3 += r2 >> 32
    stream[0] = r0 & WORD
    stream[1] = r1 & WORD
    stream[2] = r2 & WORD
    stream[3] = r3 & WORD


@jit
def _next_words(stream: Ints) -> tuple[int, int]:
    """The next 64 random bits, as low and high word: xor the halves, rotate by the top bits."""
    _advance(stream)
    low, high = int(stream[0]) ^ int(stream[2]), int(stream[1]) ^ int(stream[3])
    turn = int(stream[3]) >> 26
    if turn >= 32:
        low, high = high, low
        turn -= 32
    if turn == 0:
        return low, high
    return (
        ((low >> turn) | (high << (32 - turn))) & WORD,
        ((high >> turn) | (low << (32 - turn))) & WORD,
    )


@jit
def _next_word(stream: Ints) -> int:
    """The next 32 random bits: a half of 64, the other half is kept."""
    if stream[_HAS_HALF]:
        stream[_HAS_HALF] = 0
        return int(stream[_HALF])
    low, high = _next_words(stream)
    stream[_HAS_HALF], stream[_HALF] = 1, high
    return low


@jit
def random(stream: Ints) -> float:
    """`Generator.random()`: in [0, 1)."""
    low, high = _next_words(stream)
    return (high * 2097152.0 + (low >> 11)) / 9007199254740992.0


@jit
def uniform(stream: Ints, low: float, high: float) -> float:
    """`Generator.uniform(low, high)`."""
    return low + (high - low) * random(stream)


@jit
def integers(stream: Ints, count: int) -> int:
    """`Generator.integers(count)` and `Generator.choice(count)`: in [0, count), count < 2**32."""
    if count <= 1:
        return 0
    product = _next_word(stream) * count  # below 2**63 for a count below 2**31
    left = product & WORD
    if left < count:
        threshold = (WORD + 1 - count) % count
        while left < threshold:
            product = _next_word(stream) * count
            left = product & WORD
    return product >> 32


@jit
def normal(stream: Ints) -> float:
    """`Generator.normal()`: standard normal, by the ziggurat."""
    while True:
        low, high = _next_words(stream)
        layer = low & 0xFF
        negative = (low >> 8) & 1
        size = (low >> 9) | ((high & 0x1FFFFFFF) << 23)
        x = size * _WI[layer]
        if negative:
            x = -x
        if size < _KI[layer]:
            return float(x)
        if layer == 0:
            while True:
                across = -_INVERSE_TAIL * math.log1p(-random(stream))
                up = -math.log1p(-random(stream))
                if up + up > across * across:
                    tail = _TAIL + across
                    return -tail if (size >> 8) & 1 else tail
        if (_FI[layer - 1] - _FI[layer]) * random(stream) + _FI[layer] < math.exp(-0.5 * x * x):
            return float(x)


@jit
def two_of(stream: Ints, count: int) -> tuple[int, int]:
    """`Generator.choice(count, size=2, replace=False)`: two different numbers (Floyd, shuffled)."""
    first = integers(stream, count - 1)
    second = integers(stream, count)
    if second == first:
        second = count - 1
    if integers(stream, 2) == 0:  # the shuffle swaps the second with the drawn one
        return second, first
    return first, second


@jit
def weighted(stream: Ints, cumulative: Floats) -> int:
    """`Generator.choice(…, size=1, p=…)`.

    Args:
        stream: the stream.
        cumulative: running sums of the probabilities (K,), divided by the last.
    """
    draw = random(stream)
    index = 0
    while index < cumulative.shape[0] and cumulative[index] <= draw:
        index += 1
    return index


@jit
def permutation(stream: Ints, out: Ints) -> None:
    """`Generator.permutation(len(out))`.

    Args:
        stream: the stream.
        out: written (K,).
    """
    for i in range(out.shape[0]):
        out[i] = i
    for i in range(out.shape[0] - 1, 0, -1):
        mask = 1  # NumPy shuffles by masking and rejecting, unlike `integers`
        while mask < i:
            mask = 2 * mask + 1
        j = _next_word(stream) & mask
        while j > i:
            j = _next_word(stream) & mask
        out[i], out[j] = out[j], out[i]
