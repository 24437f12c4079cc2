"""A driver that plans on the truth: the oracle of any scenario that compiles.

At every decision it drives copies of its world through many sequences of actions, and takes the
first action of the best. What it foresees is what happens; it fails where it searches too little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import Field

from drivemem_envs.checked import Checked
from drivemem_envs.drivers.constant import action_labels
from drivemem_envs.making import compiles
from drivemem_envs.outcomes import COLLISION, SUCCESS
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.sensing.spec import Tracker

if TYPE_CHECKING:
    from drivemem_envs.compiled.copies import WorldCopies

HORIZON_S, LEAST_DECISIONS = 5.0, 10
"""How far ahead it looks unless told otherwise, s, and in decisions at least."""
ROUNDS = 3
"""In how many rounds the candidates are drawn; each varies the best of those before it."""
PARENTS = 4
"""How many of the best are varied."""
CHANGED = 0.15
"""Share of a plan's actions that a variation draws anew."""
IDLE = 0.4
"""Share of the actions drawn that are to do nothing, which a good plan mostly does."""
MOST_SHIFTED = 2
"""Decisions by which a variation comes sooner or later than its parent, at most."""
LATEST_SECOND = 8
"""Decisions after which the second action of a simple manoeuvre comes, at most."""
CONTROLS = np.linspace(-1.0, 1.0, 5)
"""What a continuous control is chosen from."""

Plans = NDArray[np.int64]


class PlannerSettings(Checked):
    """How far and how widely the planner searches."""

    horizon_s: float | None = Field(default=None, gt=0.0, le=60.0)
    """How far ahead it looks, s; None: as far as the scenario states, else 5 s, or ten decisions
    where these take longer."""
    candidates: int = Field(default=48, ge=2 * ROUNDS, le=100_000)
    """Plans tried at each decision."""
    discount: float = Field(default=1.0, gt=0.0, le=1.0)
    """Weight of a reward against that of the decision before it."""

    @classmethod
    def parse(cls, text: str) -> PlannerSettings:
        """Settings from `key=value,key=value`; those not named are the defaults.

        Raises:
            ValueError: no such words, fields or values.
        """
        given: dict[str, Any] = {}
        for word in filter(None, text.split(",")):
            key, equals, value = word.partition("=")
            if not equals:
                raise ValueError(
                    f"planner takes key=value words, as in planner:horizon_s=8, but got '{word}' "
                    f"(one of: {', '.join(cls.model_fields)})"
                )
            given[key] = value
        return cls(**given)


