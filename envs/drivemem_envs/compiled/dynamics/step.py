"""Time: highway_env.envs.common.abstract.AbstractEnv._simulate and road.road.Road.step.

`simulate` advances many worlds, one world at a time per thread; `advance` is one of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import jit
from drivemem_envs.compiled.by_pointer import by_pointer
from drivemem_envs.compiled.dynamics.collisions import handle_collisions
from drivemem_envs.compiled.dynamics.control import (
    control,
    drives_itself,
    is_plainly_controlled,
    take_low_level_action,
    take_meta_action,
)
from drivemem_envs.compiled.dynamics.kinematics import move
from drivemem_envs.compiled.dynamics.neighbours import list_members
from drivemem_envs.compiled.dynamics.network import closest_lane, forget
from drivemem_envs.compiled.dynamics.regulation import regulate
from drivemem_envs.compiled.dynamics.traffic import drive
from drivemem_envs.compiled.parallel_for import parallel_for, threads_of
from drivemem_envs.compiled.records import (
    LOW_LEVEL_ACTION,
    META_ACTION,
    NONE,
    OneWorld,
    Scratch,
    Worlds,
)


@jit(inline="always", allocates=True)  # for callers in Python, which are given views
def world_of(worlds: Worlds, scratch: Scratch, index: int, scratch_row: int) -> OneWorld:
    """The slices that belong to one world, with the working memory in one row."""
    network = worlds.world[index].network
    return OneWorld(
        worlds.world[index : index + 1],
        worlds.actors[index],
        worlds.routes[index],
        worlds.drivers[index],
        worlds.speeds[index],
        worlds.streams[index],
        worlds.lanes[network],
        worlds.roads[network],
        worlds.links[network],
        worlds.points[network],
        scratch.coordinates[scratch_row],
        scratch.known[scratch_row],
        scratch.on_lane[scratch_row],
        scratch.members[scratch_row],
        scratch.member_counts[scratch_row],
        scratch.bounds[scratch_row],
        scratch.predicted[scratch_row],
    )


@jit
def forget_all(one: OneWorld) -> None:
    """Drop what the working memory holds, which may belong to another world."""
    world = one.world[0]
    for actor in range(int(world.vehicles)):
        forget(one, actor)
    for actor in range(int(world.first_object), int(world.first_object + world.objects)):
        forget(one, actor)


@jit(inline="always")
def take_action(one: OneWorld, action: NDArray[np.float32]) -> None:
    """`ActionType.act` of the ego.

    Args:
        one: the world.
        action: (2,) the index of a discrete action first, or the continuous controls.
    """
    world = one.world[0]
    if world.ego == NONE:
        return
    if world.action == META_ACTION:
        if drives_itself(one.actors[world.ego]):
            drive(one, int(world.ego))  # highway-env's own drivers ignore the action but act on it
        else:
            take_meta_action(one, int(action[0]))
    elif world.action == LOW_LEVEL_ACTION:
        take_low_level_action(one, action)


@jit
def frame(one: OneWorld, has_traffic: bool) -> None:
    """`Road.act` and `Road.step` once."""
    world = one.world[0]
    for actor in range(int(world.vehicles)):
        it = one.actors[actor]
        if drives_itself(it):
            drive(one, actor)
        elif is_plainly_controlled(it):
            control(one, actor)
    if world.regulated:
        regulate(one)
    for actor in range(int(world.vehicles)):
        it = one.actors[actor]
        move(it, one.drivers[it.driver], world.dt)
        forget(one, actor)
        it.lane = closest_lane(one, actor)
    if has_traffic:
        list_members(one)
    handle_collisions(one)
    world.steps += 1


@jit(inline="always")
def advance(one: OneWorld, action: NDArray[np.float32], frames: int, acts: bool) -> None:
    """`AbstractEnv._simulate`: the agent's action, then some frames.

    Args:
        one: the world.
        action: (2,) see `take_action`.
        frames: how many frames to simulate.
        acts: False leaves the ego's controls as they are.
    """
    forget_all(one)
    has_traffic = False
    for actor in range(int(one.world[0].vehicles)):
        has_traffic |= drives_itself(one.actors[actor])
    if has_traffic:
        list_members(one)
    if acts:
        take_action(one, action)
    for _ in range(frames):
        frame(one, has_traffic)


@jit
def _simulate(
    worlds: Worlds,
    scratch: Scratch,
    actions: NDArray[np.float32],
    frames: int,
    acts: bool,
    scratch_row: int,
    first: int,
    last: int,
) -> None:
    for index in range(first, last):
        advance(
            by_pointer(world_of(worlds, scratch, index, scratch_row)), actions[index], frames, acts
        )


def simulate(worlds: Worlds, scratch: Scratch, actions: NDArray[Any] | None, frames: int) -> None:
    """Advance every world by some frames, in parallel.

    Args:
        worlds: written in place.
        scratch: working memory of as many threads as shall share the work.
        actions: (N,) or (N, 1) indices of discrete actions, (N, 1) or (N, 2) continuous actions,
            or None to leave the ego's controls as they are.
        frames: frames to simulate, usually the worlds' `frames`: one decision.

    Raises:
        ValueError: actions whose shape is neither.
    """
    count = len(worlds.world)
    padded = np.zeros((count, 2), dtype=np.float32)
    if actions is not None:
        given = np.asarray(actions, dtype=np.float32).reshape(len(actions), -1)
        if given.shape[0] != count or given.shape[1] > 2:
            raise ValueError(
                f"actions have shape {np.shape(actions)}; give ({count},), ({count}, 1) or "
                f"({count}, 2) for these {count} worlds"
            )
        padded[:, : given.shape[1]] = given
    parallel_for(
        _simulate, threads_of(scratch.known), count,
        worlds, scratch, padded, frames, actions is not None,
    )  # fmt: skip
