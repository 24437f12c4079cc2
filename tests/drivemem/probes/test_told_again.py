"""Facts that replace each other: edited between two tellings, and judged by what is done there."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from highway_env.envs.highway_env import HighwayEnvFast

import drivemem_envs
from drivemem.cli import run_command
from drivemem.episodes import read_table
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import Decision
from drivemem.evaluation.rollout import Moment
from drivemem.probes.behaviour import behaviour_after, first_moments
from drivemem.probes.edit_plan import fit, make_plan
from drivemem.probes.effects import CHANGES, TOLD
from drivemem.probes.following import Contrast, paths_after
from drivemem.probes.targets import Hidden, latent_targets
from drivemem.probes.tellings import Retold, Tellings
from drivemem.probes.traces import Traces
from drivemem.schemas import EDITS
from drivemem.schemas import FOLLOWS_TELLING as FOLLOWS
from drivemem_envs import Scenario, Sensors
from drivemem_envs.batch_task import BatchTask, TaskWorld, Verdict
from tests.drivemem.probes.remembering import (
    Recalls,
    drives_of,
    effects_on,
    measured,
    traces_of,
)

AT_ONCE = "fails before it is told again"
READS = "the probe reads the new value"


# ---- a scenario of a user's own: drive in the lane that was called last ------------------------

LANES, CALLS, EVERY_S, GRACE_S = 3, 3, 5.0, 3.0


class CalledLane(BatchTask):
    """Be in the called lane some seconds after each call; another lane is a wrong route."""

    terms = ("collision_reward",)
    cue_size, state_size = LANES, 2
    heard, since_s = range(2)

    def judge(self, moment, drawn, state):
        time_s = moment.time_s + 1e-6
        heard = np.minimum(time_s // EVERY_S, CALLS - 1)
        new = heard > state[:, self.heard]
        state[new, self.heard], state[new, self.since_s] = heard[new], moment.time_s[new]
        lanes = np.array([number for _, _, number in self.lane_indices])
        elsewhere = lanes[moment.target_lane] != self.called(drawn, state)
        wrong = elsewhere & (time_s - state[:, self.since_s] > GRACE_S)
        over = time_s >= CALLS * EVERY_S
        return Verdict(
            moment.crashed[:, None].astype(float), moment.crashed | wrong, over, over & ~wrong,
            wrong, np.zeros(len(over), dtype=bool),
        )  # fmt: skip

    def called(self, drawn, state):
        return drawn[np.arange(len(drawn)), state[:, self.heard].astype(int)]

    def cue(self, drawn, state):
        return np.eye(LANES)[self.called(drawn, state).astype(int)]

    def announced_s(self, drawn, state):
        return state[:, self.since_s]


class CalledLaneWorld(TaskWorld, HighwayEnvFast):
    """An empty road."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        own = {
            "lanes_count": LANES,
            "duration": 20,
            "simulation_frequency": 10,
            "policy_frequency": 2,
        }
        return {**super().default_config(), **own}

    @classmethod
    def make_task(cls, config, lane_indices):
        return CalledLane(config, lane_indices)

    @classmethod
    def draw(cls, config, generator):
        return generator.integers(LANES, size=CALLS).astype(float)

    def _create_vehicles(self) -> None:
        super()._create_vehicles()
        del self.road.vehicles[1:]


CALLED_LANE = Scenario(
    name="called-again-v0",
    world=f"{__name__}:CalledLaneWorld",
    sensors=Sensors(cue_window_s=1.0),
    summary="a voice says in which lane to drive, and later says another",
    time_limit_s=30.0,
)


