"""Every memory with a width can be given a wanted number of weights."""

from __future__ import annotations

import pytest
import torch

from drivemem_agents.matching import match_parameters, parameter_count
from drivemem_agents.memory import make_memory, memory_class, memory_names

WIDE = [
    name for name in memory_names() if "hidden_size" in memory_class(name).Settings.model_fields
]


@pytest.mark.parametrize("name", memory_names())
def test_counting_draws_no_random_numbers_and_counts_right(name):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    found = parameter_count(name, 10)
    assert torch.equal(before, torch.get_rng_state())
    assert found == sum(weight.numel() for weight in make_memory(name, 10).parameters())


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("target", [8_000, 16_000, 50_000])
def test_the_match_is_within_ten_percent(name, target):
    settings = match_parameters(name, 32, target)
    built = make_memory(name, 32, settings)
    found = sum(weight.numel() for weight in built.parameters())
    assert abs(found - target) <= 0.1 * target


def test_nearly_all_memories_can_be_matched():
    assert len(WIDE) >= 13


def test_other_settings_stay():
    assert match_parameters("gru", 32, 8000, {"gate_bias": 50.0})["gate_bias"] == 50.0
    settings = match_parameters("tcn", 32, 8000, {"levels": 2, "hidden_size": 1})
    assert settings["levels"] == 2 and settings["hidden_size"] > 1


def test_the_nearest_width_is_chosen():
    settings = match_parameters("gru", 32, 8000)
    size = settings["hidden_size"]
    errors = [abs(parameter_count("gru", 32, {"hidden_size": h}) - 8000) for h in range(1, 80)]
    assert errors[size - 1] == min(errors)


def test_impossible_matches_say_why():
    with pytest.raises(ValueError, match="the nearest is"):
        match_parameters("linear_attention", 32, 500)
    with pytest.raises(ValueError, match="no setting 'widht'"):
        match_parameters("gru", 32, 8000, width="widht")
