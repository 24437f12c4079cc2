"""THE table of task families: what each rewards, which worlds have it, how their episodes begin.

Everything else reads it: which worlds compile (`check`), the numbers of a task, resets. Kernels
take the codes (`codes`) and choose by them in `tasks.reward`, `tasks.custom_tasks` and
`scenes.dispatch`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from math import ceil
from typing import Any

import numpy as np
from highway_env import utils
from highway_env.envs.common.abstract import AbstractEnv
from highway_env.envs.exit_env import ExitEnv
from highway_env.envs.intersection_env import IntersectionEnv
from highway_env.vehicle.behavior import IDMVehicle
from numpy.typing import NDArray

from drivemem_envs.batch_task import TaskWorld
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.export.supported import refuse
from drivemem_envs.compiled.resets import (
    highway,
    intersection,
    merge,
    racetrack,
    roundabout,
    two_way,
    u_turn,
)
from drivemem_envs.compiled.tasks import exit_recall, lane_keeping, parking, single_decision

# Not from `_jit`: what imports that is taken for a source of kernels, and compiles them anew.
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LaneRows = dict[tuple[str, str, int], int]
"""The row of each lane in the network's table."""


@dataclass(frozen=True)
class Reset:
    """How the episodes of a world begin, in kernels."""

    code: int
    """By which `scenes.dispatch` chooses."""
    params: Callable[[Any], list[float]]
    """Parameters (P,) of a live world."""
    lane_rows: Callable[[Any, dict[Any, int]], list[int]]
    """Rows (Q,) of the lanes that the reset names, given the row of each lane."""
    destinations: Callable[[Any], Sequence[str]] = lambda env: ()
    """Names of the nodes to which routes are planned, in order."""
    most_vehicles: Callable[[Any], int] | None = None
    """Most vehicles at once; None: as many as a live reset makes."""


@dataclass(frozen=True)
class Family:
    """One kind of task. Subclasses of its worlds that replace no task method belong to it too."""

    code: int
    """By which kernels choose; see `codes`."""
    worlds: Mapping[str, Reset | None]
    """World classes as "module:Class", each with its compiled reset; None: its scenes come from
    its own live reset (a subclass of a world with a compiled reset may still have that one)."""
    terms: tuple[str, ...] = ()
    """Names of the reward's terms, in highway-env's order; their weights are in its
    configuration."""
    is_endless: bool = False
    """Whether its worlds have no time limit of their own."""
    params: Callable[[Any, LaneRows], list[float]] = lambda env, lanes: []
    """Parameters (P,) of the task of a live world that has a file of its own."""
    task_state: Callable[[Any], list[int]] = lambda env: []
    """What the task of a live world keeps through an episode (S,), as it is after a reset."""
    state_from_latent: Callable[[Floats], Ints] = field(
        default=lambda latent: np.zeros((len(latent), 0), np.int64)
    )
    """The same (R, S), from what worlds hide (R, L): for compiled resets."""

    @property
    def name(self) -> str:
        """Its first world's class, for messages."""
        return next(iter(self.worlds)).partition(":")[2]


def _of_latent(state_from_latent: Callable[[Floats], Ints]) -> Callable[[Any], list[int]]:
    """`Family.task_state` of worlds whose state follows from what they hide."""
    return lambda env: [int(each) for each in state_from_latent(env.latent()[None])[0]]


def _most_at_intersection(env: Any) -> int:
    """Challenger, ego and one to spare beside those that are there first and come later."""
    return int(env.config["initial_vehicle_count"] + 3 + most_spawned(env))


def most_spawned(env: Any) -> int:
    """Most vehicles that an episode of a live world that spawns adds: one after each decision."""
    longest = max(float(env.config["duration"]), env.scenario.time_limit_s or 0.0)
    return ceil(longest * float(env.config["policy_frequency"]))


_HIGHWAY = Reset(codes.HIGHWAY, highway.highway_params, highway.first_road)
_INTERSECTION = Reset(
    codes.INTERSECTION, intersection.intersection_params, intersection.intersection_lane_rows,
    lambda env: [f"o{arm}" for arm in range(4)], _most_at_intersection,
)  # fmt: skip
_RACETRACK, _OVAL = (
    Reset(
        codes.RACETRACK, params, racetrack.racetrack_lane_rows,
        most_vehicles=lambda env: int(env.config["other_vehicles"]) + 2,
    )
    for params in (racetrack.racetrack_params, racetrack.oval_params)
)  # fmt: skip

