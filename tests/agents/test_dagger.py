"""Learning from a teacher: what a student can follow it learns, what it cannot it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from drivemem_agents import MemoryPPO
from drivemem_agents.checkpoint import load_training, save_training
from drivemem_agents.dagger import MemoryDAgger, divergence, target
from drivemem_agents.heads import CategoricalHead, GaussianHead
from drivemem_agents.imitation_settings import ImitationSettings

from .conftest import Recall


class Said(NamedTuple):
    """A lesson."""

    actions: np.ndarray[Any, Any]
    probs: np.ndarray[Any, Any] | None = None


class Taught(DummyVecEnv):
    """Worlds of `Recall` with a teacher that knows the cue, which is named in every decision."""

    def __init__(self, count: int = 8, **settings: Any) -> None:
        super().__init__([lambda: Recall(**settings) for _ in range(count)])
        self.seed(0)
        self.driven: list[np.ndarray[Any, Any]] = []
        self.cues: list[np.ndarray[Any, Any]] = []

    def lesson(self) -> Said:
        return Said(np.array([env.cue for env in self.envs]))

    def step_async(self, actions: Any) -> None:
        self.driven.append(np.array(actions))
        self.cues.append(self.lesson().actions)
        super().step_async(actions)


class WithoutTeacher(DummyVecEnv):
    """Worlds without a teacher."""


def student(env: Any, memory: str = "gru", steps: int = 0, **changes: Any) -> MemoryDAgger:
    imitation = ImitationSettings(finetune_steps=steps, **changes.pop("imitation", {}))
    known = {"n_steps": 16, "batch_size": 64, "learning_rate": 3e-3, "seed": 0, "device": "cpu"}
    return MemoryDAgger(
        "MemoryPolicy", env, memory=memory, imitation=imitation, **{**known, **changes}
    )


def score(model: MemoryPPO) -> float:
    env = DummyVecEnv([Recall for _ in range(8)])
    env.seed(99)
    return float(evaluate_policy(model, env, n_eval_episodes=200, warn=False)[0])


def test_a_student_with_memory_follows_its_teacher_and_one_without_cannot() -> None:
    assert score(student(Taught()).learn(6000)) > 0.95
    assert score(student(Taught(), "none").learn(6000)) < 0.7


def test_the_divergence_falls_to_nothing_where_the_student_can_follow() -> None:
    seen: list[float] = []
    model = student(Taught())
    log = model._log_lessons

    def spy() -> None:
        log()
        seen.append(model.logger.name_to_value.get("distill/divergence", np.nan))

    model._log_lessons = spy  # type: ignore[method-assign]
    model.learn(6000)
    known = [value for value in seen if np.isfinite(value)]
    assert known[-1] < 0.1 * known[0]


def test_the_teacher_drives_whole_episodes_at_first_and_none_at_the_end() -> None:
    env = Taught(delay=3)
    settings = {"beta": 1.0, "beta_share": 0.5, "greedy_share": 0.0}
    student(env, imitation=settings, learning_rate=1e-9).learn(1024)  # learns nothing
    driven, cues = np.array(env.driven), np.array(env.cues)  # (T, B); episodes last 4 decisions
    episodes = (driven == cues).reshape(-1, 4, 8).all(axis=1)
    assert episodes[:4].all(), "the first rollout is the teacher's"
    assert episodes[-16:].mean() < 0.3, "whole episodes named right by chance"


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_students_actions_are_drawn_or_its_most_likely_ones(share: float) -> None:
    env = Taught(delay=3)
    settings = {"beta": 0.0, "greedy_share": share}
    student(env, imitation=settings, learning_rate=1e-9).learn(512)  # learns nothing
    at_the_cue = np.array(env.driven)[::4][np.array(env.cues)[::4] == 1]
    assert (len(np.unique(at_the_cue)) == 1) == (share == 1.0)


def test_fine_tuning_is_ppo_of_the_student_with_a_leash_that_fades() -> None:
    model = student(Taught(), steps=512)
    weights: list[tuple[bool, float]] = []
    begin = model._begin_phase

    def spy() -> None:
        begin()
        weights.append((model._imitates, model._coef))

    model._begin_phase = spy  # type: ignore[method-assign]
    model.learn(1024)
    assert [imitates for imitates, _ in weights] == [True] * 4 + [False] * 4
    assert [coef for _, coef in weights[4:]] == [1.0, 0.75, 0.5, 0.25]
    assert not model._led.any()
    assert "train/policy_gradient_loss" in model.logger.name_to_value


def test_fine_tuning_keeps_what_was_learnt() -> None:
    assert score(student(Taught(), steps=2000).learn(8000)) > 0.95


def test_going_on_from_a_checkpoint_is_exact(tmp_path: Path) -> None:
    """Also which episodes the teacher drives comes back."""

    def fresh() -> tuple[MemoryDAgger, Taught]:
        env = Taught(delay=40)  # longer than a rollout: episodes run on over the checkpoint
        return student(env, imitation={"beta": 0.5, "beta_share": 1.0}, n_steps=8), env

    whole, _ = fresh()
    whole.learn(64)
    led = whole._led.copy()
    assert led.any() and not led.all()
    save_training(whole, tmp_path / "checkpoint")
    again, _ = fresh()
    load_training(again, tmp_path / "checkpoint")
    np.testing.assert_array_equal(again._led, led)


def test_an_environment_without_a_teacher_is_refused() -> None:
    env = WithoutTeacher([Recall for _ in range(2)])
    with pytest.raises(ValueError, match="has no teacher"):
        student(env).learn(32)


def test_previous_actions_are_those_that_were_taken() -> None:
    """A student that reads its previous action reads the teacher's where that drove."""
    env = Taught()
    model = student(env, observe_previous_action=True, imitation={"beta_share": 1.0})
    model.learn(128)
    seen = model.rollout.columns["observation._previous"]
    taken = torch.as_tensor(np.array(env.driven))
    goes_on = ~model.rollout.starts[1:]
    read = seen[1:].argmax(-1)
    assert torch.equal(read[goes_on], taken[:-1][goes_on])


