"""Route instructions: which branch to take at each of several junctions, told in bends.

Task
    Take the branch that was told at each junction and reach the end of the road in time, past
    slower traffic and parked trucks, and slowly through the bends before junctions.
What is hidden
    Instructions: `cue` names 1 of 3 branches for `cue_window_s` after it is told.
What must be remembered
    The last instruction, 1 of 3, through a bend, some 4 s, and for as long on the straight before
    the junction as a truck on the lane of its branch bars the way. At medium half of them are
    replaced in the same bend; at hard those of all junctions are told once at the start.
Observation
    `vehicles` (8, 7), `lanes` and `ego` (see the views), `cue` (3,) one-hot, at hard (9,), and
    `navigation` (3,): how far it is to the next bend, to the next junction, and out of the bend, at
    all times. The ego's own row shows where on the road it is, and with it which junction comes
    next. No time, no step count.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT, FASTER, SLOWER; target speeds 8, 14 and 20 m/s.
Reward
    1 for a right branch, -1 for a wrong one; at each decision 0.03 at the allowed speed,
    nothing at half of it, and less below; -0.4 in its place while too fast in a bend; -2
    collision, -1 violation, +1 success.
Outcome
    success: at the end of the road in time, all branches right; wrong_route and violation (too fast
    in a bend for more than one decision), which end the episode; collision; timeout (later than who
    goes as fast as the ego can on an empty road, and `slack_s`).
Ceiling
    (1/3)^`rounds` at easy and medium, for the ego's motion cannot carry an instruction to its
    junction: it is told where the enforced part of a bend begins, in which all go the same way or
    break the rule (see `winding_road`), and nothing else says anything of it. At hard a route is
    told on a straight, where motion could store some of it: measured.
Scenario parameters
    When instructions are told: `told` (`bend`, `start`). Rewriting: `correction_share`. Number of
    junctions: `rounds`. Difficulty: `slack_s`, `spacing_m` of traffic, `straight_m`.
Source
    The T-maze (Bakker 2002) several times in an episode, with instructions that replace each
    other, as a navigator's do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from highway_env.vehicle.kinematics import Vehicle

from drivemem_envs.batch_task import BatchTask, Floats, Ints, LaneIndex, Moment, Verdict
from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.scenarios.shared.winding_oracle import WayReader
from drivemem_envs.scenarios.shared.winding_road import (
    ARC_M,
    PACE,
    START_M,
    Course,
    Guide,
    Places,
    WindingWorld,
    make_course,
    winding_rows,
)
from drivemem_envs.sensing.spec import Sensors

if TYPE_CHECKING:
    from drivemem_envs.actions import OracleRule

BRANCHES = 3
FREE_SPEED = 20.0
"""The ego's highest speed, m/s."""
_TRUCK_LENGTH, _TRUCK_WIDTH = 10.0, 2.5
_HEARD, _ANNOUNCED, _BEND_OVER, _JUNCTION, _IN_FORK, _WAY = range(6)


