"""What a perfect memory of all that sensors showed is worth on blackout-highway.

The scripted driver's planner, told of each car where it was when it was perceived last, how fast
it was, and that it has gone on at that speed. It is no bound: it does not plan for what it has
never seen.

    python experiments/highway_cards/remembered.py

prints shares of 500 episodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import drivemem_envs
from drivemem_envs.scenarios.highway_weaving import lane_aimed_at
from drivemem_envs.scenarios.lane_planner import STAGE_S, plan_lane

WORLDS = 50
EPISODES = 10
"""Of each world: counting whichever end first would favor crashes."""
REACH_M = (100.0, 200.0)
PASSED_M = 15.0


class Remembered:
    """Cars of one world: `x`, `y`, speed by the actor's id."""

    def __init__(self) -> None:
        self.cars: dict[int, NDArray[np.float64]] = {}

    def look(self, truth: dict[str, NDArray[Any]], world: int, reach_m: float) -> None:
        """Let what is known move on, and enter what is perceived within reach."""
        for car in self.cars.values():
            car[0] += car[2] * STAGE_S
        ahead = truth["x"][world] - truth["x"][world, 0]
        shown = truth["present"][world] & truth["perceived"][world]
        shown &= (ahead > -PASSED_M) & (ahead < reach_m)
        shown[0] = False
        for actor in np.flatnonzero(shown):
            state = [truth[name][world, actor] for name in ("x", "y", "speed")]
            self.cars[int(truth["id"][world, actor])] = np.array(state)

    def plan(self, truth: dict[str, NDArray[Any]], world: int, lanes: int) -> int:
        """The planner's choice by what is known."""
        x, y, speed, heading = (truth[name][world, 0] for name in ("x", "y", "speed", "heading"))
        known = np.array([[x, y, speed * np.cos(heading)], *self.cars.values()])
        target = int(lane_aimed_at(y, speed, np.sin(heading), lanes))
        return plan_lane(known[:, 0], known[:, 1], known[:, 2], lanes, target)


def success(name: str, reach_m: float) -> float:
    """Share of episodes survived."""
    env = drivemem_envs.make_vec(name, num_envs=WORLDS)
    lanes = int(drivemem_envs.scenario(name).resolved_config()["lanes_count"])
    env.reset(seed=0)
    minds = [Remembered() for _ in range(WORLDS)]
    survived: list[list[bool]] = [[] for _ in range(WORLDS)]
    while min(map(len, survived)) < EPISODES:
        truth = env.truth()
        for world, mind in enumerate(minds):
            mind.look(truth, world, reach_m)
        choices = [mind.plan(truth, world, lanes) for world, mind in enumerate(minds)]
        _, _, terminated, truncated, _ = env.step(np.array(choices))
        for world in np.flatnonzero(terminated | truncated):
            survived[world].append(not terminated[world])
            minds[world] = Remembered()
    env.close()
    return float(np.mean([of_world[:EPISODES] for of_world in survived]))


if __name__ == "__main__":
    for level in ("easy", "medium", "hard"):
        for reach_m in REACH_M:
            rate = success(f"blackout-highway-{level}-v0", reach_m)
            print(f"{level:8} seen up to {reach_m:.0f} m ahead: {rate:.3f}")
