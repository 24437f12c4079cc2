"""The tasks of others hide what they should, and their runs are rows that make a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from experiments.external import run
from experiments.external.tasks import (
    CONTROL,
    LENGTHS,
    TASKS,
    HiddenVelocities,
    lstm_weights,
    popgym_world,
)

HIDDEN = {
    "CartPoleNoVel-v1": ("CartPole-v1", [1, 3]),
    "PendulumNoVel-v1": ("Pendulum-v1", [2]),
    "MountainCarContinuousNoVel-v0": ("MountainCarContinuous-v0", [1]),
}
"""Indices that rl-baselines3-zoo masks."""


@pytest.mark.parametrize("name", CONTROL)
def test_velocities_are_zero_and_all_else_is_the_original(name: str) -> None:
    original, indices = HIDDEN[name]
    env, whole = TASKS[name].make(), gym.make(original)
    pairs = [(env.reset(seed=5)[0], whole.reset(seed=5)[0])]
    whole.action_space.seed(0)
    for _ in range(8):
        action = whole.action_space.sample()
        (seen, *rest), (full, *known) = env.step(action), whole.step(action)
        assert rest == known
        pairs.append((seen, full))
    for seen, full in pairs:
        assert (np.delete(full, indices) == np.delete(seen, indices)).all()
        assert not seen[indices].any()
    assert any(full[indices].any() for _, full in pairs)
    check_env(env, skip_render_check=True)


def test_velocities_must_be_among_the_observations() -> None:
    with pytest.raises(ValueError, match=r"velocities=\(3,\)"):
        HiddenVelocities(gym.make("Pendulum-v1"), (3,))


def test_memories_are_as_large_as_the_lstm_of_the_zoo() -> None:
    lstm = torch.nn.LSTM(4, 64)
    assert lstm_weights(4, 64) == sum(weight.numel() for weight in lstm.parameters()) == 17_920
    assert TASKS["CartPoleNoVel-v1"].weights == 17_920


@pytest.mark.parametrize("name", TASKS)
def test_chunks_fit_the_batches(name: str) -> None:
    task = TASKS[name]
    chunk = task.settings.get("bptt_steps", task.settings["n_steps"])
    assert task.settings["n_steps"] % chunk == 0
    assert task.settings["batch_size"] % chunk == 0
    assert (task.settings["n_steps"] * task.worlds) % task.settings["batch_size"] == 0


@pytest.mark.parametrize("name", LENGTHS)
def test_popgyms_episodes_are_as_long_as_rollouts(name: str) -> None:
    pytest.importorskip("popgym")
    env = popgym_world(name)
    assert env.unwrapped.max_episode_length == LENGTHS[name]
    env.reset(seed=0)
    env.action_space.seed(0)
    ended, steps = False, 0
    while not ended:
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        ended, steps = terminated or truncated, steps + 1
    assert steps <= LENGTHS[name]
    assert steps == LENGTHS[name] or "CartPole" in name


def test_popgym_shows_the_action_before_and_that_an_episode_begins() -> None:
    pytest.importorskip("popgym")
    env = popgym_world("RepeatPreviousEasy")
    first, _ = env.reset(seed=0)
    then, *_ = env.step(2)
    assert first.shape == (4 + 4 + 2,)
    np.testing.assert_array_equal(first[4:], [1, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(then[4:], [0, 0, 1, 0, 1, 0])


def call(folder: Path, *arguments: str) -> tuple[bytes, bytes]:
    """What a call of the command leaves: table and page."""
    table = folder / "runs.csv"
    run.main(["--tasks", "CartPoleNoVel-v1", "--steps", "256", "--out", str(table), *arguments])
    return table.read_bytes(), (folder / "RESULTS.md").read_bytes()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "EPISODES", 4)


@pytest.mark.usefixtures("short")
def test_a_run_is_a_row_and_the_page_can_be_made_again(tmp_path: Path) -> None:
    table, page = call(tmp_path, "--memories", "none", "gru", "--seeds", "1")
    rows: list[dict[str, Any]] = run.table_at(tmp_path / "runs.csv").read()
    assert [(row["memory"], row["seed"], row["steps"]) for row in rows] == [
        ("gru", 0, 256), ("none", 0, 256),
    ]  # fmt: skip
    assert all(abs(row["weights"] - 17_920) < 1_792 and 1 <= row["score"] <= 500 for row in rows)
    assert b"## CartPoleNoVel-v1: 256 steps" in page and b"| none | " in page
    (tmp_path / "RESULTS.md").unlink()
    assert call(tmp_path, "--memories", "none", "gru", "--seeds", "1") == (table, page)


@pytest.mark.usefixtures("short")
def test_the_same_seed_finds_the_same(tmp_path: Path) -> None:
    def scores(folder: Path) -> list[float]:
        folder.mkdir()
        call(folder, "--memories", "gru", "--seeds", "2")
        return [row["score"] for row in run.table_at(folder / "runs.csv").read()]

    first = scores(tmp_path / "first")
    assert first == scores(tmp_path / "again")
    assert first[0] != first[1]


def test_popgym_is_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as failure:
        run.main(["--tasks", "popgym-RepeatFirstEasy-v0"])
    assert failure.value.code == 2
    assert "need the package popgym" in capsys.readouterr().err
