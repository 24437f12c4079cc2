"""Who drives an agent with a memory by `predict` is told once that the state was forgotten."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from drivemem_agents import MemoryPPO
from drivemem_agents.memory import make_memory, memory_names

OBSERVATIONS = np.eye(4, dtype=np.float32)
"""Of CartPole, each another one."""
FORGOT = "memory begins anew at every call"


def agent(memory: str = "gru", **settings: Any) -> MemoryPPO:
    return MemoryPPO(
        "MemoryPolicy", "CartPole-v1", memory=memory, n_steps=8, batch_size=8, seed=0,
        device="cpu", **settings,
    )  # fmt: skip


def told(*calls: tuple[Any, ...], model: MemoryPPO) -> list[str]:
    """What is warned of in calls with (observation, state, episode_start)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for call in calls:
            model.predict(*call)
    return [str(one.message) for one in caught if FORGOT in str(one.message)]


@pytest.mark.parametrize("memory", memory_names())
def test_a_forgotten_state_is_told_once_where_there_is_one(memory: str) -> None:
    carries = bool(make_memory(memory, 4).initial_state(1))
    model = agent(memory)
    calls = [(observation,) for observation in OBSERVATIONS]
    assert len(told(*calls, model=model)) == carries
    assert told(*calls, model=model) == []


def test_the_warning_is_of_the_line_that_called() -> None:
    model = agent()
    with pytest.warns(UserWarning, match=FORGOT) as caught:
        model.predict(OBSERVATIONS[0])
        model.predict(OBSERVATIONS[1])
    assert caught[0].filename == __file__


@pytest.mark.parametrize("begins", [False, [False], np.array([False])])
def test_it_is_told_where_an_episode_is_said_to_go_on(begins: Any) -> None:
    first = (OBSERVATIONS[0], None, True)
    assert len(told(first, (OBSERVATIONS[1], None, begins), model=agent())) == 1


def test_nobody_is_warned_without_need() -> None:
    same = [(OBSERVATIONS[0],)] * 3
    assert told(*same, model=agent()) == [], "the same observation is no next step"
    more = [(OBSERVATIONS[:1],), (OBSERVATIONS[:2],), (OBSERVATIONS[0],)]
    assert told(*more, model=agent()) == [], "another number of worlds"
    begun = [(observation, None, True) for observation in OBSERVATIONS]
    assert told(*begun, model=agent()) == [], "every call is said to begin an episode"
    model = agent()
    _, state = model.predict(OBSERVATIONS[0])
    knows = [(OBSERVATIONS[1], state), (OBSERVATIONS[2],), (OBSERVATIONS[3],)]
    assert told(*knows, model=model) == [], "two episodes of a step each, by who passes states"


def test_what_the_agent_remembers_besides_its_memory_is_state_too() -> None:
    model = agent("none", observe_previous_action=True)
    assert len(told(*((one,) for one in OBSERVATIONS), model=model)) == 1


@pytest.mark.parametrize("worlds", [1, 3])
def test_evaluation_by_sb3_does_not_warn(worlds: int) -> None:
    import gymnasium

    env = DummyVecEnv([lambda: gymnasium.make("CartPole-v1")] * worlds)
    model = agent()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=f".*{FORGOT}.*")
        evaluate_policy(model, env, n_eval_episodes=5, warn=False)
        model.learn(16)
        evaluate_policy(model.policy, env, n_eval_episodes=5, warn=False)
