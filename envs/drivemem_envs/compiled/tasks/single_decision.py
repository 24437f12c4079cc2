"""`SingleDecisionWorld` in kernels: a world's script as a table of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivemem_envs._jit import Floats, Ints, jit
from drivemem_envs.compiled.records import IDLE, NONE, OneWorld
from drivemem_envs.compiled.tasks import reward as tasks
from drivemem_envs.scenarios._shared.single_decision import ANY, LIMIT_TOLERANCE

# What a world remembers in an episode, in whole numbers.
KIND, CHOICE, CLOCK = range(3)
HIDDEN = 3

# Parameters: the choice's decision, the way's direction, goal and rule zone (m), and how many
# kinds, events, phases and rules follow, as rows of DEADLINE … RULE columns each.
RELEASE, DIRECTION_X, DIRECTION_Y, GOAL_M, ZONE_FROM, ZONE_TO, KINDS, EVENTS, PHASES, RULES = range(
    10
)
HEAD = 10
# An event: its kind, when, whose row, whether it moves (else accelerates), three numbers.
EVENT_KIND, EVENT_AT, EVENT_ROW, EVENT_MOVES, EVENT_A, EVENT_B, EVENT_C = range(7)
EVENT = 7
# A phase: after which choice, when, speed m/s, the row of a lane or NONE.
PHASE_CHOICE, PHASE_AT, PHASE_SPEED, PHASE_LANE = range(4)
PHASE = 4
# A rule: its kind, from and to which decision, limit m/s.
RULE_KIND, RULE_FROM, RULE_TO, RULE_LIMIT = range(4)
RULE = 4


def numbers_of(env: Any, lanes: dict[tuple[str, str, int], int]) -> list[float]:
    """Parameters of a live world.

    Args:
        env: the live world after a reset.
        lanes: row of each lane in the network's table.
    """
    script, course = env._script, env.course()
    cars = len(env.cars())
    head = [
        script.decision_step, *course.direction, course.goal_m, *course.zone_m,
        len(script.deadlines), len(script.events), len(script.plans), len(script.rules),
        *script.deadlines,
    ]  # fmt: skip
    for kind, at, actor, moves, *rest in script.events:
        # Cars come behind the ego; signs count from -1 down, for where objects begin is not known.
        row = actor + 1 if actor < cars else cars - actor - 1
        head += [kind, at, row, moves, *rest]
    for choice, at, speed, lane in script.plans:
        head += [choice, at, speed, NONE if lane is None else lanes[lane]]
    for rule in script.rules:
        head += rule
    return [float(each) for each in head]


def hidden_of(kinds: Floats) -> Ints:
    """What worlds remember after a reset (R, HIDDEN).

    Args:
        kinds: the one-hot kinds of scenes (R, K).
    """
    hidden = np.zeros((len(kinds), HIDDEN), dtype=np.int64)
    hidden[:, KIND] = kinds.argmax(axis=1)
    hidden[:, CHOICE] = ANY
    return hidden


@jit(inner=True)
def _happen(one: OneWorld, numbers: Floats, hidden: Ints, first: int) -> None:
    """Let happen to cars and signs what is due."""
    for event in range(int(numbers[EVENTS])):
        at = first + EVENT * event
        kind = numbers[at + EVENT_KIND]
        if numbers[at + EVENT_AT] != hidden[CLOCK] or (kind != ANY and kind != hidden[KIND]):
            continue
        row = int(numbers[at + EVENT_ROW])
        it = one.actors[row if row > 0 else one.world[0].first_object - 1 - row]
        if numbers[at + EVENT_MOVES] > 0.0:
            it.x, it.y = numbers[at + EVENT_A], numbers[at + EVENT_B]
            it.speed = numbers[at + EVENT_C]
        else:
            it.steering, it.acceleration = 0.0, numbers[at + EVENT_A]


@jit(inner=True)
def before(one: OneWorld, numbers: Floats, hidden: Ints, action: float) -> float:
    """`_simulate`, up to highway-env's: what is planned and what happens in this decision.

    Args:
        one: the world.
        numbers: the script, see `numbers_of`.
        hidden: (HIDDEN,) of this world.
        action: what the agent chose.

    Returns:
        The action that is simulated.
    """
    if hidden[CLOCK] == numbers[RELEASE]:
        hidden[CHOICE] = int(action)
    first = HEAD + int(numbers[KINDS])
    _happen(one, numbers, hidden, first)
    first += EVENT * int(numbers[EVENTS])
    ego = one.actors[one.world[0].ego]
    for phase in range(int(numbers[PHASES])):
        at = first + PHASE * phase
        choice = numbers[at + PHASE_CHOICE]
        if numbers[at + PHASE_AT] == hidden[CLOCK] and (choice == ANY or choice == hidden[CHOICE]):
            ego.target_speed = numbers[at + PHASE_SPEED]
            if numbers[at + PHASE_LANE] != NONE:
                ego.target_lane = int(numbers[at + PHASE_LANE])
    hidden[CLOCK] += 1
    return float(IDLE)


@jit(inner=True)
def _violates(numbers: Floats, hidden: Ints, way: float, speed: float) -> bool:
    """`is_violation`."""
    if way < numbers[ZONE_FROM] or way > numbers[ZONE_TO]:
        return False
    first = HEAD + int(numbers[KINDS]) + EVENT * int(numbers[EVENTS]) + PHASE * int(numbers[PHASES])
    for rule in range(int(numbers[RULES])):
        at = first + RULE * rule
        kind = numbers[at + RULE_KIND]
        if (
            (kind == ANY or kind == hidden[KIND])
            and numbers[at + RULE_FROM] <= hidden[CLOCK]
            and hidden[CLOCK] < numbers[at + RULE_TO]
            and speed > numbers[at + RULE_LIMIT] + LIMIT_TOLERANCE
        ):
            return True
    return False


@jit(inner=True)
def find_facts(one: OneWorld, numbers: Floats, hidden: Ints, facts: Floats) -> None:
    """`is_violation`, `is_success` and `is_late`, as facts."""
    ego = one.actors[one.world[0].ego]
    way = numbers[DIRECTION_X] * ego.x + numbers[DIRECTION_Y] * ego.y
    violation = _violates(numbers, hidden, way, ego.speed)
    success = way >= numbers[GOAL_M] and not violation
    due = numbers[RELEASE] + numbers[HEAD + hidden[KIND]]
    late = hidden[CLOCK] >= due and not success and not violation
    intact = facts[tasks.CRASHED] == 0.0
    facts[tasks.GOAL] = 1.0 if success or violation or late else 0.0
    facts[tasks.RIGHT_GOAL] = 1.0 if success else 0.0
    facts[tasks.VIOLATION] = 1.0 if violation else 0.0
    facts[tasks.FIRST_TERM] = facts[tasks.CRASHED]
    facts[tasks.FIRST_TERM + 1] = 1.0 if success and intact else 0.0
    facts[tasks.FIRST_TERM + 2] = 1.0 if late and intact else 0.0
    facts[tasks.FIRST_TERM + 3] = 1.0 if violation and intact else 0.0
