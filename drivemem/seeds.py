"""Seeds of all episodes: a function of (run seed, stream, world, episode), in disjoint streams."""

from __future__ import annotations

from typing import Literal

from drivemem_envs.seeding import seed_words

Stream = Literal["train", "eval", "test"]
_STREAMS: dict[Stream, int] = {"train": 1, "eval": 2, "test": 3}


def episode_seed(run_seed: int, stream: Stream, world: int, episode: int) -> int:
    """The seed of one episode, 63 bits.

    Args:
        run_seed: the run's (0 for suites, which are the same for every run).
        stream: train, eval (during training) or test.
        world: index of the world.
        episode: number of the episode in that world.
    """
    low, high = seed_words(run_seed, _STREAMS[stream], world, episode)
    return (high << 32 | low) >> 1
