"""Seeds of episodes: NumPy's own, made quickly."""

from __future__ import annotations

import numpy as np
import pytest

from drivemem_envs.seeding import seed_words, spaced_seeds

LARGEST = 2**32 - 1


@pytest.mark.parametrize(
    "entropy",
    [
        (0,), (7,), (0, 0, 0, 0), (1, 2, 3, 4), (LARGEST,) * 4, (3, 1, np.int64(63), np.int64(900)),
        (1, 2, 3, 4, 5), (2**32, 1, 2), (2**63 - 1, 5, 6),
    ],
)  # fmt: skip
def test_seed_words_are_numpys(entropy):
    wanted = np.random.SeedSequence([int(word) for word in entropy]).generate_state(2)
    assert seed_words(*entropy) == tuple(wanted)


def test_seeds_are_spaced_by_world_and_episode():
    rule = spaced_seeds(5)
    seeds = {rule(world, episode) for world in range(50) for episode in range(50)}
    assert len(seeds) == 2500
    assert rule(3, 4) == int(np.random.SeedSequence([5, 3, 4]).generate_state(1)[0])
