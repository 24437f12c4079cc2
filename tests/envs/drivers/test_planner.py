"""The planner: the oracle of scenarios that give no rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs import make_vec
from drivemem_envs.drivers import make_driver
from drivemem_envs.drivers.oracle import OracleDriver
from drivemem_envs.drivers.planner import PlannerDriver

SMALL = "planner:horizon_s=4,candidates=12"


def seeds(world: int, episode: int) -> int:
    return 7 + world + 1000 * episode


def drive(name: str, driver: str, worlds: int, decisions: int = 1000) -> tuple[Any, list[Any]]:
    """Actions (T, N) of first episodes, and their outcomes."""
    scenario = drivemem_envs.scenario(name)
    env = make_vec(scenario.twin(), worlds, backend="compiled", seeds=seeds, num_workers=1)
    chosen = make_driver(driver, scenario, env.single_action_space)
    if hasattr(chosen, "meet"):
        chosen.meet(env)
    observation, _ = env.reset()
    state, starts = None, np.ones(worlds, dtype=bool)
    taken, outcomes = [], [None] * worlds
    while None in outcomes and len(taken) < decisions:
        actions, state = chosen.predict(observation, state, starts)
        taken.append(actions)
        observation, _, terminated, truncated, infos = env.step(actions)
        starts = terminated | truncated
        for world in np.flatnonzero(starts):
            outcomes[world] = outcomes[world] or infos["final_info"]["outcome"][world]
    env.close()
    return np.array(taken), outcomes


def test_it_drives_through_traffic_that_others_hit() -> None:
    assert drive("highway-fast-v0", "constant:FASTER", 6)[1].count("collision") >= 5
    assert drive("highway-fast-v0", "planner", 6)[1] == ["success"] * 6


def test_it_drives_the_same_in_any_company() -> None:
    few, _ = drive("highway-fast-v0", SMALL, 2, decisions=12)
    many, _ = drive("highway-fast-v0", SMALL, 5, decisions=12)
    np.testing.assert_array_equal(few, many[:, :2])
    assert len(np.unique(few)) > 1


def test_it_steers_by_continuous_controls_too() -> None:
    taken, _ = drive("racetrack-v1", "planner:horizon_s=1,candidates=12", 2, decisions=30)
    assert taken.shape == (30, 2, 1)
    assert np.abs(taken).max() <= 1.0


def test_it_may_look_ahead_by_a_single_decision() -> None:
    taken, _ = drive("highway-fast-v0", "planner:horizon_s=0.1,candidates=6", 2, decisions=5)
    assert taken.shape == (5, 2)


def test_it_is_the_oracle_where_a_world_gives_no_rule() -> None:
    for name, kind in (("merge-v1", PlannerDriver), ("exit-recall-v0", OracleDriver)):
        scenario = drivemem_envs.scenario(name)
        space = drivemem_envs.make(scenario).action_space
        assert isinstance(make_driver("oracle", scenario, space), kind)


@pytest.mark.parametrize(
    ("driver", "message"),
    [
        ("planner:horizon=3", "unknown field 'horizon'; did you mean 'horizon_s'"),
        ("planner:8", "takes key=value words"),
        ("planner:horizon_s=0", "horizon_s is '0'"),
        ("planner:candidates=2", "candidates is '2'"),
        ("planner:discount=nan", "discount is 'nan'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(driver: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_driver(driver, drivemem_envs.scenario("merge-v1"), None)


class OwnReward(drivemem_envs.scenario("highway-fast-v0").world_class()):
    """A world whose reward has no kernel."""

    def _reward(self, action: Any) -> float:
        return 0.0


def test_worlds_that_cannot_be_copied_are_refused() -> None:
    scenario = drivemem_envs.scenario("merge-v1")
    env = make_vec(scenario, 1, backend="reference")
    driver = make_driver("planner", scenario, env.single_action_space)
    with pytest.raises(ValueError, match="must meet the worlds"):
        driver.predict({})
    with pytest.raises(ValueError, match="reference backend cannot make"):
        driver.meet(env)
    own = scenario.model_copy(update={"world": f"{__name__}:OwnReward"})
    with pytest.raises(ValueError, match="does not compile: "):
        make_driver("planner", own, env.single_action_space)


def test_a_scenario_states_how_far_ahead_must_be_planned() -> None:
    stated = drivemem_envs.scenario("two-way-trucks")
    actions = make_vec(stated, 1).single_action_space
    decisions = {
        name: PlannerDriver(settings, scenario, actions)._horizon
        for name, settings, scenario in (
            ("stated", "", stated),
            ("told", "horizon_s=4", stated),
            ("neither", "", stated.model_copy(update={"planning_horizon_s": None})),
        )
    }
    assert decisions == {"stated": 21, "told": 12, "neither": 15}  # 3 decisions a second
