"""Numbers that kernels compare: task families, facts about the ego, and the entries of a task."""

from __future__ import annotations

# Families of tasks; `families` says what each of them is. Those from CUSTOM on are drivemem's own
# and find their terms, their goal and their violations themselves; BATCH_TASK does so in NumPy.
(
    HIGHWAY, EXIT, MERGE, ROUNDABOUT, INTERSECTION, TWO_WAY, U_TURN, RACETRACK, KEEPING, PARKING,
    EXIT_RECALL, SINGLE_DECISION, BATCH_TASK,
) = range(13)  # fmt: skip
CUSTOM = EXIT_RECALL

# Resets are numbered by the family of their task, but for worlds that share a task and begin in
# another way, and those whose scenes highway-env makes itself (see `scenes.scene_bank`).
MERGE_GENERIC, ROUNDABOUT_GENERIC = 13, 14
NO_RESET = -1

# Facts about the ego after a step (FACTS,). Flags are 0 or 1; speeds m/s, angles rad, lengths m.
# LANE is the id of the lane that the task looks at (the target lane for drivers with one), LANES
# how many lie beside the ego; LATERAL the offset from the ego's lane as a share of nothing, m;
# MERGING the sum over merging cars; GOAL whether the goal is reached (exit lane, far end of the
# intersection, parked); RIGHT_GOAL and WRONG_GOAL which of several was reached; VIOLATION
# whether a rule is broken; SURVIVED whether the time is over without a crash (a term of drivemem's
# highways); TIME simulated s; FIRST_TERM … FIRST_TERM + TERMS the terms of a world of drivemem's
# own, which its file finds itself.
(
    CRASHED, ON_ROAD, SPEED, HEADING, X, LANE, LANES, SPEED_INDEX, SPEEDS, LATERAL, LANE_WIDTH,
    LANE_CHANGE, ACTION_NORM, MERGING, GOAL, GOAL_DISTANCE, ON_STRAIGHT, RIGHT_GOAL, WRONG_GOAL,
    VIOLATION, SURVIVED, TIME, FIRST_TERM,
) = range(23)  # fmt: skip

TERMS = 5
FACTS = FIRST_TERM + TERMS

# A task (TASK,): family, weights of its terms, and how the sum becomes the reward and the end.
FAMILY = 0
WEIGHT = 1  # … WEIGHT + TERMS
(
    NORMALIZE, LOW, HIGH, SPEED_LOW, SPEED_HIGH, DURATION, DECISION, OFF_ROAD_ENDS, GOAL_ENDS,
    END_X, CENTERING_COST, GOAL_RADIUS, CRASH_ENDS, STEP_LIMIT, SQUARE,
) = range(WEIGHT + TERMS, WEIGHT + TERMS + 15)  # fmt: skip
TASK = WEIGHT + TERMS + 15
