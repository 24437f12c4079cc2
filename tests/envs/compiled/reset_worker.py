"""Compares sources of scenes with the reference environment; run by `conftest` in a process.

Reads one request a line (JSON) and answers each with one line: where they first differed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from serving import serve

from drivemem_envs.compiled.dynamics.spawn import clear_and_spawn
from drivemem_envs.compiled.dynamics.step import simulate, world_of
from drivemem_envs.compiled.export.scene import export
from drivemem_envs.compiled.families import spawns
from drivemem_envs.compiled.random import copy_stream
from drivemem_envs.compiled.records import MDP
from drivemem_envs.compiled.scenes.scene_source import scene_source
from drivemem_envs.reference.environment import make_reference
from drivemem_envs.registry import scenario as named_scenario

# What a live route no longer holds is not compared; times of vehicles that do not yield neither.
_SKIPPED = ("route_start", "route_end", "driver", "yield_timer", "id", "timer")


def state_difference(source: Any, row: int, env: Any) -> str | None:
    """The first value of a world that differs from a live environment's."""
    theirs = export(env, own_time=True).worlds
    world, live = source.worlds.world[row], theirs.world[0]
    for name in ("vehicles", "objects", "ego", "steps", "road_steps"):
        if world[name] != live[name]:
            return f"{name}: highway-env {live[name]}, compiled {world[name]}"
    places = list(range(live.vehicles))
    pairs = [(place, place) for place in places]
    pairs += [
        (int(world.first_object) + k, int(live.first_object) + k) for k in range(live.objects)
    ]
    for ours, other in pairs:
        it, that = source.worlds.actors[row, ours], theirs.actors[0, other]
        for name in it.dtype.names:
            idle = name.startswith("impact") and not that["has_impact"]
            idle |= name == "target_lane" and it["kind"] > MDP  # followed by nobody
            if name not in _SKIPPED and not idle and it[name] != that[name]:
                return f"actor {ours} {name}: highway-env {that[name]!r}, compiled {it[name]!r}"
        if it["kind"] <= 1 and it["timer"] != that["timer"]:
            return f"actor {ours} timer: highway-env {that['timer']!r}, compiled {it['timer']!r}"
        driver = source.worlds.drivers[row, it["driver"]]
        if driver != theirs.drivers[0, that["driver"]]:
            return f"actor {ours}: another driver"
    for vehicle in places:
        it, that = source.worlds.actors[row, vehicle], theirs.actors[0, vehicle]
        route = source.worlds.routes[row, vehicle, it["route_start"] : it["route_end"]]
        if route.tolist() != theirs.routes[0, vehicle, : that["route_end"]].tolist():
            return f"actor {vehicle}: another route"
    if source.worlds.streams[row].tolist() != copy_stream(env.np_random).tolist():
        return "another state of the generator"
    return None


def ids_difference(source: Any, row: int, env: Any) -> str | None:
    """Whether ids are those that the reference environment's perception gave."""
    world = source.worlds.world[row]
    ours = source.worlds.actors["id"][row, : world.vehicles].tolist()
    theirs = [env.perception.identify(it, env.vehicle, False) for it in env.road.vehicles]
    return None if ours == theirs else f"ids: reference {theirs}, compiled {ours}"


def reset_difference(source: Any, row: int, env: Any) -> str | None:
    """What an episode has besides its world."""
    if int(source.sensor_seed[row]) != env.perception.seed:
        return "another sensor seed"
    if source.slots[row].tolist() != env._slots.tolist():
        return "other slots"
    if source.first_road_lanes[row] != env.first_road_lanes:
        return "another first road"
    cue = env.cue()
    if cue is not None and source.cue[row].tolist() != cue.tolist():
        return f"cue: {source.cue[row]} for {cue}"
    if source.latent[row].tolist() != env.latent().tolist():
        return f"latent: {source.latent[row]} for {env.latent()}"
    occluders, count = env.occluders(), len(env.occluders())
    if source.occluders[row, :count].tolist() != occluders.tolist():
        return "other occluders"
    if source.occluders[row, count:].any():
        return "occluders of another episode"
    return ids_difference(source, row, env)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Compare resets, then decisions with clearing and spawning where the world has them."""
    scenario = named_scenario(request["id"])
    if request.get("config"):
        scenario = scenario.with_(config=request["config"])
    seeds = list(range(request["first_seed"], request["first_seed"] + request["seeds"]))
    if "seed_list" in request:
        seeds = request["seed_list"]
    source = scene_source(
        scenario, len(seeds), threads=request.get("threads", 2), compiled=request.get("compiled")
    )
    for _ in range(request.get("fills", 2)):  # what an earlier episode left must not matter
        source.fill(np.arange(len(seeds))[::-1], np.array(seeds)[::-1])
    env = make_reference(scenario)
    vehicles = spawned = 0
    for row, seed in enumerate(seeds):
        env.reset(seed=seed)
        vehicles += len(env.road.vehicles)
        found = state_difference(source, row, env) or reset_difference(source, row, env)
        if found is not None:
            return {"difference": f"seed {seed}: {found}"}
        if not spawns(scenario.world_class()):
            continue
        env.action_space.seed(seed)
        for step in range(request["steps"]):
            action = env.action_space.sample()
            env.step(action)
            actions = np.zeros((len(seeds), np.size(action)), np.float32)
            actions[row] = action
            before = int(source.worlds.world["next_id"][row])
            # The others move too, but are reset below before it is their turn.
            simulate(source.worlds, source.scratch, actions, int(source.worlds.world["frames"][0]))
            clear_and_spawn(world_of(source.worlds, source.scratch, row, 0), source.template)
            spawned += int(source.worlds.world["next_id"][row]) - before
            found = state_difference(source, row, env)
            if found is not None:
                return {"difference": f"seed {seed} decision {step}: {found}"}
        rest = np.arange(row + 1, len(seeds))
        source.fill(rest, np.array(seeds)[rest])
    source.close()
    env.close()
    return {
        "difference": None, "compiled": source.compiled, "vehicles": vehicles, "spawned": spawned,
    }  # fmt: skip


if __name__ == "__main__":
    serve(run)