def test_divergence_of_distributions_is_their_kl() -> None:
    head = CategoricalHead(4, gym.spaces.Discrete(3))
    probs = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    own = torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.5, 0.3]])
    told = target(head, Said(np.array([0, 1]), probs))
    found = divergence(head, own.log(), told)
    kl = (probs[0] * np.log(probs[0] / own[0].numpy())).sum()
    assert found[0].item() == pytest.approx(kl, rel=1e-5)
    assert found[1].item() == pytest.approx(-np.log(0.5), rel=1e-5)


def test_actions_that_are_not_available_do_not_count() -> None:
    head = CategoricalHead(4, gym.spaces.Discrete(3))
    masks = torch.tensor([[True, True, False], [True, True, False]])
    told = target(head, Said(np.array([2, 1])), masks)
    assert told["counts"].tolist() == [0.0, 1.0]
    parameters = head(torch.zeros(2, 4), masks)
    assert torch.isfinite(divergence(head, parameters, told) * told["counts"]).all()


@pytest.mark.parametrize("squash", [True, False])
def test_continuous_actions_are_asked_for_as_stored(squash: bool) -> None:
    space = gym.spaces.Box(np.float32([-2.0, 0.0]), np.float32([2.0, 10.0]))
    head = GaussianHead(4, space, squash)
    given = np.array([[-1.5, 2.0], [0.3, 9.0]], dtype=np.float32)
    stored = head.from_environment(given)
    np.testing.assert_allclose(head.to_environment(stored), given, atol=1e-5)
    told = target(head, Said(given))
    parameters = torch.cat([stored, torch.zeros(2, 2)], dim=-1)
    moved = torch.cat([stored + 0.5, torch.zeros(2, 2)], dim=-1)
    nearest, farther = (divergence(head, which, told) for which in (parameters, moved))
    assert (nearest < farther).all()


def test_discrete_actions_that_do_not_begin_at_zero_are_stored_as_indices() -> None:
    head = CategoricalHead(4, gym.spaces.Discrete(3, start=5))
    assert head.from_environment(np.array([5, 7])).tolist() == [[0], [2]]
    assert head.to_environment(torch.tensor([[0], [2]])).tolist() == [5, 7]


@pytest.mark.parametrize("given", [{"beta": 1.5}, {"beta_share": -0.1}, {"finetune_steps": -1}])
def test_settings_out_of_range_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        ImitationSettings(**given)
