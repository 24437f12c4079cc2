"""Edits change what drivers do whose memory is known, by as much as they use it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import drivemem_envs
from drivemem.cli import run_command
from drivemem.episodes import read_table
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import PolicyDriver
from drivemem.probes.behaviour import (
    Behaviour,
    Moments,
    behaviour_after,
    first_moments,
    kinds_told,
)
from drivemem.probes.edit_plan import fit, make_plan
from drivemem.probes.edits import edit
from drivemem.probes.effects import ARMS, CHANGES, TOLD
from drivemem.probes.targets import Hidden, Target
from drivemem.probes.traces import Traces
from drivemem.runs import Run
from drivemem.schemas import EDITS
from drivemem.schemas import FOLLOWS_TELLING as FOLLOWS
from tests.drivemem.probes.remembering import Ignores, Recalls, effects_on, traces_of

SCENARIO = drivemem_envs.scenario("exit-recall")
EPISODES = 60


def test_who_drives_by_its_memory_takes_the_exit_that_it_is_made_to_hold() -> None:
    found = effects_on(Recalls(SCENARIO), SCENARIO, EPISODES)
    for measure, plain, edited in (
        ("the probe reads the new value", 0.0, 1.0), (FOLLOWS, 0.0, 1.0), ("succeeds", 1.0, 0.0),
    ):  # fmt: skip
        assert (found[measure, "no edit"], found[measure, "edit"]) == (plain, edited), measure
        # The driver reads all of its nine numbers, also a little of the control's direction.
        assert found[measure, "control"] == pytest.approx(plain, abs=0.2), measure
    assert found["another outcome", "edit"] == 1.0 > 0.2 > found["another outcome", "control"]
    assert found[CHANGES, TOLD] == found["another outcome", TOLD] == 1.0
    assert ("fails before it is told again", "edit") not in found, "it is told once"


def test_who_does_not_use_what_is_read_is_not_moved() -> None:
    found = effects_on(Ignores(SCENARIO), SCENARIO, EPISODES)
    assert found["the probe reads the new value", "edit"] == 1.0
    assert found[CHANGES, TOLD] == 1.0, "it goes by what the sign says"
    assert found[FOLLOWS, "edit"] == 0.0
    assert found["another outcome", "edit"] == found["drives faster by, m/s", "edit"] == 0.0
    assert found["probability moved to other actions at once", "edit"] == 0.0


def by_hand() -> Traces:
    """Two episodes of four decisions at 2 Hz; the ego goes 5, then 10 m a decision."""
    step = np.tile(np.arange(4), 2)
    ego = np.zeros((8, 3))
    ego[:, 0] = np.concatenate([5.0 * step[:4], 10.0 * step[4:]])
    ego[7, 1:] = 4.0, 0.5
    nothing = np.full(8, np.nan)
    hidden = Hidden(
        np.full(8, -1), nothing, np.full((8, 2), np.nan), np.full((8, 2), np.nan), nothing, ego
    )
    actions = np.array([0, 1, 1, 1, 0, 1, 0, 1])
    return Traces(
        0.5, np.repeat([3, 5], 4), step, {}, np.eye(2)[np.repeat([0, 1], 4)], 0.5 * step, hidden,
        actions, np.eye(2)[actions], {3: "success", 5: "collision"}, "compiled",
    )  # fmt: skip


def test_moments_are_the_first_at_which_it_is_hidden_for_so_long() -> None:
    traces = by_hand()
    (target,) = (one for one in traces.targets if one.name == "latent")
    for after_s, steps in ((0.0, [1, 1]), (1.0, [2, 2]), (1.5, [])):
        moments = first_moments(traces, target, after_s)
        np.testing.assert_array_equal(moments.step, steps)  # nothing follows the last decision
        np.testing.assert_array_equal(traces.step[moments.row], steps)
    np.testing.assert_array_equal(first_moments(traces, target, 0.0).value, [0.0, 1.0])
    np.testing.assert_array_equal(first_moments(traces, target, 0.0).episode, [3, 5])
    absent = Target("t", False, np.full(8, np.nan), 0.5 * traces.step)
    assert not len(first_moments(traces, absent, 0.0).row)


def test_behaviour_is_what_was_done_after_the_moment() -> None:
    traces = by_hand()
    moments = Moments(np.array([1, 5]), np.array([3, 5]), np.array([1, 1]), np.zeros(2))
    did = behaviour_after(traces, moments)
    straight, diagonal = 10.0, (10.0 + np.hypot(10.0, 4.0)) / 1.0
    np.testing.assert_allclose(did.mean_speed, [straight, diagonal])
    np.testing.assert_array_equal(did.next_row, [2, 6])
    np.testing.assert_allclose(did.features[0], [0, 0, straight, 2, 0, 1, 0, 1])
    np.testing.assert_allclose(did.features[1], [4, 0.5, diagonal, 2, 0.5, 0.5, 0, 1], rtol=1e-6)


def test_kinds_are_told_by_what_was_done() -> None:
    value = np.repeat([0.0, 1.0, 2.0], 6)
    features = np.stack([np.ones(18), 4.0 * value], axis=1).astype(np.float32)
    did = Behaviour(np.arange(18), features, np.ones(18), np.arange(18))
    tree = kinds_told(did, value)
    assert tree.predict([[1, 0.7], [1, 4.2], [1, 7.3]]).tolist() == [0, 1, 2]
    few = np.repeat([0.0, 1.0], [14, 4])
    with pytest.raises(DrivememError, match="14 of 0, 4 of 1; it takes 5 of two kinds each"):
        kinds_told(did, few)


def test_an_unknown_target_names_those_there_are() -> None:
    with pytest.raises(DrivememError, match=re.escape("did you mean 'latent'? (one of: ")):
        fit(by_hand(), "latnt", 0.0)
    with pytest.raises(DrivememError, match="'hidden actor' is part of 4 names"):
        fit(by_hand(), "hidden actor", 0.0)


def test_only_quantities_move_by() -> None:
    driver = Recalls(SCENARIO)
    fitted = fit(traces_of(driver, SCENARIO, "eval", EPISODES), "latent", 0.0)
    with pytest.raises(DrivememError, match="only a quantity moves by"):
        make_plan(fitted, traces_of(driver, SCENARIO, "test", EPISODES), driver, 0.0, 3.0)


def test_states_go_on_as_they_are_put(run: Run) -> None:
    from drivemem.evaluation.loading import load

    driver = PolicyDriver(load(run.folder, device="cpu").policy, "intact", True)
    env = drivemem_envs.make_vec(SCENARIO, 3)
    driver.begin(env)
    observation, _ = env.reset(seed=0)
    first = driver.decide(observation, np.ones(3, dtype=bool), None)
    kept = {key: value.clone() for key, value in driver.state.items()}
    second = driver.decide(observation, np.zeros(3, dtype=bool), None)
    driver.put_state(kept)
    again = driver.decide(observation, np.zeros(3, dtype=bool), None)
    np.testing.assert_array_equal(second.probs, again.probs)
    assert not np.array_equal(first.probs, second.probs)


def test_a_run_is_edited_printed_and_written(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(run.folder), "--edit", "latent", "--episodes", "60", "--num-workers", "1"]
    assert run_command("probe", words) == 0
    out = capsys.readouterr().out
    assert "latent edited after 0 s" in out and "the probe reads the new value" in out
    folder = run.folder / "edits" / "test-intact-latent"
    rows = read_table(folder / "effects.parquet", EDITS)
    assert {row["arm"] for row in rows} == set(ARMS)
    assert (folder / "suite.json").is_file() and (folder / "manifest.json").is_file()


def test_what_cannot_be_edited_is_said(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match="'train' is what edits are fitted on"):
        edit(run.folder, suite="train", quiet=True)
    with pytest.raises(DrivememError, match="cannot be probed: never there"):
        edit(run.folder, "speed", episodes=20, num_workers=1, quiet=True)
    assert run_command("probe", [str(run.folder), "--edit-after", "1"]) == 2


def test_a_memory_without_a_state_has_nothing_to_edit(tmp_path: Path) -> None:
    from drivemem.training.train import train
    from tests.drivemem.conftest import small

    folder = train(small(memory="none", memory_kwargs=()), tmp_path / "none", quiet=True).folder
    with pytest.raises(DrivememError, match="memory 'none' carries no state"):
        edit(folder, episodes=20, num_workers=1, quiet=True)