FAMILIES = (
    Family(
        codes.HIGHWAY,
        {
            "highway_env.envs.highway_env:HighwayEnvFast": _HIGHWAY,
            "highway_env.envs.highway_env:HighwayEnv": _HIGHWAY,
            "drivemem_envs.scenarios.shared.dense_highway:DenseHighwayWorld": None,
        },
        ("collision_reward", "right_lane_reward", "high_speed_reward", "on_road_reward"),
    ),
    Family(
        codes.EXIT,
        {
            "highway_env.envs.exit_env:ExitEnv": Reset(
                codes.EXIT, highway.exit_params, highway.first_road, lambda env: ["3"]
            )
        },
        ("collision_reward", "goal_reward", "high_speed_reward", "right_lane_reward"),
    ),
    Family(
        codes.MERGE,
        {
            "highway_env.envs.merge_env:MergeGenericEnv": Reset(
                codes.MERGE_GENERIC, merge.generic_params, merge.merge_lane_rows,
                most_vehicles=lambda env: int(env.config["vehicles_count"]) + 2,
            ),
            "highway_env.envs.merge_env:MergeEnv": Reset(
                codes.MERGE, merge.merge_params, merge.merge_lane_rows
            ),
        },
        (
            "collision_reward", "right_lane_reward", "high_speed_reward", "lane_change_reward",
            "merging_speed_reward",
        ),
        is_endless=True,
    ),
    Family(
        codes.ROUNDABOUT,
        {
            "highway_env.envs.roundabout_env:RoundaboutGenericEnv": Reset(
                codes.ROUNDABOUT_GENERIC, roundabout.generic_params, roundabout.generic_lane_rows,
                lambda env: roundabout.GENERIC_DESTINATIONS,
                lambda env: int(env.config["vehicles_count"]) + 1,
            ),
            "highway_env.envs.roundabout_env:RoundaboutEnv": Reset(
                codes.ROUNDABOUT, roundabout.roundabout_params, roundabout.roundabout_lane_rows,
                lambda env: roundabout.DESTINATIONS,
            ),
        },
        ("collision_reward", "high_speed_reward", "lane_change_reward", "on_road_reward"),
    ),
    Family(
        codes.INTERSECTION,
        {
            "highway_env.envs.intersection_env:ContinuousIntersectionEnv": _INTERSECTION,
            "highway_env.envs.intersection_env:IntersectionEnv": _INTERSECTION,
        },
        ("collision_reward", "high_speed_reward", "arrived_reward", "on_road_reward"),
    ),
    Family(
        codes.TWO_WAY,
        {
            "highway_env.envs.two_way_env:TwoWayEnv": Reset(
                codes.TWO_WAY, two_way.two_way_params, two_way.two_way_lane_rows
            )
        },
        ("high_speed_reward", "left_lane_reward"),
        is_endless=True,
    ),
    Family(
        codes.U_TURN,
        {
            "highway_env.envs.u_turn_env:UTurnEnv": Reset(
                codes.U_TURN, u_turn.u_turn_params, u_turn.u_turn_lane_rows, lambda env: ["d"]
            )
        },
        ("collision_reward", "left_lane_reward", "high_speed_reward", "on_road_reward"),
    ),
    Family(
        codes.RACETRACK,
        {
            "highway_env.envs.racetrack_env:RacetrackEnvOval": _OVAL,
            "highway_env.envs.racetrack_env:RacetrackEnvLarge": _RACETRACK,
            "highway_env.envs.racetrack_env:RacetrackEnv": _RACETRACK,
        },
        ("lane_centering_reward", "action_reward", "collision_reward", "on_road_reward"),
    ),
    Family(
        codes.KEEPING,
        {"highway_env.envs.lane_keeping_env:LaneKeepingEnv": None},
        is_endless=True,
        params=lambda env, lanes: lane_keeping.params_of(lanes),
        task_state=lane_keeping.task_state_of,
    ),
    Family(
        codes.PARKING,
        {"highway_env.envs.parking_env:ParkingEnv": None},
        params=lambda env, lanes: parking.params_of(env),
        task_state=parking.task_state_of,
    ),
    Family(
        codes.EXIT_RECALL,
        {
            "drivemem_envs.scenarios.exit_recall:ExitRecallWorld": Reset(
                codes.EXIT_RECALL, exit_recall.reset_params, exit_recall.reset_lane_rows
            )
        },
        ("collision_reward", "right_exit_reward", "wrong_exit_reward"),
        is_endless=True,
        params=exit_recall.params_of,
        task_state=_of_latent(exit_recall.task_state_of),
        state_from_latent=exit_recall.task_state_of,
    ),
    Family(
        codes.SINGLE_DECISION,
        {
            "drivemem_envs.scenarios.shared.single_decision:SingleDecisionWorld": Reset(
                codes.SINGLE_DECISION, single_decision.reset_params,
                single_decision.reset_lane_rows,
            )
        },
        ("collision_reward", "success_reward", "late_reward", "violation_reward"),
        is_endless=True,
        params=single_decision.params_of,
        task_state=_of_latent(single_decision.task_state_of),
        state_from_latent=single_decision.task_state_of,
    ),
    Family(codes.BATCH_TASK, {"drivemem_envs.batch_task:TaskWorld": None}, is_endless=True),
)  # fmt: skip