class HoldsTheLane:
    """Its state holds the called lane in its first number, and goes there; the rest is noise."""

    obeys = True

    def begin(self, env: Any) -> None:
        self._env, self._noise = env, np.random.default_rng(1)
        self._lane, self._told, self._target = (np.zeros(env.num_envs) for _ in range(3))
        self._rest = np.zeros((env.num_envs, 5))

    @property
    def state(self) -> dict[str, torch.Tensor]:
        return {"lane": torch.as_tensor(np.concatenate([self._lane[:, None], self._rest], axis=1))}

    def put_state(self, state: dict[str, torch.Tensor]) -> None:
        self._lane, self._rest = state["lane"][:, 0].numpy(), state["lane"][:, 1:].numpy()

    def decide(self, observation: Any, starts: Any, masks: Any) -> Decision:
        here = np.round(self._env.truth()["y"][:, 0] / 4.0)
        self._target = np.where(starts, here, self._target)
        seen, called = observation["cue"].any(axis=1), observation["cue"].argmax(axis=1)
        self._told = np.where(seen, called, self._told)
        self._lane = np.where(seen, called, self._lane)
        self._rest = self._noise.standard_normal(self._rest.shape)
        goal = np.round(self._lane if self.obeys else self._told).clip(0, LANES - 1)
        actions = (1 + np.sign(goal - self._target)).astype(np.int64)  # left, idle, right
        self._target = self._target + actions - 1
        return Decision(actions, probs=np.eye(5)[actions])


class KnowsTheLaneOtherwise(HoldsTheLane):
    """Holds it as readably, and goes by a number that is no part of its state."""

    obeys = False


class StaysInItsLane(HoldsTheLane):
    """Holds what was called, and has never done it."""

    def decide(self, observation: Any, starts: Any, masks: Any) -> Decision:
        idle = np.ones(len(starts), dtype=np.int64)
        super().decide(observation, starts, masks)
        return Decision(idle, probs=np.eye(5)[idle])


# ---- what is found -----------------------------------------------------------------------------


def test_who_holds_the_call_in_one_number_drives_in_the_lane_that_is_edited_in() -> None:
    fitted, plan, drives = drives_of(HoldsTheLane(), CALLED_LANE, 40)
    assert plan.tellings == CALLS and fitted.told_by is None
    assert set(plan.moments.telling) == {1, 2, 3}, "after any of the calls"
    assert len(set(plan.moments.episode)) == len(plan.moments.episode) == 40
    found = measured(fitted, plan, drives)
    for arm, followed in (("no edit", 0.0), ("control", 0.0), ("edit", 1.0)):
        assert found[READS, arm] == found[FOLLOWS, arm] == found[AT_ONCE, arm] == followed, arm
        assert found["succeeds", arm] == 1.0 - followed
    assert found[CHANGES, TOLD] == found[AT_ONCE, TOLD] == 1.0


def test_who_knows_it_otherwise_does_not_follow() -> None:
    found = effects_on(KnowsTheLaneOtherwise(), CALLED_LANE, 40)
    assert found[READS, "edit"] == found[CHANGES, TOLD] == found[AT_ONCE, TOLD] == 1.0
    assert found[FOLLOWS, "edit"] == found[AT_ONCE, "edit"] == 0.0
    assert found["probability moved to other actions at once", "edit"] == 0.0
    assert found["succeeds", "edit"] == 1.0


def test_who_does_not_do_what_it_is_told_has_nothing_to_follow() -> None:
    found = effects_on(StaysInItsLane(), CALLED_LANE, 40)
    assert found[READS, "edit"] == 1.0 and found[CHANGES, TOLD] == 0.0
    assert not [key for key in found if key[0] == FOLLOWS]


@pytest.mark.parametrize("name", ["changing-limits", "route-instructions"])
def test_facts_of_ours_that_replace_each_other_are_edited(name: str) -> None:
    scenario = drivemem_envs.scenario(name)
    fitted, plan, drives = drives_of(Recalls(scenario), scenario, 16)
    found = measured(fitted, plan, drives)
    assert plan.tellings > 1
    assert found[READS, "edit"] == 1.0 and found["succeeds", "no edit"] > 0.9
    # Before the first bend there is no room to drive at any of the limits, nor time after its sign.
    assert found[CHANGES, TOLD] > 0.5
    assert found[FOLLOWS, "edit"] > 0.6 > 0.35 > found[FOLLOWS, "control"]
    ended, told = (
        np.array([drives[arm].outcomes[episode] for episode in plan.moments.episode.tolist()])
        for arm in ("edit", "told otherwise")
    )
    assert (ended == told).mean() > 0.8 > (ended == "success").mean(), "as when told so"


