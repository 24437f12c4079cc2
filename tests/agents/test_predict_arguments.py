"""`predict` takes what SB3's users give it, in any shape, and refuses the rest in one line."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from drivemem_agents import MemoryPPO
from drivemem_agents.memory import memory_names

OBSERVATION = np.array([0.5, -0.25], np.float32)


class Still(gym.Env[Any, int]):
    """Nothing happens; any observation space."""

    action_space = spaces.Discrete(3)

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.observation_space = space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return self.observation_space.sample(), {}

    def step(self, action: int) -> Any:
        return self.observation_space.sample(), 0.0, False, False, {}


def reader_of(space: spaces.Space[Any]) -> MemoryPPO:
    env = DummyVecEnv([lambda: Still(space)])
    return MemoryPPO("MemoryPolicy", env, n_steps=8, batch_size=8, seed=0, device="cpu")


@pytest.mark.parametrize("memory", memory_names())
@pytest.mark.parametrize("begin", [True, [True], np.array([True]), np.array([[True]]), 1])
def test_a_beginning_may_be_a_scalar_or_a_list(agent, memory, begin):
    model = agent(memory)
    _, state = model.predict(OBSERVATION)
    _, expected = model.predict(OBSERVATION)
    _, found = model.predict(OBSERVATION, state, begin)
    for key in expected:
        assert torch.equal(expected[key], found[key])


@pytest.mark.parametrize(
    "one",
    [OBSERVATION, OBSERVATION.tolist(), tuple(OBSERVATION), torch.tensor(OBSERVATION)],
    ids=type,
)
def test_one_observation_may_be_a_list_a_tuple_or_a_tensor(agent, one):
    model = agent("gru")
    action, state = model.predict(one, deterministic=True)
    actions, _ = model.predict(OBSERVATION[None], deterministic=True)
    assert np.shape(action) == () and np.shape(actions) == (1,) and action == actions[0]
    action, _ = model.predict(one, {key: value.numpy() for key, value in state.items()}, False)
    assert np.shape(action) == ()


@pytest.mark.parametrize("one", [2, np.int64(2), np.array(2)])
def test_a_number_is_an_observation_of_a_discrete_space(one):
    model = reader_of(spaces.Discrete(4, start=1))
    assert np.shape(model.predict(one)[0]) == ()
    assert np.shape(model.predict([one, one])[0]) == (2,)
    with pytest.raises(ValueError, match="from 1 to 4"):
        model.predict(5)


def test_dicts_of_lists_are_observations():
    model = reader_of(
        spaces.Dict({"a": spaces.Box(-1, 1, (2,), np.float32), "b": spaces.Discrete(3)})
    )
    assert np.shape(model.predict({"a": [0.1, 0.2], "b": 1})[0]) == ()
    assert np.shape(model.predict({"a": [[0.1, 0.2]], "b": [1], "more": 3})[0]) == (1,)
    for wrong, said in (
        ({"a": [0.1, 0.2]}, r"a dict of \['a', 'b'\]"),
        ([0.1, 0.2], "but the agent reads a dict"),
        ({"a": [[0.1, 0.2]], "b": 1}, "others are not"),
        ({"a": [[0.1, 0.2]], "b": [1, 2]}, "different sizes"),
    ):
        with pytest.raises(ValueError, match=said):
            model.predict(wrong)


def test_images_may_have_their_channels_last_as_the_environment_gives_them():
    space = spaces.Box(0, 255, (36, 40, 3), np.uint8)
    env = DummyVecEnv([lambda: Still(space)])
    model = MemoryPPO("MemoryPolicy", env, encoder="image", n_steps=8, batch_size=8, device="cpu")
    image = space.sample()
    last, _ = model.predict(image, deterministic=True)
    first, _ = model.predict(image.transpose(2, 0, 1), deterministic=True)
    assert last == first


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((np.zeros(3),), r"shape \(3,\), but the agent reads \(2,\) or a batch \(B, 2\)"),
        ((np.zeros((4, 3, 2)),), "shape"),
        (([[0.0, 0.0], [0.0]],), "no array"),
        ((["a", "b"],), "give numbers"),
        (((OBSERVATION, {}),), "reset"),
        ((np.array([np.nan, 0.0]),), "not finite"),
        ((OBSERVATION, {"h": np.zeros((3, 64))}), r"\(3, 64\).*\(1, 64\)"),
        ((OBSERVATION, {"c": np.zeros((1, 64))}), r"a dict of \['h'\]"),
        ((OBSERVATION, (np.zeros((1, 64)),)), "the state is tuple"),
        ((np.zeros((2, 2)), None, [True, False, True]), None),
        ((np.zeros((2, 2)), {"h": np.zeros((2, 64))}, [True, False, True]), "episode_start"),
    ],
)
def test_other_shapes_are_refused_in_one_line(agent, arguments, said):
    model = agent("gru")
    if said is None:  # without a state all begin, whatever is said
        model.predict(*arguments)
        return
    with pytest.raises(ValueError, match=said) as caught:
        model.predict(*arguments)
    assert "\n" not in str(caught.value)


def test_masks_may_be_lists_and_must_fit(agent):
    model = agent("gru")
    for _ in range(8):
        assert model.predict(OBSERVATION, action_masks=[False, True])[0] == 1
    with pytest.raises(ValueError, match=r"need \(2, 2\)"):
        model.predict(np.zeros((2, 2)), action_masks=[True, True, True])
