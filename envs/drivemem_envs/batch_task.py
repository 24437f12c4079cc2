"""A task in NumPy: what N worlds reward, when their episodes end and how, and what is announced.

Who writes a world on compiled dynamics gives its task as functions over arrays, one row for each
world. Both backends call the same functions: the reference backend with a batch of one, the
compiled backend with all worlds at once, so that a task is written once and costs little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from highway_env.envs.common.abstract import AbstractEnv
from numpy.typing import NDArray

from drivemem_envs.cue_meaning import CueMeaning

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
LaneIndex = tuple[str, str, int]


class Moment(NamedTuple):
    """The egos of N worlds after a decision; every array is (N,) or (N, columns)."""

    time_s: Floats
    """(N,) simulated time since the episode began, s."""
    x: Floats
    """(N,) m."""
    y: Floats
    """(N,) m."""
    heading: Floats
    """(N,) rad."""
    speed: Floats
    """(N,) m/s."""
    lane: Ints
    """(N,) the lane that the ego is on: its row in the task's `lane_indices`."""
    target_lane: Ints
    """(N,) the lane that it drives to; the same as `lane` for an ego without one."""
    longitudinal: Floats
    """(N,) along `lane`, m."""
    lateral: Floats
    """(N,) across `lane`, m."""
    on_road: Flags
    """(N,)"""
    crashed: Flags
    """(N,)"""


class Verdict(NamedTuple):
    """What a task says of N worlds after a decision."""

    terms: Floats
    """(N, T) in the order of the task's `terms`; weighted by the configuration and summed."""
    terminated: Flags
    """(N,) the task is over: reached, missed or crashed."""
    truncated: Flags
    """(N,) time is over."""
    success: Flags
    """(N,) if the episode ends now: whether it succeeded."""
    wrong_route: Flags
    """(N,) if the episode ends now: whether the ego went another way than it should."""
    violation: Flags
    """(N,) if the episode ends now: whether a traffic rule was broken."""


