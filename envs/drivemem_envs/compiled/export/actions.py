"""From highway-env's action types to the numbers that the control kernels read."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from highway_env.envs.common.action import ContinuousAction, DiscreteAction, DiscreteMetaAction
from highway_env.vehicle.controller import MDPVehicle
from numpy.typing import NDArray

from drivemem_envs.compiled.export.actors import kind_of
from drivemem_envs.compiled.export.supported import known_base, refuse
from drivemem_envs.compiled.records import (
    ALL_ACTIONS,
    BICYCLE,
    KINEMATIC,
    LATERAL_ACTIONS,
    LINEAR,
    LONGITUDINAL_ACTIONS,
    LOW_LEVEL_ACTION,
    MDP,
    META_ACTION,
    NO_ACTION,
)

_META, _CONTINUOUS, _DISCRETE = range(3)


@dataclass
class Actions:
    """What an agent's action means."""

    kind: int = NO_ACTION
    vocabulary: int = ALL_ACTIONS
    speeds: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """(S,) target speeds of the ego, m/s."""
    acceleration_range: tuple[float, float] = (0.0, 0.0)
    steering_range: tuple[float, float] = (0.0, 0.0)
    longitudinal: bool = False
    lateral: bool = False
    clips: bool = False
    speed_range: tuple[float, float] | None = None
    controls: NDArray[np.float32] | None = None

    def fill(self, world: Any) -> None:
        """Write into a WORLD record."""
        world.action, world.vocabulary = self.kind, self.vocabulary
        world.speeds = len(self.speeds)
        world.acceleration_low, world.acceleration_high = self.acceleration_range
        world.steering_low, world.steering_high = self.steering_range
        world.longitudinal, world.lateral = self.longitudinal, self.lateral
        world.clips = self.clips
        # NumPy's promotion: a float32 action stays one beside Python numbers, not beside NumPy's.
        world.wide_acceleration = any(_is_wide(bound) for bound in self.acceleration_range)
        world.wide_steering = any(_is_wide(bound) for bound in self.steering_range)


def _is_wide(bound: Any) -> bool:
    return isinstance(bound, np.float64)


def export_actions(env: Any, ego: Any) -> Actions:
    """Read an environment's action type.

    Raises:
        CompiledUnsupported: another action type, or one that does not fit the ego's class.
    """
    if ego is None:
        return Actions()
    action = env.action_type
    known = {DiscreteMetaAction: _META, ContinuousAction: _CONTINUOUS, DiscreteAction: _DISCRETE}
    kind = known_base(action, known)
    fits = (KINEMATIC, BICYCLE) if kind != _META else (*range(LINEAR + 1), MDP)
    refuse(
        kind_of(ego) not in fits,
        f"{type(action).__name__} acts on a {type(ego).__name__}",
    )
    if kind == _META:
        vocabulary = {
            (True, True): ALL_ACTIONS,
            (True, False): LONGITUDINAL_ACTIONS,
            (False, True): LATERAL_ACTIONS,
        }[bool(action.longitudinal), bool(action.lateral)]
        speeds = ego.target_speeds if isinstance(ego, MDPVehicle) else action.target_speeds
        return Actions(META_ACTION, vocabulary, np.array(speeds, dtype=np.float64))
    return Actions(
        LOW_LEVEL_ACTION,
        acceleration_range=tuple(action.acceleration_range),
        steering_range=tuple(action.steering_range),
        longitudinal=action.longitudinal,
        lateral=action.lateral,
        clips=action.clip,
        speed_range=action.speed_range,
        controls=_controls(action) if kind == _DISCRETE else None,
    )


def _controls(action: Any) -> NDArray[np.float32]:
    """`DiscreteAction.act`: the continuous actions on a grid."""
    space = ContinuousAction.space(action)
    axes = np.linspace(space.low, space.high, action.actions_per_axis).T
    grid = np.array(list(itertools.product(*axes)), dtype=np.float32)
    table = np.zeros((len(grid), 2), dtype=np.float32)
    table[:, : grid.shape[1]] = grid
    return table
