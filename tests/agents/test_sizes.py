"""Every size is checked before it is used: one line with the name, the value and what fits."""

from __future__ import annotations

import pytest

from drivemem_agents.encoders import encoder_names, make_encoder
from drivemem_agents.memory import make_memory, memory_class, memory_names
from drivemem_agents.rollout import chunk_steps

SIZES = ("n_steps", "batch_size", "n_epochs", "bptt_steps", "burn_in_steps")


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [0, -1, -64, 2.5, "many"])
def test_sizes_of_training_are_at_least_one(agent, name, value):
    with pytest.raises(ValueError, match=rf"setting '{name}' is {value!r}") as caught:
        agent("gru", **{name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "memory, name",
    [
        (memory, name)
        for memory in memory_names()
        for name, field in memory_class(memory).Settings.model_fields.items()
        if "int" in str(field.annotation)
    ],
)
@pytest.mark.parametrize("value", [0, -3, 1.5])
def test_sizes_of_memories_are_at_least_one(memory, name, value):
    with pytest.raises(ValueError, match=f"memory '{memory}': setting '{name}") as caught:
        make_memory(memory, 4, {name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "encoder, kwargs",
    [
        ("vector", {"widths": (0,)}),
        ("vector", {"widths": (8, -1)}),
        ("grid", {"layers": ((16, 0, 1),)}),
        ("fusion", {"width": 0}),
    ],
)
def test_sizes_of_encoders_are_at_least_one(agent, encoder, kwargs):
    assert encoder in encoder_names()
    space = agent("none").observation_space
    with pytest.raises(ValueError, match=f"encoder '{encoder}': setting") as caught:
        make_encoder(encoder, space, kwargs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("widths", [(0,), (64, -1), 5, ("a",), (1.5,)])
def test_widths_of_heads_are_at_least_one(agent, widths):
    with pytest.raises(ValueError, match="head_widths is"):
        agent("gru", policy_kwargs={"head_widths": widths})


@pytest.mark.parametrize("value", [0, -1])
def test_at_least_one_episode_is_averaged(agent, value):
    with pytest.raises(ValueError, match="stats_window_size"):
        agent("gru", stats_window_size=value)


def test_a_chunk_length_that_does_not_fit_is_answered_with_one_that_does():
    with pytest.raises(ValueError, match="bptt_steps=8"):
        chunk_steps(16, 64, 7, stateless=False)
    with pytest.raises(ValueError, match="batch_size=32"):
        chunk_steps(16, 20, None, stateless=False)
