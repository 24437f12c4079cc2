"""Resets of many worlds: one kernel for each kind of reset, and only the one in use compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit, named
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.by_pointer import by_pointer
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

Resetting = Callable[..., Any]


@jit
def _begin(one: OneWorld, template: Template, seed: int) -> None:
    """What every world begins with: nothing on the road but objects, and its seed's draws."""
    world = one.world[0]
    world.vehicles = world.steps = world.road_steps = 0
    seed_stream(one.stream, seed)
    for thing in range(template.objects.shape[0]):
        one.actors[world.first_object + thing] = template.objects[thing]


@jit
def _hide(which: int, latent: Floats) -> None:
    """Worlds of drivemem's own hide one of several: which it is becomes `latent`."""
    for number in range(latent.shape[0]):
        latent[number] = 1.0 if number == which else 0.0


@jit(allocates=True)
def shuffle_slots(seed: int, slots: Ints) -> None:
    """`ReferenceEnvironment._slots`: the episode's permutation of rows, by its sensor seed."""
    stream = np.zeros(STREAM, np.int64)
    seed_stream(stream, seed)
    permutation(stream, slots)


def _resetting(reset: Resetting, hides: bool = False) -> Resetting:
    """The kernel that begins episodes as highway-env's `reset(seed=seed)` does.

    Args:
        reset: the kernel that makes the vehicles of one world, `(one, template)`; all of the
            world's state is written.
        hides: whether it returns which of several its world hides.
    """

    def reset_some(
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
            _begin(one, template, seeds[k])
            if hides:
                _hide(reset(one, template), latent[row])
            else:
                reset(one, template)
            one.world[0].steps = 0
            number_actors(one)
            sensor_seeds[row] = sensor_seed(one.stream)
            shuffle_slots(sensor_seeds[row], slots[row])

    return jit(named(reset_some, f"{reset.__module__.rpartition('.')[2]}_{reset.__name__}_some"))


_RESETS = {
    codes.HIGHWAY: _resetting(reset_highway),
    codes.EXIT: _resetting(reset_exit),
    codes.MERGE: _resetting(reset_merge),
    codes.MERGE_GENERIC: _resetting(reset_merge_generic),
    codes.INTERSECTION: _resetting(reset_intersection),
    codes.ROUNDABOUT: _resetting(reset_roundabout),
    codes.ROUNDABOUT_GENERIC: _resetting(reset_roundabout_generic),
    codes.TWO_WAY: _resetting(reset_two_way),
    codes.RACETRACK: _resetting(reset_racetrack),
    codes.U_TURN: _resetting(reset_u_turn),
    codes.EXIT_RECALL: _resetting(exit_recall.reset_scene, hides=True),
    codes.SINGLE_DECISION: _resetting(single_decision.reset_scene, hides=True),
}


def reset_kernel(code: int) -> Resetting:
    """The kernel of `reset_worlds` for a kind of reset, by the code of a `families.Reset`."""
    return _RESETS[code]


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
    """Reset some worlds on several threads.

    Args:
        worlds: of the template's scenario; written.
        scratch: working memory of as many threads as shall share the work.
        template: a scenario's, with a compiled reset.
        rows: (n,) which worlds.
        seeds: (n,) of their episodes, 0 to 2**63 - 1.
        latent: (N, H) written: what a world hides that is no actor.
        sensor_seeds: (N,) written, as in `scenes.SceneSource`.
        slots: (N, V) written, likewise.
    """
    parallel_for(
        reset_kernel(template.reset), threads_of(scratch.known), len(rows),
        worlds, scratch, template, rows, seeds, latent, sensor_seeds, slots,
    )  # fmt: skip