# Methods that make a task: a subclass with one of its own has another task.
_TASK_METHODS = (
    "step", "_simulate", "_reward", "_rewards", "_agent_reward", "_agent_rewards",
    "_is_terminated", "_is_truncated", "_is_success", "_agent_is_terminal", "has_arrived",
    "is_success", "is_wrong_route", "is_violation", "cue", "navigation", "latent",
    "ego_x",
    "_clear_vehicles", "_spawn_vehicle", "begin_episode", "announced_s", "_moment",
)  # fmt: skip
# Of these, what of the class below a `TaskWorld` still counts, and where kernels reproduce it.
_STEP_METHODS = ("step", "_simulate", "_info", "ego_x")
_STEPPED = (AbstractEnv, IntersectionEnv, ExitEnv)
# What a reset calls, of worlds and of their traffic: a subclass with its own is not compiled.
_WORLD_METHODS = (
    "reset", "_reset", "_make_road", "_make_vehicles", "_create_road", "_create_vehicles",
    "_spawn_vehicle", "_clear_vehicles",
)  # fmt: skip
TRAFFIC_METHODS = (
    "__init__",
    "__new__",
    "create_random",
    "make_on_lane",
    "randomize_behavior",
    "plan_route_to",
)


@cache
def _classes() -> dict[type[Any], tuple[Family, Reset | None]]:
    """Every world class of the table; imported on first use, for scenarios import much."""
    found = {}
    for family in FAMILIES:
        for path, reset in family.worlds.items():
            module, _, name = path.partition(":")
            found[getattr(import_module(module), name)] = family, reset
    return found


def family_of(scenario: Any) -> Family:
    """The family of a scenario's task.

    Raises:
        CompiledUnsupported: none has its world, or the world replaces a part of the task.
    """
    world = scenario.world_class()
    known = set(_classes())
    if issubclass(world, TaskWorld):
        _refuse_below(world)
        known = {TaskWorld}
    for base in world.__mro__:
        if base in known:
            return _classes()[base][0]
        changed = [name for name in _TASK_METHODS if name in vars(base)]
        refuse(bool(changed), f"{base.__name__} has {', '.join(changed)} of its own")
    refuse(True, f"{world.__name__} has a task of its own")
    raise AssertionError


def _refuse_below(world: type[Any]) -> None:
    """Refuse a `TaskWorld` over a class that is stepped in a way of its own."""
    below = world.__mro__[world.__mro__.index(TaskWorld) + 1 :]
    for base in below:
        changed = [name for name in _STEP_METHODS if name in vars(base)]
        refuse(
            bool(changed) and issubclass(base, AbstractEnv) and base not in _STEPPED,
            f"{base.__name__}, the world below the task of {world.__name__}, has "
            f"{', '.join(changed)} of its own",
        )


def changed_methods(kind: type[Any], base: type[Any], methods: Sequence[str]) -> list[str]:
    """Those methods of a class that are not its base's."""
    missing = object()
    return [
        name
        for name in methods
        if inspect.getattr_static(kind, name, missing)
        is not inspect.getattr_static(base, name, missing)
    ]


def reset_of(scenario: Any) -> Reset | str:
    """The compiled reset of a scenario's world, or why there is none."""
    world = scenario.world_class()
    base, reset = next(
        ((each, _classes()[each][1]) for each in world.__mro__ if _classes().get(each, (0, 0))[1]),
        (object, None),
    )
    if reset is None:
        return f"{world.__name__} derives from no world whose reset is compiled"
    changed = changed_methods(world, base, _WORLD_METHODS)
    if issubclass(world, TaskWorld):
        changed += changed_methods(world, TaskWorld, ("drawn",))
    if changed:
        return f"{world.__name__} replaces {', '.join(changed)} of {base.__name__}"
    config = scenario.resolved_config()
    traffic = utils.class_from_path(config["other_vehicles_type"])
    if not issubclass(traffic, IDMVehicle):
        return f"traffic of class {traffic.__name__} is no IDMVehicle"
    changed = changed_methods(traffic, IDMVehicle, TRAFFIC_METHODS)
    if changed:
        return f"{traffic.__name__} replaces {', '.join(changed)} of IDMVehicle"
    if reset.code == codes.RACETRACK and traffic is not IDMVehicle:
        return f"{world.__name__} makes IDMVehicles, whatever other_vehicles_type says"
    lane = config.get("initial_lane_id")
    if reset is _HIGHWAY and lane is not None and not 0 <= lane < config["lanes_count"]:
        return f"initial_lane_id {lane} is no lane"
    if config.get("no_lanes") == 0 or config.get("length") == 0:
        return "no_lanes or length 0 draws the road anew, by no seed"
    return reset


def why_no_reset(scenario: Any) -> str | None:
    """Why a scenario has no compiled reset; None: it has."""
    found = reset_of(scenario)
    return found if isinstance(found, str) else None


def spawns(world: type[Any]) -> bool:
    """Whether a world's traffic comes and goes as in highway-env's intersection.

    Raises:
        CompiledUnsupported: it does, in a way of its own.
    """
    if not issubclass(world, IntersectionEnv):
        return False
    changed = changed_methods(world, IntersectionEnv, ("_spawn_vehicle", "_clear_vehicles"))
    refuse(bool(changed), f"{world.__name__} replaces {', '.join(changed)}")
    return True


SPAWNING = _INTERSECTION
"""The reset whose template worlds spawn from that have none of their own."""
