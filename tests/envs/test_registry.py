from __future__ import annotations

import subprocess
import sys

import gymnasium
import pytest
from gymnasium.error import ResetNeeded

import drivemem_envs
from drivemem_envs import registry
from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS
from drivemem_envs.names import LEVELS, SUITE, by_level


def test_importing_registers_ids_and_loads_no_heavy_package():
    code = (
        "import sys, drivemem_envs, drivemem_envs.metrics, gymnasium;"
        "assert 'drivemem/merge-v1' in gymnasium.registry;"
        "heavy = {'torch', 'pygame', 'numba', 'highway_env', 'pandas'} & set(sys.modules);"
        "sys.exit(','.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_single_agent_id_of_highway_env_is_a_scenario():
    import highway_env  # noqa: F401  registers its ids

    theirs = {
        name
        for name, spec in gymnasium.registry.items()
        if str(spec.entry_point).startswith("highway_env.") and "multi-agent" not in name
    }
    assert theirs == set(HIGHWAY_ENV_IDS)


@pytest.mark.parametrize(
    "name",
    [
        "exit-recall", "exit-recall-v0", "exit-recall-easy", "exit-recall-easy-v0",
        "drivemem/exit-recall-v0",
    ],
)  # fmt: skip
def test_a_name_may_be_given_bare_or_in_full_and_means_the_first_level(name):
    assert drivemem_envs.scenario(name).name == "exit-recall-easy-v0"


@pytest.mark.parametrize("name", drivemem_envs.scenario_names(highway_env=False))
def test_the_twin_of_every_scenario_is_known_by_name(name):
    twin = drivemem_envs.scenario(f"{name.removesuffix('-v0')}-twin")
    assert twin.sensors.is_full
    assert twin.name == f"{name.removesuffix('-v0')}-twin-v0"
    assert twin.config == drivemem_envs.scenario(name).config
    assert f"drivemem/{twin.name}" in gymnasium.registry


@pytest.mark.parametrize("name", SUITE)
def test_every_scenario_of_the_suite_has_three_levels(name):
    levels = [drivemem_envs.scenario(f"{name}-{level}") for level in LEVELS]
    assert [each.name for each in levels] == [f"{name}-{level}-v0" for level in LEVELS]
    assert len({each.hash() for each in levels}) == 3


def test_levels_of_a_scenario_sort_together_and_easiest_first():
    names = ["b-hard-v0", "a-v1", "b-v0", "a-medium-v0", "b-medium-v0", "a-easy-twin-v0"]
    in_order = ["a-easy-twin-v0", "a-v1", "a-medium-v0", "b-v0", "b-medium-v0", "b-hard-v0"]
    assert sorted(names, key=by_level) == in_order


def test_a_bare_name_means_the_newest_version():
    assert drivemem_envs.scenario("merge").name == "merge-v1"


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(drivemem_envs.UnknownScenarioError, match="did you mean 'merge-v1'"):
        drivemem_envs.scenario("merg-v1")


@pytest.mark.parametrize("name", ["", "drivemem/", "two\nlines", "-v0"])
def test_what_is_no_name_is_an_unknown_one(name):
    with pytest.raises(drivemem_envs.UnknownScenarioError, match="unknown scenario"):
        drivemem_envs.scenario(name)


def test_multi_agent_ids_are_refused_with_a_way_out():
    with pytest.raises(drivemem_envs.UnknownScenarioError, match=r"several agents.*intersection"):
        drivemem_envs.scenario("intersection-multi-agent-v0")


@pytest.mark.parametrize(
    ("name", "entry_point", "message"),
    [
        ("exit-recall-v0", "a.b:C", "already registered"),
        ("merge-v1", "a.b:C", "already registered by highway-env"),
        ("crossing", "a.b:C", "version"),
        ("crossing-v0", "a.b.C", "module:ATTRIBUTE"),
    ],
)
def test_registering_refuses(name, entry_point, message):
    with pytest.raises(ValueError, match=message):
        drivemem_envs.register_scenario(name, entry_point)


@pytest.fixture
def forget():
    """Undo registrations after the test."""
    before = dict(registry._ENTRY_POINTS)
    yield
    for name in set(registry._ENTRY_POINTS) - set(before):
        del registry._ENTRY_POINTS[name]
        gymnasium.registry.pop(f"drivemem/{name}", None)


def test_an_entry_point_is_imported_only_when_the_scenario_is_asked_for(forget):
    drivemem_envs.register_scenario("nowhere-v0", "no_such_module:ATTRIBUTE")
    assert "nowhere-v0" in drivemem_envs.scenario_names()
    with pytest.raises(ValueError, match="'nowhere-v0' cannot be imported"):
        drivemem_envs.scenario("nowhere-v0")


def test_an_entry_point_must_give_a_scenario(forget):
    drivemem_envs.register_scenario("wrong-v0", "math:pi")
    with pytest.raises(ValueError, match=r"is no Scenario but 3\.14"):
        drivemem_envs.scenario("wrong-v0")


def test_scenarios_of_other_packages_come_by_entry_point(forget, monkeypatch):
    from importlib.metadata import EntryPoint

    group = registry.ENTRY_POINT_GROUP
    points = [
        EntryPoint("theirs-v0", "drivemem_envs.scenarios.exit_recall:EASY", group),
        EntryPoint("exit-recall-v0", "theirs:CLASH", group),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    registry._load_entry_points.cache_clear()
    with pytest.warns(UserWarning, match="'exit-recall-v0' is left out: .*already registered"):
        names = drivemem_envs.scenario_names()
    registry._load_entry_points.cache_clear()
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    assert "theirs-v0" in names
    assert "drivemem/theirs-v0" in gymnasium.registry
    assert drivemem_envs.scenario("theirs-v0").world.endswith("ExitRecallWorld")


def test_an_environment_made_by_gymnasium_offers_masks_and_wants_a_reset():
    env = gymnasium.make("drivemem/blackout-highway-v0")
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step(1)
    env.reset(seed=0)
    assert env.action_masks().shape == (env.action_space.n,)
    assert len(env.truth()["id"]) > 1
    assert gymnasium.make(env.spec).spec.id == "drivemem/blackout-highway-v0"