class PlannerDriver:
    """Searches for the plan that ends well with the largest sum of rewards.

    A plan that ends in success is better than any that goes on, and one that ends in harm (a
    collision, off the road, on a wrong route, in a violation) worse, the more so the sooner; among
    equals the rewards decide. Episodes go the same however many worlds are driven at once: what is
    drawn follows from the episode and the decision alone.

    Args:
        settings: see `PlannerSettings.parse`.
        scenario: what it drives.
        action_space: of one world.

    Raises:
        ValueError: settings that do not fit, or a scenario whose worlds cannot be copied, as it
            does not compile.
    """

    tracker: Tracker = "none"
    full_sensors = True

    def __init__(self, settings: str, scenario: Scenario, action_space: spaces.Space[Any]) -> None:
        self.settings = PlannerSettings.parse(settings)
        reason = compiles(scenario.twin())
        if reason is not None:
            raise ValueError(
                "the planner tries its actions in copies of compiled worlds, and "
                f"{scenario.name} does not compile: {reason}"
            )
        self._choices, self._idle = _choices(scenario, action_space)
        ahead_s = (
            self.settings.horizon_s
            or scenario.planning_horizon_s
            or max(HORIZON_S, LEAST_DECISIONS * scenario.decision_s)
        )
        self._horizon = max(round(ahead_s / scenario.decision_s), 1)
        self._plain, self._turns = _manoeuvres(len(self._choices), self._idle, self._horizon)
        self._copies: WorldCopies | None = None

    def meet(self, env: Any) -> None:
        """Be shown the worlds that it is going to drive.

        Args:
            env: a vector environment of the compiled backend.

        Raises:
            ValueError: its worlds cannot be copied.
        """
        if getattr(env, "backend", None) != "compiled":
            raise ValueError(
                "the planner tries its actions in copies of the worlds, which the reference "
                "backend cannot make: drive with backend='compiled' (a recording can be watched)"
            )
        from drivemem_envs.compiled.copies import WorldCopies

        if self._copies is not None:
            self._copies.close()
        self._copies = WorldCopies(env.worlds)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[Any], Any]:
        """The first actions of the best plans; the state is what is left of these. See `Driver`.

        Raises:
            ValueError: it has not met the worlds.
        """
        copies = self._met()
        if state is None:
            state = np.full((len(copies.decisions), self._horizon), self._idle)
        if episode_start is not None:
            state = np.where(episode_start[:, None], self._idle, state)
        plans = self.search(state)
        return self._choices[plans[:, 0]], _shifted(plans, -1, self._idle)

    def search(self, state: Plans) -> Plans:
        """The best plans for the worlds as they are (N, H), as numbers of choices.

        Args:
            state: plans to begin with (N, H).
        """
        copies = self._met()
        draws = [
            np.random.Generator(np.random.Philox(key=[int(seed), int(decision)]))
            for seed, decision in zip(copies.seeds.view(np.uint64), copies.decisions, strict=True)
        ]
        share = self.settings.candidates // ROUNDS
        first = self.settings.candidates - (ROUNDS - 1) * share
        drawn = zip(state, draws, strict=True)
        plans = np.stack([self._first_plans(left, draw, first) for left, draw in drawn])
        ends, sums = self._judge(plans)
        for _ in range(ROUNDS - 1):
            order = np.lexsort((-sums, -ends), axis=1)[:, :PARENTS]
            parents = zip(np.take_along_axis(plans, order[..., None], axis=1), draws, strict=True)
            varied = np.stack([self._variations(best, draw, share) for best, draw in parents])
            judged = self._judge(varied)
            plans = np.concatenate([plans, varied], axis=1)
            ends = np.concatenate([ends, judged[0]], axis=1)
            sums = np.concatenate([sums, judged[1]], axis=1)
        return plans[np.arange(len(plans)), np.lexsort((-sums, -ends), axis=1)[:, 0]]

    def _met(self) -> WorldCopies:
        if self._copies is None:
            raise ValueError("the planner must meet the worlds before it drives: call meet(env)")
        return self._copies

    def _first_plans(self, left: Plans, draw: np.random.Generator, count: int) -> Plans:
        """What is left of the last plan (H,), each choice alone, and some manoeuvres (C, H)."""
        room, plain = count - 1, self._plain
        if len(plain) > room:
            plain = draw.permutation(plain)[:room]
        turns = self._turns[draw.integers(len(self._turns), size=room - len(plain))]
        return np.concatenate([left[None], plain, turns])

    def _variations(self, parents: Plans, draw: np.random.Generator, count: int) -> Plans:
        """Plans (P, H) sooner or later and with some actions drawn anew (C, H)."""
        plans = parents[np.arange(count) % len(parents)]
        shifts = draw.integers(-MOST_SHIFTED, MOST_SHIFTED + 1, size=count)
        for shift in range(-MOST_SHIFTED, MOST_SHIFTED + 1):
            plans[shifts == shift] = _shifted(plans[shifts == shift], shift, self._idle)
        drawn = draw.integers(len(self._choices), size=plans.shape)
        drawn[draw.random(plans.shape) < IDLE] = self._idle
        return np.where(draw.random(plans.shape) < CHANGED, drawn, plans)

    def _judge(self, plans: Plans) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """How plans (N, C, H) end, the larger the better, and their sums of rewards (N, C)."""
        worlds, count, horizon = plans.shape
        told = self._met().forecast(
            np.repeat(np.arange(worlds), count), self._choices[plans.reshape(-1, horizon)]
        )
        # Outcomes that come before success in their order are harm.
        harmed = (told.outcomes >= COLLISION) & (told.outcomes < SUCCESS)
        ends = np.where(harmed, told.decisions - horizon - 1, told.outcomes == SUCCESS)
        sums = (told.rewards * self.settings.discount ** np.arange(horizon)).sum(axis=1)
        return ends.reshape(worlds, count), sums.reshape(worlds, count)


def _shifted(plans: Plans, by: int, idle: int) -> Plans:
    """Plans (C, H) that begin so many decisions later, or sooner if negative."""
    moved = np.full_like(plans, idle)
    if by > 0:
        moved[:, by:] = plans[:, :-by]
    else:
        moved[:, : plans.shape[1] + by] = plans[:, -by:]
    return moved


def _choices(scenario: Scenario, space: spaces.Space[Any]) -> tuple[NDArray[Any], int]:
    """The actions among which plans choose (A, ...), and which of them does nothing."""
    if isinstance(space, spaces.Discrete):
        labels = action_labels(scenario)
        return np.arange(int(space.n)), labels.index("IDLE") if "IDLE" in labels else 0
    columns = int(np.prod(space.shape or (1,)))
    grid = np.stack(np.meshgrid(*[CONTROLS] * columns, indexing="ij"), axis=-1)
    return grid.reshape(-1, columns).astype(np.float32), len(CONTROLS) ** columns // 2


def _manoeuvres(choices: int, idle: int, horizon: int) -> tuple[Plans, Plans]:
    """Simple plans: one choice, once or held (P, H), and two, one after the other (Q, H)."""
    decisions = np.arange(horizon)

    def alone(first: int) -> list[Plans]:
        """Nothing before a decision, then a choice, once or held."""
        since = decisions - first
        spans = [since == 0, since >= 0]
        return [np.where(span, choice, idle) for choice in range(choices) for span in spans]

    plain = alone(0)
    turns = [
        np.where(decisions < when, first, second)
        for when in range(1, min(horizon, LATEST_SECOND + 1))
        for second in alone(when)
        for first in plain
    ]
    return np.unique(plain, axis=0), np.unique(turns or plain, axis=0)
