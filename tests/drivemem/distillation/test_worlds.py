"""The teacher watches the student's worlds: the same moment of the same world, to the last bit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem.config import DistillConfig
from drivemem.distillation.teachers import open_teacher
from drivemem.distillation.worlds import TaughtVecEnv, TeachersWorlds
from drivemem.errors import DrivememError
from drivemem.runs import Run
from drivemem.seeds import episode_seed
from drivemem.training.train import make_worlds

from .conftest import lesson

PERCEIVED = ("visible_fraction", "perceived", "age_s")
"""Of the truth, what depends on who looks."""


def taught(config: DistillConfig, backend: Any = "compiled", worlds: Any = None) -> TaughtVecEnv:
    own = make_worlds(config, config.changed_scenario(), backend)
    teacher = open_teacher(config)
    theirs = worlds or make_worlds(config, teacher.scenario, backend)
    return TaughtVecEnv(config, own, TeachersWorlds(teacher, theirs))


def assert_the_same_moment(env: TaughtVecEnv) -> None:
    mine, theirs = env.worlds.truth(), env.teachers.worlds.truth()
    for name in set(mine) - set(PERCEIVED):
        np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    np.testing.assert_array_equal(env.worlds.latent(), env.teachers.worlds.latent())
    np.testing.assert_array_equal(env.worlds.episodes, env.teachers.worlds.episodes)


def drive(env: TaughtVecEnv, decisions: int, draw: np.random.Generator) -> None:
    """Random actions, the teacher asked before each."""
    for _ in range(decisions):
        env.lesson()
        actions = np.array([env.action_space.sample() for _ in range(env.num_envs)])
        if hasattr(env.action_space, "n"):
            actions = draw.integers(int(env.action_space.n), size=env.num_envs)
        env.step(actions)


@pytest.mark.parametrize(
    ("scenario", "driver"),
    [
        ("exit-recall", "oracle"),
        ("hidden-crossing", "oracle"),
        ("blackout-highway", "constant:IDLE"),
        ("delayed-highway", "constant:IDLE"),
        ("camera-exit", "constant:IDLE"),
        ("two-way-trucks", "constant:IDLE"),
        ("crossing-traffic", "constant:IDLE"),
        ("changing-limits", "oracle"),
        ("drivemem/intersection-v1", "constant:zero"),
    ],
)
def test_both_look_at_the_same_moment_of_the_same_worlds(scenario: str, driver: str) -> None:
    """With full sensors beside limited ones, over the ends of episodes."""
    sensors = {"range_m": 20.0} if scenario.startswith("drivemem/") else {}
    config = lesson(driver, scenario=scenario, num_envs=3, sensors=sensors)
    own = make_worlds(config, config.changed_scenario(), "compiled")
    teacher = open_teacher(config)
    theirs = make_worlds(config, teacher.scenario.twin(), "compiled")
    env = TaughtVecEnv(config, own, TeachersWorlds(teacher, theirs))
    draw = np.random.default_rng(0)
    env.reset()
    hidden = False
    for _ in range(60):
        assert_the_same_moment(env)
        mine, shown = (one.worlds._observation() for one in (env, env.teachers))
        hidden |= any(not np.array_equal(part, shown[key]) for key, part in mine.items())
        drive(env, 1, draw)
    env.close()
    assert hidden, "both see alike though one is limited: the test shows nothing"


def test_on_the_reference_backend_too() -> None:
    env = taught(lesson("oracle", num_envs=2), "reference")
    env.reset()
    for _ in range(8):
        assert_the_same_moment(env)
        drive(env, 1, np.random.default_rng(1))
    env.close()


def test_the_teacher_sees_what_it_was_trained_on(teacher: Run) -> None:
    """Its observation is that of its own scenario, driven alone."""
    config = lesson(teacher.folder)
    env = taught(config)
    alone = drivemem_envs.make_vec(
        teacher.config().changed_scenario(), config.num_envs, backend="compiled",
        seeds=partial(episode_seed, config.seed, "train"),
    )  # fmt: skip
    env.reset()
    shown, _ = alone.reset()
    draw = np.random.default_rng(0)
    for _ in range(30):
        for key, part in shown.items():
            np.testing.assert_array_equal(part, env.teachers._shown[key])
        actions = draw.integers(3, size=config.num_envs)
        env.step(actions)
        shown = alone.step(actions)[0]
    env.close()
    alone.close()


def test_a_recurrent_teacher_carries_its_own_state_along_the_students_path(teacher: Run) -> None:
    """It says what it would if it had watched alone; its state begins anew with episodes."""
    config = lesson(teacher.folder)
    env = taught(config)
    watcher = open_teacher(config).driver
    env.reset()
    watcher.begin(env.worlds)
    draw, starts = np.random.default_rng(0), np.ones(config.num_envs, dtype=bool)
    ended = False
    for _ in range(80):
        shown, masks = env.teachers._shown, env.worlds.action_masks()
        expected = watcher.decide(shown, starts, masks)
        said = env.lesson()
        assert said.probs is not None and expected.probs is not None
        np.testing.assert_array_equal(said.probs, expected.probs)
        starts = env.step(draw.integers(3, size=config.num_envs))[2]
        ended |= bool(starts.any())
    assert ended
    env.close()


def test_worlds_that_part_are_noticed() -> None:
    config = lesson("oracle")
    elsewhere = make_worlds(
        config.model_copy(update={"seed": 1}), open_teacher(config).scenario, "compiled"
    )
    env = taught(config, worlds=elsewhere)
    env.reset()
    with pytest.raises(DrivememError, match="go another way where the teacher watches"):
        drive(env, 200, np.random.default_rng(0))
    env.close()


@pytest.mark.parametrize("who", ["run", "oracle"])
def test_teacher_and_worlds_go_on_where_they_were(who: str, teacher: Run, tmp_path: Path) -> None:
    config = lesson(teacher.folder if who == "run" else "oracle")
    env = taught(config)
    env.reset()
    drive(env, 25, np.random.default_rng(3))
    env.save_more(tmp_path)
    position = env.position()
    again = taught(config)
    again.restore(*position)
    again.restore_more(tmp_path)
    assert_the_same_moment(again)
    for _ in range(30):
        mine, theirs = env.lesson(), again.lesson()
        np.testing.assert_array_equal(mine.actions, theirs.actions)
        if mine.probs is not None and theirs.probs is not None:
            np.testing.assert_array_equal(mine.probs, theirs.probs)
        for one in (env, again):
            one.step(mine.actions)
    env.close()
    again.close()


def test_a_teacher_of_other_actions_is_refused(tmp_path: Path) -> None:
    config = lesson("constant:IDLE")
    other = config.model_copy(update={"scenario": "drivemem/parking-v0", "teacher": "random"})
    theirs = make_worlds(other, other.changed_scenario(), "compiled")
    own = make_worlds(config, config.changed_scenario(), "compiled")
    with pytest.raises(DrivememError, match="the teacher acts in"):
        TaughtVecEnv(config, own, TeachersWorlds(open_teacher(config), theirs))