def test_what_is_never_hidden_for_so_long_before_the_next_telling_is_refused() -> None:
    scenario, driver = CALLED_LANE, HoldsTheLane()
    traces = traces_of(driver, scenario, "eval", 20)
    (target,) = (one for one in traces.targets if one.name == "latent")
    longest = float(np.max(target.age_s))
    assert longest < EVERY_S
    fitted = fit(traces, "latent", EVERY_S)
    with pytest.raises(DrivememError, match=re.escape("for 5 s with a decision to follow before")):
        make_plan(fitted, traces, driver, EVERY_S, None)


def test_the_command_edits_a_run_on_changing_limits(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from drivemem.training.train import train
    from tests.drivemem.conftest import small

    config = small(scenario="changing-limits", memory_kwargs=("hidden_size=8",))
    folder = train(config, tmp_path / "gru", quiet=True).folder
    words = [str(folder), "--edit", "latent", "--episodes", "16", "--num-workers", "1"]
    assert run_command("probe", words) == 0
    out = capsys.readouterr().out
    assert "times in an episode: edited after one of them" in " ".join(out.split())
    rows = read_table(folder / "edits" / "test-intact-latent" / "effects.parquet", EDITS)
    assert {(CHANGES, TOLD), (READS, "edit"), (AT_ONCE, "control")} <= {
        (row["measure"], row["arm"]) for row in rows
    }


# ---- tellings, by hand -------------------------------------------------------------------------


def test_a_telling_begins_where_a_cue_appears_or_changes() -> None:
    cues = np.array([[0, 0], [1, 0], [1, 0], [0, 1], [0, 0], [0, 1], [0, 0], [1, 0]], dtype=float)
    starts = np.array([True, False, False, False, False, False, True, False])
    tellings = Tellings()
    found = [tellings.see(cue[None], start[None]) for cue, start in zip(cues, starts, strict=True)]
    assert [bool(shown[0]) for shown, _ in found] == [False, *[True] * 3, False, True, False, True]
    assert [int(number[0]) for _, number in found] == [0, 1, 1, 2, 2, 3, 0, 1]


def test_only_the_telling_meant_is_told_otherwise() -> None:
    retold = Retold(np.array([4]), np.array([2]), np.array([2.0]), slice(0, 3))
    eye = np.eye(3, dtype=np.float32)
    shown = []
    for step, cue in enumerate([eye[0], 0 * eye[0], eye[1], eye[1], 0 * eye[0], eye[0]]):
        observation = {"cue": np.stack([cue, cue]), "ego": np.ones((2, 1))}
        moment = Moment(np.array([4, 7]), np.array([step, step]))
        told = retold.shows(moment, observation)
        np.testing.assert_array_equal(observation["cue"], [cue, cue], "the given one stays")
        np.testing.assert_array_equal(told["cue"][1], cue, "another episode")
        assert told["cue"].dtype == np.float32
        shown.append(told["cue"][0])
    np.testing.assert_array_equal(shown, [eye[0], 0 * eye[0], eye[2], eye[2], 0 * eye[0], eye[0]])


def test_one_number_of_a_cue_can_be_told_otherwise() -> None:
    retold = Retold(np.array([0]), np.array([1]), np.array([1.0]), slice(1, 2))
    told = retold.shows(Moment(np.array([0]), np.array([0])), {"cue": np.array([[0.5, 0.0]])})
    np.testing.assert_array_equal(told["cue"], [[0.5, 1.0]])


def test_one_junction_of_a_route_can_be_told_otherwise() -> None:
    retold = Retold(np.array([0]), np.array([1]), np.array([2.0]), slice(3, 6))
    route = np.array([[1.0, 0, 0, 0, 1, 0, 0, 0, 1]])
    told = retold.shows(Moment(np.array([0]), np.array([0])), {"cue": route})
    np.testing.assert_array_equal(told["cue"], [[1, 0, 0, 0, 0, 1, 0, 0, 1]])


def by_hand() -> Traces:
    """An episode of ten decisions at 1 Hz, told at 1 and 5, hidden from 2 to 4 and from 6 on."""
    step = np.arange(10)
    telling = np.array([0, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    ego = np.stack([10.0 * step, np.zeros(10), np.zeros(10)], axis=1)
    nothing = np.full(10, np.nan)
    hidden = Hidden(
        np.full(10, -1), nothing, np.full((10, 2), np.nan), np.full((10, 2), np.nan), nothing, ego
    )
    latent = np.concatenate([np.zeros((1, 2)), np.eye(2)[np.repeat([0, 1], [4, 5])]])
    age = np.array([0.0, 0, 1, 2, 3, 0, 1, 2, 3, 4])
    actions = np.array([0, 0, 0, 1, 0, 1, 1, 1, 1, 1])
    return Traces(
        1.0, np.full(10, 3), step, {}, latent, age, hidden, actions, np.eye(2)[actions],
        {3: "success"}, "compiled", telling,
    )  # fmt: skip


def test_what_has_not_been_told_yet_is_not_there() -> None:
    (target,) = (one for one in by_hand().targets if one.name.startswith("latent"))
    assert (target.name, target.kinds) == ("latent", True)
    np.testing.assert_array_equal(target.values, [np.nan, *[0] * 4, *[1] * 5])
    told = np.array([0, 1, 1, 1])
    flags = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    first, second = latent_targets(flags, np.zeros(4), told)
    np.testing.assert_array_equal(first.values, [np.nan, 1, 0, 0])
    assert (first.part, second.part) == (slice(0, 1), slice(1, 2))


def test_there_is_a_moment_after_each_telling_and_one_is_drawn() -> None:
    traces = by_hand()
    (target,) = (one for one in traces.targets if one.name == "latent")
    for after_s, steps in ((0.0, [2, 6]), (2.0, [3, 7]), (3.0, [8]), (4.0, [])):
        np.testing.assert_array_equal(first_moments(traces, target, after_s).step, steps)
    moments = first_moments(traces, target, 0.0)
    np.testing.assert_array_equal(moments.value, [0, 1])
    np.testing.assert_array_equal(moments.telling, [1, 2])
    drawn = {
        int(moments.one_each(np.random.default_rng(seed)).telling[0])  # type: ignore[index]
        for seed in range(20)
    }
    assert drawn == {1, 2}


def test_behaviour_counts_until_the_next_telling() -> None:
    traces = by_hand()
    (target,) = (one for one in traces.targets if one.name == "latent")
    moments = first_moments(traces, target, 0.0)
    first, second = behaviour_after(traces, moments).features
    # y, heading, speed, decisions, shares of two actions, the last action
    np.testing.assert_allclose(first, [0, 0, 10, 3, 0.5, 0.5, 1, 0])
    np.testing.assert_allclose(second, [0, 0, 10, 3, 0, 1, 0, 1])
    path, last = paths_after(traces, moments)
    np.testing.assert_array_equal(path[:, 0], [20, 30, 40, 50])
    np.testing.assert_array_equal(last[:, 0], [60, 70, 80, 90])


def test_following_is_going_where_it_goes_when_told_so() -> None:
    plain = by_hand()
    (target,) = (one for one in plain.targets if one.name == "latent")
    moments = first_moments(plain, target, 0.0)

    def aside(*metres: float) -> Traces:
        ego = plain.hidden.ego.copy()
        ego[:, 1] = metres
        return replace(plain, hidden=replace(plain.hidden, ego=ego))

    told = aside(0, 0, 0, 2, 4, 4, 1, 1, 1, 1)
    contrast = Contrast(plain, told, moments)
    assert contrast.differs.tolist() == [True, False], "a metre is no other act"
    assert contrast.follows(plain).tolist() == [False, False]
    assert contrast.follows(told).tolist() == [True, False]
    assert contrast.follows(aside(9, 9, 0, 0, 3, 4, 0, 0, 0, 0)).tolist() == [True, False]
    assert contrast.follows(aside(0, 0, 4, 4, 1, 0, 9, 9, 9, 9)).tolist() == [False, False]
    again = Contrast(plain, aside(0, 0, 0, 4, 4, 0, 0, 0, 0, 0), moments)
    late = aside(0, 0, 0, 0, 3, 1, 0, 0, 0, 0)
    assert again.follows(late).tolist() == [True, False], "before their ways meet again"
    over = replace(told, telling=np.array([0, 1, 2, 2, 2, 2, 2, 2, 2, 2]))
    assert Contrast(plain, over, moments).differs[0] == np.False_, "told again before the moment"