class BatchTask:
    """Reward, end, outcome and announcements of N worlds; subclass it.

    Args:
        config: the scenario's resolved configuration. The weight of each of `terms` stands in it
            under the term's name.
        lane_indices: highway-env's index of each lane, in the order of its graph.
    """

    terms: tuple[str, ...] = ("collision_reward",)
    """Names of the reward's terms (T); each is a number in the configuration."""
    cue_size: int = 0
    """K, width of what is announced; 0: nothing is."""
    navigation_size: int = 0
    """M, numbers that a map tells at all times; 0: it tells nothing."""
    state_size: int = 0
    """S, numbers that the task remembers in an episode."""

    def __init__(self, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> None:
        self.config = config
        self.lane_indices = list(lane_indices)

    def begin(self, drawn: Floats) -> Floats:
        """What the task remembers when episodes begin (R, S).

        Args:
            drawn: (R, D) what the worlds drew in their resets, see `TaskWorld.drawn`.
        """
        return np.zeros((len(drawn), self.state_size))

    def judge(self, moment: Moment, drawn: Floats, state: Floats) -> Verdict:
        """Reward and end of N worlds after a decision; called once for each.

        Args:
            moment: the egos.
            drawn: (N, D) what the worlds drew.
            state: (N, S) what the task remembers; changed in place.
        """
        raise NotImplementedError

    def cue(self, drawn: Floats, state: Floats) -> Floats:
        """What holds at present (N, K), such as the limit in force, in [0, 1]."""
        return np.zeros((len(state), self.cue_size))

    def announced_s(self, drawn: Floats, state: Floats) -> Floats:
        """When what holds at present was announced (N,), s since the episode began.

        Sensors with `cue_window_s` show it for so long from then on.
        """
        return np.zeros(len(state))

    def navigation(self, drawn: Floats, state: Floats) -> Floats:
        """What a map and one's place on it tell at all times (N, M), in [0, 1].

        Such as the distance to an exit. No sensor limits it, unlike the cue, and it is no secret.
        """
        return np.zeros((len(state), self.navigation_size))

    def latent(self, drawn: Floats, state: Floats) -> Floats:
        """What is hidden that is no actor (N, L), for probes and auxiliary losses: the cue."""
        return self.cue(drawn, state)


class TaskWorld(AbstractEnv):  # type: ignore[misc]
    """A highway-env world whose task is a `BatchTask`.

    Put it before a class of highway-env: `class MyWorld(TaskWorld, HighwayEnvFast)`. Roads,
    traffic and dynamics are that class's, reward and end are `make_task`'s.

    Raises:
        ValueError: it stands behind that class, whose reward and end would then be taken.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__mro__[1 : cls.__mro__.index(TaskWorld)]:
            if "_reward" in vars(base) and not issubclass(base, TaskWorld):
                raise ValueError(
                    f"{cls.__name__} takes its reward from {base.__name__}, which stands before "
                    f"TaskWorld: write class {cls.__name__}(TaskWorld, …)"
                )

    _task: BatchTask
    _verdict: Verdict | None = None
    _begun_on: Any = None
    """The road of the episode that has begun; every reset makes another."""

    @classmethod
    def make_task(cls, config: Mapping[str, Any], lane_indices: Sequence[LaneIndex]) -> BatchTask:
        """The task; arguments as of `BatchTask`."""
        raise NotImplementedError

    @classmethod
    def draw(cls, config: Mapping[str, Any], generator: np.random.Generator) -> Floats:
        """What an episode draws for its task alone (D,), such as when something is announced.

        Args:
            config: as of `BatchTask`.
            generator: the episode's own, beside the one that makes its scene.
        """
        return np.zeros(0)

    def drawn(self) -> Floats:
        """What the task needs of the last reset (D,), of one length in every episode: `draw`.

        Override it only to tell what the scene itself drew. Kernels cannot reset such a world,
        and highway-env's own resets are many times slower.
        """
        return self.draw(self.config, episode_generator(seed_of(self.np_random)))

    # ---- what drivemem calls --------------------------------------------------------------

    def begin_episode(self) -> None:
        """Begin the task's episode, after each reset of the world."""
        graph = self.road.network.graph
        indices = [
            (start, end, number)
            for start, ends in graph.items()
            for end, lanes in ends.items()
            for number in range(len(lanes))
        ]
        self._rows = {index: row for row, index in enumerate(indices)}
        self._task = self.make_task(self.config, indices)
        self._drawn = np.asarray(self.drawn(), np.float64)[None]
        self._state = begun(self._task, self._drawn)
        self._verdict, self._begun_on = None, self.road

    def cue(self) -> Floats | None:
        """What holds at present (K,)."""
        task: BatchTask | None = getattr(self, "_task", None)
        if task is None:
            size = self.make_task(self.config, []).cue_size
            return np.zeros(size) if size else None
        return task.cue(self._drawn, self._state)[0] if task.cue_size else None

    def cue_meaning(self) -> CueMeaning | None:
        """What the cue says, for people and pictures; None: nothing is told of it."""
        return None

    def navigation(self) -> Floats | None:
        """What a map tells (M,)."""
        task: BatchTask | None = getattr(self, "_task", None)
        if task is None:
            size = self.make_task(self.config, []).navigation_size
            return np.zeros(size) if size else None
        return task.navigation(self._drawn, self._state)[0] if task.navigation_size else None

    def announced_s(self) -> float:
        """When it was announced, s."""
        return float(self._task.announced_s(self._drawn, self._state)[0])

    def latent(self) -> Floats:
        """What is hidden that is no actor (L,)."""
        hidden: Floats = self._task.latent(self._drawn, self._state)[0]
        return hidden

    def is_success(self) -> bool:
        """Whether the episode succeeded if it ends now."""
        return self._verdict is not None and bool(self._verdict.success[0])

    def is_wrong_route(self) -> bool:
        """Whether the ego went another way than it should, if the episode ends now."""
        return self._verdict is not None and bool(self._verdict.wrong_route[0])

    def is_violation(self) -> bool:
        """Whether a traffic rule was broken, if the episode ends now."""
        return self._verdict is not None and bool(self._verdict.violation[0])

    # ---- what highway-env calls -----------------------------------------------------------

    def _simulate(self, action: Any = None) -> None:
        if self._begun_on is not self.road:  # a bare world, which nobody began an episode of
            self.begin_episode()
        super()._simulate(action)
        self._verdict = judged(self._task, self._moment(), self._drawn, self._state)

    def _moment(self) -> Moment:
        ego = self.vehicle
        longitudinal, lateral = ego.lane.local_coordinates(ego.position)
        target = getattr(ego, "target_lane_index", None) or ego.lane_index
        one = [self.time, *ego.position, ego.heading, ego.speed, longitudinal, lateral]
        time_s, x, y, heading, speed, longitudinal, lateral = np.array(one, np.float64)[:, None]
        lane, target_lane = np.array([[self._row(ego.lane_index)], [self._row(target)]])
        on_road, crashed = np.array([[bool(ego.on_road)], [bool(ego.crashed)]])
        return Moment(
            time_s, x, y, heading, speed, lane, target_lane, longitudinal, lateral, on_road, crashed
        )

    def _row(self, index: LaneIndex) -> int:
        start, end, number = index
        if number is None or number < 0:
            lanes = len(self.road.network.graph[start][end])
            number = 0 if number is None else number + lanes
        return self._rows[start, end, int(number)]

    def _rewards(self, action: Any) -> dict[str, float]:
        if self._verdict is None:
            return {}
        return dict(zip(self._task.terms, self._verdict.terms[0].tolist(), strict=True))

    def _reward(self, action: Any) -> float:
        return 0.0 if self._verdict is None else float(rewards_of(self._task, self._verdict)[0])

    def _is_terminated(self) -> bool:
        return self._verdict is not None and bool(self._verdict.terminated[0])

    def _is_truncated(self) -> bool:
        return self._verdict is not None and bool(self._verdict.truncated[0])


def rewards_of(task: BatchTask, verdict: Verdict) -> Floats:
    """The reward of N worlds (N,): the terms, weighted and summed one after the other."""
    total = np.zeros(len(verdict.terms))
    for column, name in enumerate(task.terms):
        total += float(task.config[name]) * verdict.terms[:, column]
    return total


# ---- what both backends call ------------------------------------------------------------------


def seed_of(generator: np.random.Generator) -> int:
    """A seed from where a world's generator stands once it has made a scene."""
    state = generator.bit_generator.state["state"]
    return int(state["state"]) & (2**64 - 1) if isinstance(state, dict) else 0


def episode_generator(seed: int) -> np.random.Generator:
    """What an episode draws from for its task; the seed is `seed_of` its world."""
    return np.random.Generator(np.random.PCG64([seed, 1]))


def begun(task: BatchTask, drawn: Floats) -> Floats:
    """What a task remembers when episodes begin (R, S), of what the worlds drew (R, D).

    Raises:
        ValueError: a term without a weight, or a state of another shape.
    """
    for name in task.terms:
        if not isinstance(task.config.get(name), int | float):
            raise ValueError(
                f"{type(task).__name__} has the term '{name}', whose weight in the configuration "
                f"is {task.config.get(name)!r}: give it a number"
            )
    state = np.array(task.begin(drawn), np.float64)
    _check(task, "begin", "what is remembered", state, (len(drawn), task.state_size))
    return state


def judged(task: BatchTask, moment: Moment, drawn: Floats, state: Floats) -> Verdict:
    """What a task says of N worlds after a decision, see `BatchTask.judge`.

    Raises:
        ValueError: arrays of other shapes.
    """
    terms, *flags = task.judge(moment, drawn, state)
    worlds, terms = len(drawn), np.asarray(terms, np.float64)
    flags = [np.asarray(flag, np.bool_) for flag in flags]
    _check(task, "judge", "terms", terms, (worlds, len(task.terms)))
    for name, flag in zip(Verdict._fields[1:], flags, strict=True):
        _check(task, "judge", name, flag, (worlds,))
    return Verdict(terms, *flags)


def _check(
    task: BatchTask, method: str, what: str, given: NDArray[Any], shape: tuple[int, ...]
) -> None:
    if given.shape != shape:
        raise ValueError(
            f"{type(task).__name__}.{method} gives {what} of shape {given.shape} for {shape[0]} "
            f"worlds: return {shape}"
        )