class RouteInstructionsTask(BatchTask):
    """Drawn (D,): of each instruction the way where it is told (M), and its branch (M).

    There are `told` for each junction, the last of which that is ever told counts.
    """

    terms = (
        "collision_reward", "pace_reward", "over_limit_reward", "violation_reward",
        "right_branch_reward", "wrong_branch_reward", "success_reward",
    )  # fmt: skip
    navigation_size = Guide.SIZE
    state_size = 6

    def __init__(self, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> None:
        super().__init__(config, lane_indices)
        road = RouteInstructionsWorld.course_of(config)
        self._goal_m, self._places = road.goal_m, Places(road.stretches, lane_indices, config)
        self._rounds, self._at_start = int(config["rounds"]), config["told"] == "start"
        self.cue_size = BRANCHES * (self._rounds if self._at_start else 1)
        bends_m = sum(each.length for each in road.stretches if each.kind in ("entry", "bend"))
        free_m = self._goal_m - START_M - bends_m
        self._deadline_s = bends_m / PACE + free_m / FREE_SPEED + config["slack_s"]
        self._guide = Guide(road)

    def begin(self, drawn: Floats) -> Floats:
        """Nothing is heard yet."""
        state = super().begin(drawn)
        state[:, _WAY] = START_M
        return state

    def _route(self, drawn: Floats) -> tuple[Floats, Ints]:
        """Ways and branches of instructions (N, R, 2): second a correction, at inf if none."""
        ways, branches = np.split(drawn, 2, axis=1)
        shape = (len(drawn), self._rounds, 2)
        return ways.reshape(shape), branches.reshape(shape).astype(np.int64)

    def judge(self, moment: Moment, drawn: Floats, state: Floats) -> Verdict:
        """A wrong branch ends the episode; arriving in time and unharmed is success."""
        way = self._places.way_m(moment)
        state[:, _WAY] = way
        self._listen(way, moment.time_s, drawn, state)
        right, wrong = self._choose(moment, drawn, state)
        curved = self._places.is_curved(moment)
        over, violation = self._places.count_over(moment, state[:, _BEND_OVER])
        pace = (
            2.0 * np.clip(moment.speed / np.where(curved, PACE, FREE_SPEED), 0.0, 1.0) - 1.0
        ) * ~over
        arrived, late = way >= self._goal_m, moment.time_s >= self._deadline_s
        success = arrived & ~violation & ~late & ~moment.crashed
        terms = [moment.crashed, pace, over, violation, right, wrong, success]
        return Verdict(
            np.stack(terms, axis=1).astype(np.float64),
            moment.crashed | wrong | violation | arrived,
            late,
            success,
            wrong,
            violation,
        )

    def _listen(self, way: Floats, time_s: Floats, drawn: Floats, state: Floats) -> None:
        if self._at_start:
            return
        ways, _ = self._route(drawn)
        new = ((ways > state[:, _HEARD, None, None]) & (ways <= way[:, None, None])).any((1, 2))
        state[new, _ANNOUNCED] = time_s[new]
        state[:, _HEARD] = np.maximum(state[:, _HEARD], way)

    def _choose(self, moment: Moment, drawn: Floats, state: Floats) -> tuple[Any, Any]:
        """Whether the ego has just taken the right branch (N,), and whether a wrong one."""
        taken = self._places.branch(moment)
        new = (taken >= 0) & (state[:, _IN_FORK] == 0)
        ways, branches = self._route(drawn)
        at = np.minimum(state[:, _JUNCTION].astype(int), self._rounds - 1)
        rows = np.arange(len(drawn))
        corrected = np.isfinite(ways[rows, at, 1]).astype(int)
        told = branches[rows, at, corrected]
        state[:, _JUNCTION] += new
        state[:, _IN_FORK] = taken >= 0
        return new & (taken == told), new & (taken != told)

    def cue(self, drawn: Floats, state: Floats) -> Floats:
        """The last instruction (N, 3); told at the start, those of all junctions (N, R * 3)."""
        ways, branches = self._route(drawn)
        if self._at_start:
            return np.eye(BRANCHES)[branches[:, :, 0]].reshape(len(drawn), -1)
        ways = ways.reshape(len(drawn), -1)
        is_heard = np.asarray(ways <= state[:, _HEARD, None])
        heard = np.where(is_heard, ways, -1.0).argmax(axis=1)
        last = np.take_along_axis(branches.reshape(len(drawn), -1), heard[:, None], axis=1)[:, 0]
        return np.asarray(np.eye(BRANCHES)[last] * is_heard.any(axis=1, keepdims=True))

    def navigation(self, drawn: Floats, state: Floats) -> Floats:
        """See `Guide` (N, 3)."""
        return self._guide.tell(state[:, _WAY])

    def announced_s(self, drawn: Floats, state: Floats) -> Floats:
        """When it was told (N,), s."""
        return np.asarray(state[:, _ANNOUNCED])


class RouteInstructionsWorld(WindingWorld):
    """Three lanes on straights, one in bends, and three branches at junctions."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """Those of all winding roads, and this one's."""
        return {
            **super().default_config(),
            "action": {"type": "DiscreteMetaAction", "target_speeds": [8, 14, 20]},
            "rounds": 3,
            "straight_m": 110.0,
            "fork_m": 40.0,
            "told": "bend",  # each in the bend ahead of its junction; or all at the "start"
            "correction_share": 0.0,  # of junctions whose instruction is replaced in the bend
            "slack_s": 20.0,  # later than who always goes as fast as the ego can
            "collision_reward": -2.0,
            "pace_reward": 0.03,  # at the allowed speed; nothing at half of it
            "over_limit_reward": -0.4,
            "violation_reward": -1.0,
            "right_branch_reward": 1.0,
            "wrong_branch_reward": -1.0,
            "success_reward": 1.0,
        }

    @classmethod
    def course_of(cls, config: Mapping[str, Any]) -> Course:
        """The road that a configuration asks for."""
        return make_course(config, BRANCHES, config["fork_m"])

    @classmethod
    def make_task(cls, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> BatchTask:
        """See `TaskWorld`."""
        return RouteInstructionsTask(config, lane_indices)

    def cue_meaning(self) -> CueMeaning:
        """The branches of each junction."""
        names = tuple(f"branch {number + 1}" for number in range(BRANCHES))
        forks = self.course.of("fork")[::2]  # each branch has two halves
        lanes = [(each.start, each.end, 0) for each in forks]
        at = range(0, len(lanes), BRANCHES)
        return CueMeaning("instruction", names, tuple(tuple(lanes[k : k + BRANCHES]) for k in at))

    @classmethod
    def oracle(cls, scenario: Scenario) -> OracleRule:
        """The driver that is always shown the instruction."""
        return partial(_drive, WayReader(scenario, cls.course_of(scenario.resolved_config())))

    def _reset(self) -> None:
        told, share = self.config["told"], self.config["correction_share"]
        if told not in ("bend", "start"):
            raise ValueError(f"told is {told!r}; choose 'bend' or 'start'")
        if not 0.0 <= share <= (1.0 if told == "bend" else 0.0):
            raise ValueError(
                f"correction_share is {share} and told '{told}'; choose 0 to 1 with 'bend', and 0 "
                "with 'start', where all is told at once"
            )
        super()._reset()
        draw, rounds = self.np_random, self.config["rounds"]
        branches = draw.integers(BRANCHES, size=(rounds, 2))
        branches[:, 1] = (branches[:, 0] + draw.integers(1, BRANCHES, size=rounds)) % BRANCHES
        corrected = draw.random(rounds) < share
        bends = np.array([each.way_m for each in self.course.of("bend")])
        first = np.zeros(rounds) if told == "start" else bends
        later = np.where(corrected, bends + ARC_M / 3, np.inf)
        ways = np.stack([first, later], axis=1)
        self._told = np.concatenate([ways.ravel(), branches.ravel()])

    def drawn(self) -> Floats:
        """See `RouteInstructionsTask`."""
        return np.asarray(self._told, np.float64)

    def _make_traffic(self) -> None:
        """Also a truck parked on one of the outer lanes before each junction."""
        super()._make_traffic()
        stretches = self.course.stretches
        for here, after in pairwise(stretches):
            if here.kind == "straight" and after.kind == "fork":
                lane = 2 * int(self.np_random.integers(2))
                along = here.length * self.np_random.uniform(0.4, 0.6)
                index = (here.start, here.end, lane)
                truck = Vehicle.make_on_lane(self.road, index, along, speed=0.0)
                truck.LENGTH, truck.WIDTH = _TRUCK_LENGTH, _TRUCK_WIDTH
                truck.diagonal = np.sqrt(_TRUCK_LENGTH**2 + _TRUCK_WIDTH**2)
                self.road.vehicles.append(truck)


def _drive(reader: WayReader, observation: dict[str, Any], _decisions: Ints) -> Ints:
    """Actions (N,) of who is always shown the instruction."""
    cues = observation["cue"].reshape(len(observation["cue"]), -1, BRANCHES)
    actions = []
    for (view, junction, at_fork), cue in zip(
        reader.read(observation["vehicles"]), cues, strict=True
    ):
        goal = int(cue[min(junction, len(cue) - 1)].argmax()) if at_fork else 1
        actions.append(view.plan(goal, FREE_SPEED, reader.steps))
    return np.array(actions)


EASY = Scenario(
    name="route-instructions-easy-v0",
    world=f"{__name__}:RouteInstructionsWorld",
    config={"rounds": 2, "spacing_m": [90.0, 150.0]},
    sensors=Sensors(cue_window_s=1.0),
    observation=winding_rows(8, 300.0),
    summary="take the branch that was told in each bend, through slower traffic",
    time_limit_s=180.0,
    memory_horizon_s=6.0,
    tags=("free-driving", "rewriting", "gated"),
    ceiling_success=1 / 9,
    ceiling="in bends, where branches are told, all go the same way whatever was told",
)
_TAGS = ("free-driving", "rewriting")
_FULL = {"rounds": 3, "spacing_m": [60.0, 110.0]}
"""Of the harder levels: one more junction, and denser traffic."""
MEDIUM = EASY.level(
    "medium", config={**_FULL, "correction_share": 0.5}, ceiling_success=1 / 27, tags=_TAGS,
    observation=winding_rows(8, 450.0).model_dump(),
    summary="take the branch that was told last in each bend, where half are corrected",
)  # fmt: skip
HARD = EASY.level(
    "hard", config={**_FULL, "told": "start"}, memory_horizon_s=45.0,
    ceiling_success=None, tags=_TAGS,
    ceiling="measured: bends set speed and lane to the same values whatever was told",
    observation=winding_rows(8, 450.0).model_dump(),
    summary="take the branches of a route that was told once at the start",
)  # fmt: skip
