"""What a task in NumPy is told of a world after a decision, `batch_task.Moment`, from a kernel."""

from __future__ import annotations

from drivemem_envs._jit import Floats, jit
from drivemem_envs.compiled.dynamics.lanes import is_on_lane, local_coordinates
from drivemem_envs.compiled.records import MDP, OneWorld

# Columns (MOMENT,), in the order of the fields of `batch_task.Moment`.
(
    TIME_S, X, Y, HEADING, SPEED, LANE, TARGET_LANE, LONGITUDINAL, LATERAL, ON_ROAD, CRASHED,
) = range(11)  # fmt: skip
MOMENT = 11


@jit
def leave_moment(one: OneWorld, time_s: float, moment: Floats) -> None:
    """Write what a world is like.

    Args:
        one: the world, after a decision.
        time_s: since the episode began, s.
        moment: written (MOMENT,).
    """
    ego = one.actors[one.world[0].ego]
    lane = one.lanes[ego.lane]
    longitudinal, lateral = local_coordinates(lane, one.points, ego.x, ego.y)
    moment[TIME_S] = time_s
    moment[X], moment[Y], moment[HEADING], moment[SPEED] = ego.x, ego.y, ego.heading, ego.speed
    moment[LANE] = ego.lane
    moment[TARGET_LANE] = ego.target_lane if ego.kind <= MDP else ego.lane
    moment[LONGITUDINAL], moment[LATERAL] = longitudinal, lateral
    moment[ON_ROAD] = 1.0 if is_on_lane(lane, one.points, longitudinal, lateral, 0.0) else 0.0
    moment[CRASHED] = 1.0 if ego.crashed else 0.0
