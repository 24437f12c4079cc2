"""The same seed trains the same weights; `determinism_trace` compares versions so."""

from __future__ import annotations

import inspect

from drivemem_agents import MemoryPPO

from .determinism_trace import SETTINGS, loaded_and_trained_on, trace


def test_two_traces_in_one_process_are_equal():
    names = ["gru", "critic=separate", "continuous", "masks", "normalised"]
    names += [f"state_init={kind}" for kind in ("stored", "zero", "burn_in", "recompute")]
    first = trace(names)
    assert first == trace(names)
    assert len(set(first.values())) == len(names)
    assert loaded_and_trained_on() == loaded_and_trained_on()


def test_the_trace_leaves_no_setting_to_its_default():
    taken = set(inspect.signature(MemoryPPO).parameters)
    assert set(SETTINGS) == taken - {"policy", "env", "settings", "_init_setup_model"}
