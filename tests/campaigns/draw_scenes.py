"""Drawn sensors, observations and dials: two worlds are built of them and driven."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
from hypothesis import strategies as st

from tests.campaigns.apart import Ending, apart
from tests.campaigns.draws import (
    Drawn,
    Subject,
    changes,
    neighbours,
    of_model,
    seconds_for,
)

SCENARIOS = ("exit-recall", "hidden-crossing", "blackout-highway", "merge-v1", "intersection-v1")


def scenes(key: str) -> Subject:
    def subject() -> tuple[st.SearchStrategy[Any], Callable[[Any], Ending]]:
        from drivemem_envs import ObservationSpec, Sensors

        model = {"sensors": Sensors, "observation": ObservationSpec}[key]
        special = {
            "features": st.lists(st.sampled_from(["presence", "x", "y", "vx", "cos_h", "lat_off"])),
            "native": st.sampled_from([None, {"type": "Kinematics"}, {"type": "OccupancyGrid"}]),
        }
        where = st.sampled_from([f"{s} {b}" for s in SCENARIOS for b in ("auto", "reference")])
        drawn = st.tuples(where, changes(of_model(model, special)))
        return drawn.map(lambda pair: Drawn(*pair)), lambda each: _drive(each, key)

    return subject


def dials() -> tuple[st.SearchStrategy[Any], Callable[[Any], Ending]]:
    from drivemem_envs import scenario_names

    def of_scenario(name: str) -> st.SearchStrategy[Any]:
        return changes(dial_fields(name), most=2).map(
            lambda changed: Drawn(f"{name} auto", changed)
        )

    names = [name for name in scenario_names() if "multi-agent" not in name]
    return st.sampled_from(names).flatmap(of_scenario), lambda each: _drive(each, "config")


def _drive(drawn: Drawn, key: str) -> Ending:
    """Build two worlds, drive a few decisions, look at what they show."""
    name, backend = drawn.where.split()

    def work() -> Ending | None:
        import drivemem_envs

        changes_: dict[str, Any] = {key: drawn.changed}
        env = drivemem_envs.make_vec(name, 2, backend=backend, num_workers=1, **changes_)  # type: ignore[arg-type]
        try:
            return _look(env)
        finally:
            env.close()

    return apart(work, seconds_for(drawn.changed), library=True)


def _look(env: gym.vector.VectorEnv[Any, Any, Any]) -> Ending | None:
    observation, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(3):
        observation, rewards, *_ = env.step(env.action_space.sample())
        if not np.isfinite(rewards).all():
            return Ending("traceback", "rewards that are not finite", repr(rewards))
    parts = observation.items() if isinstance(observation, Mapping) else [("", observation)]
    for name, value in parts:
        if not np.isfinite(value).all():
            return Ending("traceback", f"observation '{name}' that is not finite", repr(value))
    return None


@cache
def dial_fields(name: str) -> dict[str, st.SearchStrategy[Any]]:
    """Values near those that a scenario's dials have."""
    import drivemem_envs

    config = drivemem_envs.scenario(name).resolved_config()
    return {key: neighbours(value) for key, value in config.items() if key != "observation"}
