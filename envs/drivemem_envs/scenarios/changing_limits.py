"""Changing limits: speed limits replace each other along a winding road with slower traffic.

Task
    Drive to the end of the road in time: on straights as fast as the last sign allows, past slower
    traffic, and slowly through the bends between them.
What is hidden
    The limit in force: `cue` names 1 of 3 limits for `cue_window_s` after its sign is passed.
What must be remembered
    The last limit, 1 of 3, until the next sign: through a bend, some 4 s, and as long on the
    straight behind it. Each sign replaces what was remembered.
Observation
    `vehicles` (6, 7), `lanes` and `ego` (see the views), `cue` (3,) one-hot, and `navigation` (3,):
    how far it is to the next bend and out of the bend, at all times (the number between is for
    junctions). The ego's own row shows where on the road it is. No time, no step count.
Actions
    LANE_LEFT, IDLE, LANE_RIGHT, FASTER, SLOWER; target speeds 8, 14, 20 and 26 m/s.
Reward
    At each decision 0.05 at the allowed speed, nothing at 0.65 of it, and less below; -0.4 in
    its place while faster than allowed; -2 collision, -1 violation, +1 success.
Outcome
    success: at the end of the road in time, and not faster than allowed for more than
    `tolerated_s` in all, nor than a bend allows for more than one decision; violation (faster for
    longer, which ends the episode); collision; timeout
    (too late, by the time that who goes at the limits on an empty road takes, and `slack_s`).
Ceiling
    Measured. At easy the ego's motion cannot carry a limit to the straight: its sign stands where
    the enforced part of a bend begins, in which all go the same way or break the rule (see
    `winding_road`), and limits are drawn each by itself, so that nothing before the sign says
    anything of it. On the straight each speed is right for one limit: faster is a violation,
    slower costs more than the slack in the long run.
Scenario parameters
    Spacing of signs: `sign_every_m` (none: one in each bend; a window: drawn at random, so that
    signs stand on straights as well, where the ego's motion could store them). Number of
    bends: `rounds`. Difficulty: `slack_s`, `spacing_m` of traffic, `straight_m`.
Source
    Rewriting tasks, in which what must be forgotten matters as much as what must be kept, on the
    road; the gate at one speed as in exit-recall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from drivemem_envs.batch_task import BatchTask, Floats, Ints, LaneIndex, Moment, Verdict
from drivemem_envs.cue_meaning import CueMeaning
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.scenarios.shared.winding_oracle import WayReader
from drivemem_envs.scenarios.shared.winding_road import (
    BEND_M,
    PACE,
    START_M,
    Course,
    Guide,
    Places,
    WindingWorld,
    make_course,
    winding_rows,
    window_of,
)
from drivemem_envs.sensing.spec import Sensors

if TYPE_CHECKING:
    from drivemem_envs.actions import OracleRule

LIMITS = (14.0, 20.0, 26.0)
"""m/s."""
_LIMIT, _ANNOUNCED, _OVER, _SIGNS, _DEADLINE, _WAY, _BEND_OVER = range(7)


class ChangingLimitsTask(BatchTask):
    """Drawn (D,): way of each sign (M), then the number of its limit (M)."""

    terms = (
        "collision_reward", "pace_reward", "over_limit_reward", "violation_reward",
        "success_reward",
    )  # fmt: skip
    cue_size = len(LIMITS)
    navigation_size = Guide.SIZE
    state_size = 7

    def __init__(self, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> None:
        super().__init__(config, lane_indices)
        road = ChangingLimitsWorld.course_of(config)
        self._goal_m, self._places = road.goal_m, Places(road.stretches, lane_indices, config)
        self._bends = [each.way_m for each in road.of("entry")]
        self._guide = Guide(road)
        self._decision_s = 1.0 / config["policy_frequency"]

    def begin(self, drawn: Floats) -> Floats:
        """The first sign stands where the ego starts."""
        state = super().begin(drawn)
        signs = drawn.shape[1] // 2
        state[:, _LIMIT] = drawn[:, signs]
        state[:, _SIGNS], state[:, _WAY] = 1, START_M
        state[:, _DEADLINE] = self._least_s(drawn) + self.config["slack_s"]
        return state

    def _least_s(self, drawn: Floats) -> Floats:
        """Time (N,) of who goes at the limit on an empty road, s."""
        way = np.arange(START_M, self._goal_m, 1.0)
        signs = drawn.shape[1] // 2
        last = (drawn[:, :signs, None] <= way).sum(1) - 1
        speed = np.take_along_axis(np.array(LIMITS)[drawn[:, signs:].astype(int)], last, axis=1)
        for begins in self._bends:
            speed[:, (way >= begins) & (way < begins + BEND_M)] = PACE
        least = np.asarray((1.0 / speed).sum(1), np.float64)
        for begins in self._bends[1:]:
            limit = speed[:, np.searchsorted(way, begins) - 1]
            least += self.config["change_s"] * (1.0 - PACE / limit)
        return least

    def judge(self, moment: Moment, drawn: Floats, state: Floats) -> Verdict:
        """Count what was driven faster than allowed; arriving in time without is success."""
        way = self._places.way_m(moment)
        state[:, _WAY] = way
        self._pass_signs(way, moment.time_s, drawn, state)
        limit = np.array(LIMITS)[state[:, _LIMIT].astype(int)]
        curved = self._places.is_curved(moment)
        adapts = moment.time_s - state[:, _ANNOUNCED] < self.config["grace_s"]
        over = (moment.speed > limit + self.config["tolerance_mps"]) & ~adapts
        state[:, _OVER] += over * self._decision_s
        in_bend, too_long = self._places.count_over(moment, state[:, _BEND_OVER])
        over |= in_bend
        allowed = np.where(curved, PACE, limit)
        unpaid = self.config["unpaid_share"]
        share = np.clip(moment.speed / allowed, 0.0, 1.0)
        pace = np.maximum((share - unpaid) / (1.0 - unpaid), -1.0) * ~over
        arrived, late = way >= self._goal_m, moment.time_s >= state[:, _DEADLINE]
        violation = too_long | (state[:, _OVER] > self.config["tolerated_s"])
        success = arrived & ~violation & ~late & ~moment.crashed
        terms = np.stack([moment.crashed, pace, over, violation, success], axis=1)
        return Verdict(
            terms.astype(np.float64),
            moment.crashed | violation | arrived,
            late,
            success,
            np.zeros_like(late),
            violation,
        )

    def _pass_signs(self, way: Floats, time_s: Floats, drawn: Floats, state: Floats) -> None:
        signs = drawn.shape[1] // 2
        passed = np.maximum((drawn[:, :signs] <= way[:, None]).sum(1), state[:, _SIGNS].astype(int))
        new = passed > state[:, _SIGNS]
        state[new, _ANNOUNCED] = time_s[new]
        state[:, _SIGNS] = passed
        state[:, _LIMIT] = np.take_along_axis(drawn[:, signs:], passed[:, None] - 1, axis=1)[:, 0]

    def cue(self, drawn: Floats, state: Floats) -> Floats:
        """The limit in force: one-hot (N, 3)."""
        return np.asarray(np.eye(len(LIMITS))[state[:, _LIMIT].astype(int)])

    def navigation(self, drawn: Floats, state: Floats) -> Floats:
        """See `Guide` (N, 3)."""
        return self._guide.tell(state[:, _WAY])

    def announced_s(self, drawn: Floats, state: Floats) -> Floats:
        """When its sign was passed (N,), s."""
        return np.asarray(state[:, _ANNOUNCED])


class ChangingLimitsWorld(WindingWorld):
    """Two lanes on straights, one in bends; slower traffic keeps the right one."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        """Those of all winding roads, and this one's."""
        return {
            **super().default_config(),
            "sign_every_m": None,  # in each bend; or [least, most] from one to the next
            "grace_s": 2.5,  # to adapt to a new limit
            "tolerance_mps": 1.0,  # faster than this above the limit counts
            "tolerated_s": 1.0,  # for so long in all
            "change_s": 2.5,  # lost to each change from the bends' pace to the limit and back
            "slack_s": 6.0,  # later than who always goes at the limit
            "collision_reward": -2.0,
            "pace_reward": 0.05,  # at the allowed speed
            "unpaid_share": 0.65,  # of the allowed speed, that pays nothing; less costs
            "over_limit_reward": -0.4,
            "violation_reward": -1.0,
            "success_reward": 1.0,
        }

    @classmethod
    def course_of(cls, config: Mapping[str, Any]) -> Course:
        """The road that a configuration asks for."""
        return make_course(config, 2)

    @classmethod
    def make_task(cls, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> BatchTask:
        """See `TaskWorld`."""
        return ChangingLimitsTask(config, lane_indices)

    def cue_meaning(self) -> CueMeaning:
        """The limits."""
        return CueMeaning("sign", tuple(f"{limit:g} m/s" for limit in LIMITS))

    def _reset(self) -> None:
        super()._reset()
        signs = [START_M]
        if self.config["sign_every_m"] is None:
            signs += [each.way_m for each in self.course.of("bend")]
        else:
            low, high = window_of(self.config, "sign_every_m")
            while len(signs) < self.course.goal_m / low + 1:
                signs.append(signs[-1] + self.np_random.uniform(low, high))
        self._signs = np.array(signs)
        # Each by itself, also the same again: the limit before it must say nothing of the next.
        self._limits = self.np_random.integers(len(LIMITS), size=len(signs))

    def drawn(self) -> Floats:
        """See `ChangingLimitsTask`."""
        return np.concatenate([self._signs, self._limits.astype(np.float64)])

    @classmethod
    def oracle(cls, scenario: Scenario) -> OracleRule:
        """The driver that is always shown the limit: fast where it may, back in lane for bends."""
        return partial(_drive, WayReader(scenario, cls.course_of(scenario.resolved_config())))


def _drive(reader: WayReader, observation: dict[str, Any], _decisions: Ints) -> Ints:
    """Actions (N,) of who is always shown the limit."""
    limits = np.array(LIMITS)[observation["cue"].argmax(axis=1)]
    views = reader.read(observation["vehicles"])
    return np.array(
        [
            view.plan(1, limit, reader.steps)
            for (view, _, _), limit in zip(views, limits.tolist(), strict=True)
        ]
    )


EASY = Scenario(
    name="changing-limits-easy-v0",
    world=f"{__name__}:ChangingLimitsWorld",
    config={"rounds": 2, "slack_s": 5.0, "spacing_m": [90.0, 150.0]},
    sensors=Sensors(cue_window_s=1.0),
    observation=winding_rows(6, 260.0),
    summary="speed limits replace each other along a winding road with slower traffic",
    time_limit_s=180.0,
    memory_horizon_s=8.0,
    tags=("free-driving", "rewriting", "gated"),
    ceiling="measured: in bends, where limits are told, all go the same way whatever the limit",
)
_TAGS = ("free-driving", "rewriting")
_HARDER = "measured: bends set speed and lane to the same values whatever the limit"
_FULL = {"slack_s": 6.0, "spacing_m": [60.0, 110.0]}
"""Of the harder levels: denser traffic, and time for more changes of speed."""
MEDIUM = EASY.level(
    "medium",
    config={**_FULL, "rounds": 4, "sign_every_m": [120.0, 320.0]},
    memory_horizon_s=12.0, observation=winding_rows(6, 490.0).model_dump(), tags=_TAGS,
    ceiling=_HARDER,
    summary="speed limits replace each other at random distances along a winding road",
)  # fmt: skip
HARD = EASY.level(
    "hard",
    config={**_FULL, "rounds": 6, "sign_every_m": [100.0, 500.0]},
    memory_horizon_s=25.0,
    tags=_TAGS,
    ceiling=_HARDER,
    observation=winding_rows(6, 700.0).model_dump(),
    summary="speed limits replace each other at random distances along a long winding road",
)  # fmt: skip
