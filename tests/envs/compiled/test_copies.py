"""Copies of worlds: what they foresee is what happens, and the worlds stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drivemem_envs import make_vec
from drivemem_envs.compiled.copies import GOES_ON, WorldCopies
from drivemem_envs.outcomes import OUTCOMES
from tests.envs.compiled import task_worlds

WORLDS, HORIZON, PLANS = 3, 12, 4


def arrays(batch: Any) -> list[np.ndarray]:
    """Everything that worlds are made of."""
    parts = [value for part in batch if isinstance(part, tuple) for value in part]
    nested = [value for part in parts if isinstance(part, tuple) for value in part]
    return [value for value in (*parts, *nested) if isinstance(value, np.ndarray)]


def draw_actions(env: Any, draw: np.random.Generator, *shape: int) -> np.ndarray:
    space = env.single_action_space
    if hasattr(space, "n"):
        return draw.integers(int(space.n), size=shape)
    return draw.uniform(-1.0, 1.0, (*shape, *space.shape)).astype(np.float32)


@pytest.mark.parametrize(
    "name",
    [
        "highway-fast-v0",
        "intersection-v1",  # cars come, drawn from the world's stream
        "exit-v0",
        "merge-v1",
        "racetrack-v1",  # continuous; observed before it moves
        "parking-v0",
        "exit-recall-v0",  # a task with a memory of its own
        "blackout-highway-v0",
        "occluded-roundabout-v0",
        "told-v0",  # a task in NumPy
        "cross-v0",
    ],
)
def test_a_forecast_is_what_happens(name: str) -> None:
    scenario = task_worlds.SCENARIOS.get(name, name)
    env = make_vec(scenario, WORLDS, backend="compiled", num_workers=1)
    env.reset(seed=5)
    draw = np.random.default_rng(0)
    for _ in range(3):
        env.step(draw_actions(env, draw, WORLDS))
    copies = WorldCopies(env.worlds)
    worlds = np.repeat(np.arange(WORLDS), PLANS)
    plans = draw_actions(env, draw, WORLDS * PLANS, HORIZON)
    before = [part.tobytes() for part in arrays(env.worlds.batch)]
    told = copies.forecast(worlds, plans)
    assert before == [part.tobytes() for part in arrays(env.worlds.batch)]
    rewards, ends = np.zeros((WORLDS, HORIZON)), [(HORIZON, GOES_ON)] * WORLDS
    driven = plans[1::PLANS]  # one plan of each world
    going = np.ones(WORLDS, dtype=bool)
    for step in range(HORIZON):
        _, got, terminated, truncated, infos = env.step(driven[:, step])
        rewards[going, step] = got[going]
        for world in np.flatnonzero(going & (terminated | truncated)):
            outcome = infos["final_info"]["outcome"][world]
            ends[world] = (step + 1, OUTCOMES.index(outcome))
        going &= ~(terminated | truncated)
    np.testing.assert_array_equal(told.rewards[1::PLANS], rewards)
    found = zip(told.decisions[1::PLANS].tolist(), told.outcomes[1::PLANS].tolist(), strict=True)
    assert list(found) == ends
    copies.close()
    env.close()


def test_plans_that_end_in_an_accident_are_foreseen() -> None:
    env = make_vec("highway-fast-v0", WORLDS, backend="compiled", num_workers=1)
    env.reset(seed=1)
    copies = WorldCopies(env.worlds)
    told = copies.forecast(np.arange(WORLDS), np.full((WORLDS, 25), 3))  # faster, whatever comes
    ended = told.outcomes == OUTCOMES.index("collision")
    assert ended.any()
    assert (told.decisions[ended] < 25).all()
    after = np.arange(25) >= told.decisions[:, None]
    assert not told.rewards[after].any()


def test_there_may_be_more_plans_than_room() -> None:
    env = make_vec("exit-recall-v0", 2, backend="compiled", num_workers=1)
    env.reset(seed=1)
    copies = WorldCopies(env.worlds)
    draw = np.random.default_rng(0)
    worlds, plans = draw.integers(2, size=600), draw.integers(3, size=(600, 30))
    told = copies.forecast(worlds, plans)
    for place in (0, 255, 256, 599):
        alone = copies.forecast(worlds[[place]], plans[[place]])
        assert all(np.array_equal(a[0], b[place]) for a, b in zip(alone, told, strict=True))
