"""What a task looks at: facts about the ego of a compiled world, in highway-env's arithmetic."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.dynamics.lanes import is_on_lane, local_coordinates
from drivemem_envs.compiled.records import MDP, STRAIGHT, OneWorld

# What a lane means to the task (one code per lane): the ramp's lane on which merging cars are
# counted, a lane that is the goal, a lane on which the ego has arrived after ARRIVED_M.
PLAIN, MERGING_LANE, GOAL_LANE, ARRIVAL_LANE = range(4)

ARRIVED_M = 25.0
"""`IntersectionEnv.has_arrived`'s exit_distance, m."""


class Task(NamedTuple):
    """What N worlds reward, when they end, and where their episodes are."""

    vector: Floats
    """(TASK,) see `tasks`."""
    lanes: NDArray[np.int8]
    """(M, L) what each lane of each network means."""
    params: Floats
    """(P,) parameters of a world of drivemem's own; see its file."""
    task_state: Ints
    """(N, H) what such a world remembers in an episode; see its file."""
    time_s: Floats
    """(N,) simulated time, summed up decision by decision."""
    limit_s: Floats
    """(1,) drivemem's own time limit or inf."""


@jit
def _lane_facts(one: OneWorld, task: Task, facts: Floats) -> None:
    """Where the ego is, and whether it has reached the goal."""
    world = one.world[0]
    ego = one.actors[world.ego]
    family = task.vector[codes.FAMILY]
    lane = one.lanes[ego.lane]
    longitudinal, lateral = local_coordinates(lane, one.points, ego.x, ego.y)
    facts[codes.ON_ROAD] = 1.0 if is_on_lane(lane, one.points, longitudinal, lateral, 0.0) else 0.0
    looked_at = ego.lane
    if family in (codes.HIGHWAY, codes.EXIT, codes.TWO_WAY) and ego.kind <= MDP:
        looked_at = ego.target_lane
    facts[codes.LANE] = one.lanes[looked_at].number
    facts[codes.LANES] = one.roads[lane.road].lanes
    facts[codes.LATERAL], facts[codes.LANE_WIDTH] = lateral, lane.width
    facts[codes.ON_STRAIGHT] = 1.0 if lane.kind == STRAIGHT else 0.0
    meaning = task.lanes[world.network, looked_at]
    reached = meaning == GOAL_LANE or (meaning == ARRIVAL_LANE and longitudinal >= ARRIVED_M)
    facts[codes.GOAL] = 1.0 if reached else 0.0


@jit
def merging_shortfall(one: OneWorld, task: Task) -> float:
    """Sum over cars on the ramp's last lane of how far below their wished speed they are."""
    world = one.world[0]
    total = 0.0
    for actor in range(int(world.vehicles)):
        it = one.actors[actor]
        if it.kind <= MDP and task.lanes[world.network, it.lane] == MERGING_LANE:
            total += (it.target_speed - it.speed) / it.target_speed
    return total


@jit
def action_norm(action: NDArray[np.float32]) -> float:
    """`np.linalg.norm` of a float32 action; what the space lacks is 0 here."""
    first, second = action[0] * action[0], action[1] * action[1]
    return float(np.sqrt(np.float32(float(first) + float(second))))


@jit
def find_facts(one: OneWorld, task: Task, action: NDArray[np.float32], facts: Floats) -> None:
    """Write the facts (FACTS,) about a world after a decision.

    Args:
        one: the world.
        task: the task of all worlds.
        action: (2,) what the agent chose.
        facts: written (FACTS,).
    """
    world = one.world[0]
    ego = one.actors[world.ego]
    facts[codes.CRASHED] = 1.0 if ego.crashed else 0.0
    facts[codes.SPEED], facts[codes.HEADING], facts[codes.X] = ego.speed, ego.heading, ego.x
    facts[codes.SPEED_INDEX], facts[codes.SPEEDS] = ego.speed_index, world.speeds
    facts[codes.LANE_CHANGE] = 1.0 if action[0] == 0.0 or action[0] == 2.0 else 0.0
    _lane_facts(one, task, facts)
    facts[codes.ACTION_NORM] = action_norm(action)
    if task.vector[codes.FAMILY] == codes.MERGE:
        facts[codes.MERGING] = merging_shortfall(one, task)


def meanings(family: float, lane_indices: list[tuple[str, str, int]], lanes_count: int) -> Ints:
    """What the lanes of a network mean to a family's task.

    Args:
        family: a code of `tasks`.
        lane_indices: highway-env's indices of the lanes.
        lanes_count: of the configuration, for the exit.

    Returns:
        Codes (L,).
    """
    lane_codes = np.full(len(lane_indices), PLAIN, dtype=np.int64)
    for row, (start, end, number) in enumerate(lane_indices):
        if family == codes.MERGE and (start, end, number) == ("b", "c", 2):
            lane_codes[row] = MERGING_LANE
        if family == codes.EXIT and (start, end, number) in (
            ("1", "2", lanes_count),
            ("2", "exit", 0),
        ):
            lane_codes[row] = GOAL_LANE
        if family == codes.INTERSECTION and "il" in str(start) and "o" in str(end):
            lane_codes[row] = ARRIVAL_LANE
    return lane_codes
