"""One world's reset, whatever its world; callable in parallel loops."""

from __future__ import annotations

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled.by_pointer import by_pointer
from drivemem_envs.compiled.codes import (
    EXIT,
    EXIT_RECALL,
    HIGHWAY,
    INTERSECTION,
    MERGE,
    MERGE_GENERIC,
    RACETRACK,
    ROUNDABOUT,
    ROUNDABOUT_GENERIC,
    SINGLE_DECISION,
    TWO_WAY,
    U_TURN,
)
from drivemem_envs.compiled.dynamics.spawn import number_actors
from drivemem_envs.compiled.dynamics.step import world_of
from drivemem_envs.compiled.parallel_for import parallel_for, threads_of
from drivemem_envs.compiled.random import STREAM, permutation, seed_stream, sensor_seed
from drivemem_envs.compiled.records import OneWorld, Scratch, Worlds
from drivemem_envs.compiled.resets.highway import reset_exit, reset_highway
from drivemem_envs.compiled.resets.intersection import reset_intersection
from drivemem_envs.compiled.resets.merge import reset_merge, reset_merge_generic
from drivemem_envs.compiled.resets.racetrack import reset_racetrack
from drivemem_envs.compiled.resets.roundabout import reset_roundabout, reset_roundabout_generic
from drivemem_envs.compiled.resets.two_way import reset_two_way
from drivemem_envs.compiled.resets.u_turn import reset_u_turn
from drivemem_envs.compiled.tasks import exit_recall, single_decision
from drivemem_envs.compiled.template import Template


@jit(inner=True, inline="always")
def _reset_own(one: OneWorld, template: Template, latent: Floats) -> None:
    """Worlds of drivemem's own, which hide one of several: which it is becomes `latent`."""
    if template.reset == EXIT_RECALL:
        task_state = exit_recall.reset_scene(one, template)
    else:
        task_state = single_decision.reset_scene(one, template)
    for number in range(latent.shape[0]):
        latent[number] = 1.0 if number == task_state else 0.0


@jit(inner=True, inline="always")
def _make_vehicles(one: OneWorld, template: Template) -> None:
    """`_make_vehicles` of highway-env's own worlds."""
    reset = template.reset
    if reset == HIGHWAY:
        reset_highway(one, template)
    elif reset == EXIT:
        reset_exit(one, template)
    elif reset == MERGE:
        reset_merge(one, template)
    elif reset == MERGE_GENERIC:
        reset_merge_generic(one, template)
    elif reset == INTERSECTION:
        reset_intersection(one, template)
    elif reset == ROUNDABOUT:
        reset_roundabout(one, template)
    elif reset == ROUNDABOUT_GENERIC:
        reset_roundabout_generic(one, template)
    elif reset == TWO_WAY:
        reset_two_way(one, template)
    elif reset == RACETRACK:
        reset_racetrack(one, template)
    elif reset == U_TURN:
        reset_u_turn(one, template)


@jit(inner=True, inline="always")
def reset_world(one: OneWorld, template: Template, seed: int, latent: Floats) -> None:
    """Begin the episode of a seed, as highway-env's `reset(seed=seed)` does.

    Args:
        one: the world, of the template's scenario; all of its state is written.
        template: a scenario's, with a compiled reset.
        seed: 0 to 2**63 - 1.
        latent: (H,) written: what the world hides that is no actor.
    """
    world = one.world[0]
    world.vehicles = world.steps = world.road_steps = 0
    seed_stream(one.stream, seed)
    for thing in range(template.objects.shape[0]):
        one.actors[world.first_object + thing] = template.objects[thing]
    if template.reset in (EXIT_RECALL, SINGLE_DECISION):
        _reset_own(one, template, latent)
    else:
        _make_vehicles(one, template)
    world.steps = 0
    number_actors(one)


@jit(allocates=True)
def shuffle_slots(seed: int, slots: Ints) -> None:
    """`ReferenceEnvironment._slots`: the episode's permutation of rows, by its sensor seed."""
    stream = np.zeros(STREAM, np.int64)
    seed_stream(stream, seed)
    permutation(stream, slots)


@jit
def _reset_some(
    worlds: Worlds,
    scratch: Scratch,
    template: Template,
    rows: Ints,
    seeds: Ints,
    latent: Floats,
    sensor_seeds: Ints,
    slots: Ints,
    scratch_row: int,
    first: int,
    last: int,
) -> None:
    for k in range(first, last):
        row = rows[k]
        one = by_pointer(world_of(worlds, scratch, row, scratch_row))
        reset_world(one, template, seeds[k], latent[row])
        sensor_seeds[row] = sensor_seed(one.stream)
        shuffle_slots(sensor_seeds[row], slots[row])


def reset_worlds(
    worlds: Worlds,
    scratch: Scratch,
    template: Template,
    rows: Ints,
    seeds: Ints,
    latent: Floats,
    sensor_seeds: Ints,
    slots: Ints,
) -> None:
    """Reset some worlds on several threads; arguments as in `scenes.SceneSource`."""
    parallel_for(
        _reset_some, threads_of(scratch.known), len(rows),
        worlds, scratch, template, rows, seeds, latent, sensor_seeds, slots,
    )  # fmt: skip
