"""What a perfect memory of all that sensors showed is worth on blackout-highway.

The oracle's planner, told of each car where it was when it was perceived last and how
fast it is, and that it has gone on at that speed. Its speed is known exactly as it was then, or
estimated from all readings, as noisy as the scenario's, and the law of traffic's speeds. It is no
bound: it does not plan for what it has never seen.

    python experiments/highway_cards/remembered.py

prints shares of 500 episodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import drivemem_envs
from drivemem_envs.scenarios.shared.dense_highway import lane_aimed_at
from drivemem_envs.scenarios.shared.lane_planner import STAGE_S, plan_lane

WORLDS = 50
EPISODES = 10
"""Of each world: counting whichever end first would favor crashes."""
REACH_M = (100.0, 200.0)
PASSED_M = 15.0
SPEED_MPS, SPREAD_MPS = 22.5, 0.87
"""Mean and standard deviation of the law that traffic's speeds are drawn from: 21 to 24 m/s."""


class Remembered:
    """Cars of one world: `x`, `y`, speed by the actor's id.

    Args:
        noise_mps: of each reading of a speed; 0: exact, and the last counts alone.
    """

    def __init__(self, noise_mps: float) -> None:
        self.noise_mps = noise_mps
        self.cars: dict[int, NDArray[np.float64]] = {}
        self.readings: dict[int, list[float]] = {}

    def look(
        self, truth: dict[str, NDArray[Any]], world: int, reach_m: float, rng: np.random.Generator
    ) -> None:
        """Let what is known move on, and enter what is perceived within reach."""
        for car in self.cars.values():
            car[0] += car[2] * STAGE_S
        ahead = truth["x"][world] - truth["x"][world, 0]
        shown = truth["present"][world] & truth["perceived"][world]
        shown &= (ahead > -PASSED_M) & (ahead < reach_m)
        shown[0] = False
        for actor in np.flatnonzero(shown):
            x, y, speed = (truth[name][world, actor] for name in ("x", "y", "speed"))
            known = int(truth["id"][world, actor])
            if self.noise_mps:
                readings = self.readings.setdefault(known, [])
                readings.append(speed + rng.normal(0.0, self.noise_mps))
                prior = (self.noise_mps / SPREAD_MPS) ** 2
                speed = (prior * SPEED_MPS + sum(readings)) / (prior + len(readings))
            self.cars[known] = np.array([x, y, speed])

    def plan(self, truth: dict[str, NDArray[Any]], world: int, lanes: int) -> int:
        """The planner's choice by what is known."""
        x, y, speed, heading = (truth[name][world, 0] for name in ("x", "y", "speed", "heading"))
        known = np.array([[x, y, speed * np.cos(heading)], *self.cars.values()])
        target = int(lane_aimed_at(y, speed, np.sin(heading), lanes))
        return plan_lane(known[:, 0], known[:, 1], known[:, 2], lanes, target)


def success(name: str, reach_m: float, noise_mps: float) -> float:
    """Share of episodes survived."""
    env = drivemem_envs.make_vec(name, num_envs=WORLDS)
    lanes = int(drivemem_envs.scenario(name).resolved_config()["lanes_count"])
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    minds = [Remembered(noise_mps) for _ in range(WORLDS)]
    survived: list[list[bool]] = [[] for _ in range(WORLDS)]
    while min(map(len, survived)) < EPISODES:
        truth = env.truth()
        for world, mind in enumerate(minds):
            mind.look(truth, world, reach_m, rng)
        choices = [mind.plan(truth, world, lanes) for world, mind in enumerate(minds)]
        _, _, terminated, truncated, _ = env.step(np.array(choices))
        for world in np.flatnonzero(terminated | truncated):
            survived[world].append(not terminated[world])
            minds[world] = Remembered(noise_mps)
    env.close()
    return float(np.mean([of_world[:EPISODES] for of_world in survived]))


if __name__ == "__main__":
    for level in ("easy", "medium", "hard"):
        name = f"blackout-highway-{level}-v0"
        noise_mps = float(drivemem_envs.scenario(name).sensors.noise_speed_mps)
        for reach_m in REACH_M:
            rates = [success(name, reach_m, noise) for noise in (0.0, noise_mps)]
            print(
                f"{level:8} seen up to {reach_m:.0f} m ahead: {rates[0]:.3f} with exact speeds, "
                f"{rates[1]:.3f} with readings of {noise_mps:g} m/s noise"
            )
