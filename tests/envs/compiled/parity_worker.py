"""Steps highway-env and the kernels side by side; run by `conftest` in a process of its own.

Reads one request a line (JSON) and answers each with one line: where they first differed.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import highway_env  # noqa: F401  registers its ids
import numpy as np
from highway_env.envs.common.abstract import AbstractEnv
from highway_env.vehicle.behavior import IDMVehicle
from serving import serve

from drivemem_envs.compiled.dynamics.step import simulate
from drivemem_envs.compiled.export.scene import export
from drivemem_envs.compiled.worlds import scratch_for, stack

SHIPPED = {"DISTANCE_WANTED": 10.0, "COMFORT_ACC_MAX": 3.0, "COMFORT_ACC_MIN": -5.0}
FIELDS = {
    "heading": "heading",
    "speed": "speed",
    "crashed": "crashed",
    "hit": "hit",
    "target_speed": "target_speed",
    "timer": "timer",
    "speed_index": "speed_index",
    "lateral_speed": "lateral_speed",
    "yaw_rate": "yaw_rate",
    "is_yielding": "yielding",
}


def choose(space: gymnasium.Space[Any], mode: str, draw: np.random.Generator, step: int) -> Any:
    """The next action of a sequence: random, full brake, or never keeping a lane."""
    if isinstance(space, gymnasium.spaces.Discrete):
        slower = 4 if space.n == 5 else 0
        choices = {"random": range(space.n), "brake": [slower], "weave": [0, 2]}[mode]
        return int(draw.choice(list(choices)))
    if mode == "random":
        return draw.uniform(-1, 1, space.shape).astype(np.float32)
    action = np.zeros(space.shape, np.float32)
    if mode == "brake":
        action[0] = -1.0
    else:
        action[-1] = 1.0 if step // 4 % 2 else -1.0
    return action


def decide(env: Any, action: Any) -> None:
    """One decision of highway-env without observation and reward."""
    if type(env).__name__ == "LaneKeepingEnv":  # acts before it simulates
        env.action_type.act(action)
        AbstractEnv._simulate(env)
    else:
        AbstractEnv._simulate(env, action)


def difference(env: Any, scene: Any, worlds: Any) -> str | None:
    """The first value that differs between the live world and the arrays."""
    first = int(worlds.world[0].first_object)
    rows = [(row, thing) for row, thing in enumerate(env.road.vehicles)]
    rows += [(first + row, thing) for row, thing in enumerate(env.road.objects)]
    lanes = scene.network.lane_indices
    for row, thing in rows:
        it = worlds.actors[0, row]
        pairs = [("x", thing.position[0], it.x), ("y", thing.position[1], it.y)]
        pairs += [
            (name, getattr(thing, name), it[field])
            for name, field in FIELDS.items()
            if hasattr(thing, name)
        ]
        pairs.append(("lane", tuple(thing.lane_index), lanes[it.lane]))
        if hasattr(thing, "target_lane_index"):
            pairs.append(("target", tuple(thing.target_lane_index), lanes[it.target_lane]))
        for name, theirs, ours in pairs:
            if theirs != ours:
                return f"actor {row} {name}: highway-env {theirs!r}, compiled {ours!r}"
    return None


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Compare over the seeds and steps of a request, from one scene each, through crashes."""
    crashes = compared = 0
    for seed in range(request["first_seed"], request["first_seed"] + request["seeds"]):
        for name, value in SHIPPED.items():  # intersection writes on the shared class
            setattr(IDMVehicle, name, value)
        env = gymnasium.make(request["id"], disable_env_checker=True).unwrapped
        env.config.update(request.get("config", {}))
        env.reset(seed=seed)
        draw = np.random.default_rng(seed)
        scene = export(env)
        worlds = stack([scene])
        scratch = scratch_for(worlds, 1)
        for step in range(request["steps"]):
            action = choose(env.action_space, request["mode"], draw, step)
            decide(env, action)
            simulate(worlds, scratch, np.array([action]), int(scene.world.frames))
            compared += len(env.road.vehicles)
            crashes += any(vehicle.crashed for vehicle in env.road.vehicles)
            found = difference(env, scene, worlds)
            if found is not None:
                return {"difference": f"seed {seed} step {step}: {found}"}
        env.close()
    return {"difference": None, "crashes": crashes, "compared": compared}


if __name__ == "__main__":
    serve(run)
