"""Drivers from elsewhere: a user's factory, and models of SB3, whose files run code."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import PPO

import drivemem_envs
from drivemem.errors import DrivememError
from drivemem.evaluation.evaluate import evaluate
from drivemem.evaluation.external_drivers import resolve_driver
from drivemem.evaluation.results import Evaluation

SCENARIO = "exit-recall"

MODULE = '''
"""Drivers of a user's own."""
import numpy as np


class Left:
    def __init__(self, scenario, action_space):
        assert action_space.n == 3

    def predict(self, observation, state=None, episode_start=None, deterministic=True,
                action_masks=None):
        return np.zeros(len(observation["cue"]), dtype=int), state


class Tracking(Left):
    tracker = "hold_last"


def silent(scenario, action_space):
    return object()


def broken(scenario, action_space):
    return 1 / 0
'''


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Evaluation]:
    """Evaluates a driver in a folder that holds the user's module."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_drivers.py").write_text(MODULE)

    def run(driver: str, **options: Any) -> Evaluation:
        settings: dict[str, Any] = {"scenario": SCENARIO, "episodes": 6, "num_envs": 3}
        (done,) = evaluate(driver=driver, num_workers=1, quiet=True, **{**settings, **options})
        return done

    return run


def test_a_factory_beside_the_user_is_a_driver(drive: Callable[..., Evaluation]) -> None:
    done = drive("own_drivers:Left")
    named = drive("constant:LANE_LEFT")
    assert [row["outcome"] for row in done.rows] == [row["outcome"] for row in named.rows]
    assert done.identity.driver == "own_drivers:Left" and done.identity.train_seed is None
    again = evaluate(done.folder.parents[1], episodes=6, num_envs=3, num_workers=1, quiet=True)[0]
    assert [row["outcome"] for row in again.rows] == [row["outcome"] for row in done.rows]
    assert not again.reused, "what a user's module does cannot be known to be the same"


def test_a_driver_says_which_tracker_it_wants(drive: Callable[..., Evaluation]) -> None:
    done = drive("own_drivers:Tracking")
    assert done.identity.tracker == "hold_last"
    assert {row["tracker"] for row in done.rows} == {"hold_last"}


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        ("own_drivers:Right", "cannot be imported"),
        ("no_such_module:Left", "cannot be imported"),
        ("own_drivers:broken", "failed: ZeroDivisionError"),
        ("own_drivers:silent", "made object, which has no predict"),
        ("constant:FLY", "unknown action 'FLY'"),
        ("konstant", "did you mean 'constant'"),
        ("sb3:PPO", "needs algorithm and file"),
        ("sb3:PPO:gone.zip", "gone.zip does not exist"),
    ],
)
def test_what_is_no_driver_is_said(
    drive: Callable[..., Evaluation], driver: str, said: str
) -> None:
    with pytest.raises(DrivememError, match=said):
        drive(driver)


class Mischief:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.target), "w")


def test_an_sb3_file_runs_no_code_without_trust(tmp_path: Path) -> None:
    trap, file = tmp_path / "sprung", tmp_path / "model.zip"
    with zipfile.ZipFile(file, "w") as archive:
        pickled = io.BytesIO()
        pickle.dump(Mischief(trap), pickled)
        archive.writestr("data", pickled.getvalue())
    with pytest.raises(DrivememError, match=r"runs code stored in it .* add --trust"):
        resolve_driver(f"sb3:PPO:{file}", drivemem_envs.scenario(SCENARIO))
    assert not trap.exists()
    with pytest.raises(DrivememError, match="is no model of PPO"):
        resolve_driver(f"sb3:PPO:{file}", drivemem_envs.scenario(SCENARIO), trust=True)


@pytest.mark.parametrize("flat", [False, True])
def test_a_trusted_sb3_model_drives(
    drive: Callable[..., Evaluation], tmp_path: Path, flat: bool
) -> None:
    env = drivemem_envs.make(SCENARIO, flat=flat)
    policy = "MlpPolicy" if flat else "MultiInputPolicy"
    model = PPO(policy, env, n_steps=8, batch_size=8, seed=0, device="cpu")
    model.save(tmp_path / "model.zip")
    done = drive("sb3:PPO:model.zip", trust=True)
    assert len(done.rows) == 6 and done.identity.driver == "sb3:PPO:model"
    with pytest.raises(DrivememError, match="unknown algorithm 'PPOO'; did you mean 'PPO'"):
        drive("sb3:PPOO:model.zip", trust=True)
    with pytest.raises(DrivememError, match="trained on another environment"):
        drive("sb3:PPO:model.zip", trust=True, scenario="blackout-highway")


def test_the_state_of_a_recurrent_model_is_carried(
    drive: Callable[..., Evaluation], tmp_path: Path
) -> None:
    contrib = pytest.importorskip("sb3_contrib")
    env = drivemem_envs.make(SCENARIO)
    model = contrib.RecurrentPPO(
        "MultiInputLstmPolicy", env, n_steps=8, batch_size=8, seed=0, device="cpu"
    )
    model.save(tmp_path / "recurrent.zip")
    seen: list[Any] = []
    predict = contrib.RecurrentPPO.predict

    def watched(self: Any, observation: Any, state: Any, *arguments: Any, **keywords: Any) -> Any:
        seen.append(state)
        return predict(self, observation, state, *arguments, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contrib.RecurrentPPO, "predict", watched)
        drive("sb3:RecurrentPPO:recurrent.zip", trust=True)
    assert seen[0] is None and all(state is not None for state in seen[1:])


@pytest.mark.parametrize("name", ["idm", "constant:IDLE"])
def test_drivers_by_name_are_shown_rows_beside_what_agents_see(name: str) -> None:
    shown = drivemem_envs.scenario("blackout-highway").with_(views=("lanes",))
    met = resolve_driver(name, shown).scenario
    assert met.observation.views == ("rows", "lanes")
    assert met.with_(views=("lanes",), tracker="none") == shown
    env = drivemem_envs.make_vec(met, 2, backend="compiled")
    observation, _ = env.reset(seed=0)
    actions, _ = resolve_driver(name, shown).driver.predict(observation)
    assert actions.shape == (2,)
    env.close()


def test_the_oracle_by_rule_drives_where_agents_see_no_rows() -> None:
    shown = drivemem_envs.scenario("blackout-highway").with_(views=("lanes",))
    assert "rows" in resolve_driver("oracle", shown).scenario.observation.views


def test_lesions_and_training_suites_are_for_agents(drive: Callable[..., Evaluation]) -> None:
    with pytest.raises(DrivememError, match="cuts trained agents"):
        drive("constant:IDLE", lesion="span:1")
    with pytest.raises(DrivememError, match="a driver has none"):
        drive("constant:IDLE", suite="train")


def test_the_planner_is_shown_the_worlds(drive: Callable[..., Evaluation]) -> None:
    planner = "planner:horizon_s=2,candidates=9"
    done = drive(planner, scenario="highway-fast-v0", episodes=2, num_envs=2)
    assert done.identity.full_sensors
    assert done.folder.parent.parent.name == f"highway-fast-v0-{planner.replace(':', '-')}"
    lone = drive(planner, scenario="highway-fast-v0", episodes=2, num_envs=1, again=True)
    assert [row["return"] for row in done.rows] == [row["return"] for row in lone.rows]


def test_the_planner_refuses_worlds_that_it_cannot_copy(drive: Callable[..., Evaluation]) -> None:
    with pytest.raises(DrivememError, match="reference backend cannot make: drive with"):
        drive("planner", backend="reference")
