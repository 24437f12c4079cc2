"""The toy worlds: what they show, what they pay, and that arrays and single worlds agree."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_for_sb3

from benchmarks.toys import CartPoleNoVel, CartPolesNoVel, TMaze, TMazes


@pytest.mark.parametrize("make", [TMaze, CartPoleNoVel])
def test_checkers_pass(make):
    check_env(make(), skip_render_check=True)
    check_for_sb3(make())


@pytest.mark.parametrize("corridor", [1, 10])
def test_tmaze_shows_the_cue_once_and_pays_at_the_junction(corridor):
    env = TMaze(corridor)
    frame, _ = env.reset(seed=3)
    cue = int(frame[1])
    assert sorted(frame[:2]) == [0.0, 1.0]
    for t in range(1, corridor + 1):
        frame, reward, terminated, truncated, _ = env.step(0)
        assert (reward, terminated, truncated) == (0.0, False, False)
        np.testing.assert_array_equal(frame, [0.0, 0.0, float(t == corridor)])
    _, reward, terminated, _, info = env.step(1 - cue)
    assert (reward, terminated, info["is_success"]) == (-1.0, True, False)


def test_both_cues_come_up():
    cues = {int(TMaze().reset(seed=seed)[0][1]) for seed in range(20)}
    assert cues == {0, 1}


@pytest.mark.parametrize("make", [TMaze, lambda corridor: TMazes(2, corridor)])
def test_a_corridor_has_at_least_a_step(make):
    with pytest.raises(ValueError, match="corridor=0"):
        make(0)


def test_tmazes_are_tmazes():
    """Following one world of the array through a corridor gives what a single maze gives."""
    envs, rewards = TMazes(6, corridor=4, seed=1), []
    frames = envs.reset()
    cues = np.full(6, -1)
    for _ in range(60):
        shown = frames[:, :2].max(1) > 0
        cues = np.where(shown, frames[:, 1].astype(int), cues)
        junction = frames[:, 2] > 0
        frames, reward, dones, infos = envs.step(np.maximum(cues, 0))
        np.testing.assert_array_equal(dones, junction)
        assert not reward[~junction].any()
        for i in np.flatnonzero(junction & (cues >= 0)):
            rewards.append(reward[i])
            assert infos[i]["episode"]["r"] == reward[i] and infos[i]["is_success"]
            np.testing.assert_array_equal(infos[i]["terminal_observation"], [0, 0, 1])
            assert not infos[i]["TimeLimit.truncated"]
        cues[junction] = -1
        assert (frames[junction][:, :2].sum(1) == 1).all()  # the next episode's cue
    assert rewards and set(rewards) == {1.0}


def test_tmazes_episodes_do_not_end_together_and_later_ones_are_whole():
    envs = TMazes(64, corridor=9)
    envs.reset()
    ends = np.array([envs.step(np.zeros(64))[2] for _ in range(30)])
    assert (ends.any(axis=1)).all()
    for world in ends.T:
        assert set(np.diff(np.flatnonzero(world))) == {10}


def test_same_seed_same_worlds():
    def frames(make):
        envs = make()
        found = [envs.reset()]
        for step in range(40):
            found.append(envs.step(np.full(3, step % 2))[0])
        return np.stack(found)

    for make in (lambda: TMazes(3, 5, seed=4), lambda: CartPolesNoVel(3, seed=4)):
        np.testing.assert_array_equal(frames(make), frames(make))
    seeded = TMazes(3, 5)
    seeded.seed(11)
    other = TMazes(3, 5, seed=11)
    np.testing.assert_array_equal(seeded.reset(), other.reset())


def test_cartpoles_have_gymnasiums_dynamics():
    envs = CartPolesNoVel(5, seed=2)
    singles = [gym.make("CartPole-v1") for _ in range(5)]
    frames = envs.reset()
    for i, env in enumerate(singles):
        env.reset()
        env.unwrapped.state = envs.state[i].copy()
    generator, finished = np.random.default_rng(0), set()
    for _ in range(80):
        actions = generator.integers(2, size=5)
        frames, rewards, dones, infos = envs.step(actions)
        for i, env in enumerate(singles):
            if i in finished:
                continue
            observation, reward, terminated, truncated, _ = env.step(actions[i])
            seen = infos[i]["terminal_observation"] if dones[i] else frames[i]
            np.testing.assert_allclose(seen, observation[::2], rtol=1e-6)
            assert (rewards[i], dones[i]) == (reward, terminated or truncated)
            if dones[i]:
                finished.add(i)
    assert len(finished) == 5


def test_cartpoles_are_cut_not_ended_at_the_limit():
    envs = CartPolesNoVel(1)
    envs.limit = 3
    envs.reset()
    for step in range(3):
        _, _, dones, infos = envs.step(np.array([step % 2]))
    assert dones[0] and infos[0]["TimeLimit.truncated"]
    assert infos[0]["episode"]["l"] == 3


def test_no_velocities_are_shown():
    env = CartPoleNoVel()
    frame, _ = env.reset(seed=0)
    np.testing.assert_array_equal(frame, np.asarray(env.unwrapped.state, np.float32)[[0, 2]])
    with pytest.raises(ValueError, match="4 observations"):
        CartPoleNoVel(gym.make("Pendulum-v1"))
