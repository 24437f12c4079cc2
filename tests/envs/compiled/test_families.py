"""The table of families and the kernels that dispatch by its codes cover each other."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.families import FAMILIES, family_of, reset_of
from drivemem_envs.compiled.scenes import dispatch
from drivemem_envs.compiled.scenes.compiled_resets import CompiledResets
from drivemem_envs.compiled.task_vector import task_vector
from drivemem_envs.compiled.tasks.reward import reward_terms
from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS

NAMES = (*drivemem_envs.scenario_names(highway_env=False), *HIGHWAY_ENV_IDS)
RESETS = {reset.code: reset for family in FAMILIES for reset in family.worlds.values() if reset}


def scenario_with(test):
    for name in NAMES:
        scenario = drivemem_envs.scenario(name)
        if test(scenario):
            return scenario
    raise AssertionError("no scenario of this family")


def test_every_code_is_one_family():
    assert [family.code for family in sorted(FAMILIES, key=lambda each: each.code)] == [*range(13)]
    assert len({path for family in FAMILIES for path in family.worlds}) == sum(
        len(family.worlds) for family in FAMILIES
    )


def test_every_world_of_the_table_is_there_and_of_its_family():
    for family in FAMILIES:
        for path in family.worlds:
            module, _, name = path.partition(":")
            assert isinstance(getattr(import_module(module), name), type)
    for name in NAMES:
        assert family_of(drivemem_envs.scenario(name)) in FAMILIES


def test_kernels_dispatch_every_compiled_reset_and_no_other():
    named = set(re.findall(r"\b[A-Z_]{4,}\b", Path(dispatch.__file__).read_text(encoding="utf-8")))
    dispatched = {getattr(codes, name) for name in named if isinstance(vars(codes).get(name), int)}
    assert dispatched == set(RESETS)


@pytest.mark.parametrize("code", RESETS)
def test_every_compiled_reset_resets(code):
    scenario = scenario_with(lambda each: getattr(reset_of(each), "code", None) == code)
    source = CompiledResets(scenario, 1)
    source.fill(np.array([0]), np.array([3]))
    world = source.worlds.world[0]
    assert 0 <= world.ego < world.vehicles
    assert source.worlds.actors[0, world.ego].length > 0
    source.close()


@pytest.mark.parametrize(
    "family",
    [family for family in FAMILIES if family.code != codes.BATCH_TASK],
    ids=lambda family: family.name,
)
def test_every_family_rewards_each_of_its_terms(family):
    scenario = scenario_with(lambda each: family_of(each) is family)
    task = task_vector(family, scenario.resolved_config())
    assert task[codes.FAMILY] == family.code
    terms = np.full(codes.TERMS, np.nan)
    reward_terms(task, np.full(codes.FACTS, 2.0), terms)
    assert np.isfinite(terms[: len(family.terms)]).all()
