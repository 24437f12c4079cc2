from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem_envs import drivers
from drivemem_envs.drivers import driver_names, make_driver, register_driver
from drivemem_envs.drivers.constant import ConstantDriver, action_labels


def evaluate(name: str, driver: str, episodes: int, **changes: Any) -> list[dict[str, Any]]:
    """Last infos of episodes driven by a reference driver."""
    scenario = drivemem_envs.scenario(name).with_(**changes)
    env = drivemem_envs.make(scenario)
    chosen = make_driver(driver, scenario, env.action_space)
    if chosen.tracker != "none":
        env = drivemem_envs.make(scenario.with_(tracker=chosen.tracker))
    infos = []
    for seed in range(episodes):
        observation, _ = env.reset(seed=seed)
        state, start = None, np.array([True])
        ended = False
        while not ended:
            batch = {key: value[None] for key, value in observation.items()}
            masks = env.action_masks()[None]
            action, state = chosen.predict(batch, state, start, True, masks)
            start = np.array([False])
            observation, _, terminated, truncated, info = env.step(action[0])
            ended = terminated or truncated
        infos.append(info)
    return infos


def share(infos: list[dict[str, Any]], outcome: str) -> float:
    return sum(info["outcome"] == outcome for info in infos) / len(infos)


def build(name: str, driver: str) -> Any:
    scenario = drivemem_envs.scenario(name)
    return make_driver(driver, scenario, drivemem_envs.make(scenario).action_space)


def test_rules_drive_better_than_going_straight_on():
    assert share(evaluate("highway-fast-v0", "idm", 6), "success") >= 0.5
    assert share(evaluate("highway-fast-v0", "constant:FASTER", 6), "success") == 0
    assert share(evaluate("merge-v1", "idm", 6), "success") >= 0.8
    assert share(evaluate("merge-v1", "constant:FASTER", 6), "success") <= 0.5


def test_trackers_fill_what_the_rules_do_not_see():
    assert build("merge-v1", "idm").tracker == "none"
    assert build("merge-v1", "hold_last").tracker == "hold_last"
    assert build("merge-v1", "ghost").tracker == "constant_velocity"
    dark = {"blackout_per_s": 1.0, "blackout_mean_s": 4.0}
    blind = share(evaluate("merge-v1", "idm", 8, sensors=dark), "success")
    ghost = share(evaluate("merge-v1", "ghost", 8, sensors=dark), "success")
    assert ghost >= blind


def test_rules_read_rows_in_any_scale_and_frame():
    """The same world, told differently, is driven alike."""
    spec = {"features": ("presence", "x", "y", "vx", "vy", "cos_h", "sin_h")}
    wide = {"x": (-200, 200), "y": (-200, 200), "vx": (-80, 80), "vy": (-80, 80)}
    logs = [
        [info["progress_m"] for info in evaluate("highway-fast-v0", "idm", 3, observation=changes)]
        for changes in (
            spec,
            {**spec, "normalize": False},
            {**spec, "normalize": False, "absolute": True},
            {**spec, "features_range": wide},
        )
    ]
    for log in logs[1:]:
        assert log == pytest.approx(logs[0], rel=1e-3)


@pytest.mark.parametrize("label", ["LANE_LEFT", "IDLE", "LANE_RIGHT", "FASTER", "SLOWER"])
def test_labels_are_highway_envs(label):
    env = drivemem_envs.make("highway-fast-v0")
    index = action_labels(env.scenario).index(label)
    assert env.action_type.actions[index] == label
    driver = make_driver(f"constant:{label}", env.scenario, env.action_space)
    actions, _ = driver.predict({"vehicles": np.zeros((3, 5, 5))})
    np.testing.assert_array_equal(actions, [index] * 3)


def test_labels_of_one_direction_are_highway_envs():
    for name in ("intersection-v2", "exit-recall-v0"):
        env = drivemem_envs.make(name)
        labels = action_labels(env.scenario)
        assert [env.action_type.actions[i] for i in range(len(labels))] == list(labels)


def test_random_repeats_and_keeps_to_the_masks():
    masks = np.array([[False, True, False, True, True]] * 4)
    runs = []
    for _ in range(2):
        driver = build("highway-fast-v0", "random")
        state, run = None, []
        for _ in range(20):
            actions, state = driver.predict(
                {"vehicles": np.zeros((4, 5, 5))}, state, None, True, masks
            )
            assert masks[np.arange(4), actions].all()
            run.append(actions)
        runs.append(np.array(run))
    np.testing.assert_array_equal(*runs)
    assert set(runs[0].ravel()) == {1, 3, 4}


def test_continuous_actions_have_constant_zero_and_random():
    zero, _ = build("racetrack-v1", "constant:zero").predict({"vehicles": np.zeros((2, 10, 7))})
    assert zero.shape[0] == 2
    assert not zero.any()
    draw, _ = build("racetrack-v1", "random").predict({"vehicles": np.zeros((2, 10, 7))})
    assert draw.any()
    with pytest.raises(ValueError, match="constant:zero or random"):
        build("racetrack-v1", "idm")


@pytest.mark.parametrize(
    ("driver", "message"),
    [
        ("idn", "did you mean 'idm'"),
        ("constant:faster", "did you mean 'constant:FASTER'"),
        ("constant:9", "not below 5"),
        ("constant", "one of: LANE_LEFT"),
    ],
)
def test_unknown_drivers_are_refused(driver, message):
    with pytest.raises(ValueError, match=message):
        build("highway-fast-v0", driver)


def test_every_driver_has_a_line():
    known = {"constant:ACTION", "random", "oracle", "planner", "idm", "hold_last", "ghost"}
    assert set(driver_names()) == known
    assert all(line and "\n" not in line for line in driver_names().values())


@pytest.fixture
def registered(monkeypatch):
    """drivemem's own drivers alone, before and after."""
    monkeypatch.setattr(drivers, "_DRIVERS", dict(drivers._DRIVERS))
    monkeypatch.setattr(drivers, "entry_points", lambda group: [])
    drivers._load_entry_points.cache_clear()
    yield
    drivers._load_entry_points.cache_clear()


def always_first(scenario, action_space):
    """Always the first action."""
    return ConstantDriver("0", scenario, action_space)


def test_a_driver_of_another_package_is_known_by_name(registered):
    register_driver("first", always_first)
    assert driver_names()["first"] == "Always the first action."
    actions, _ = build("highway-fast-v0", "first").predict({"vehicles": np.zeros((2, 5, 5))})
    np.testing.assert_array_equal(actions, [0, 0])
    for name, message in [("first", "already registered"), ("a:b", "letters, digits")]:
        with pytest.raises(ValueError, match=message):
            register_driver(name, always_first)


def test_entry_points_add_drivers_and_a_broken_one_disables_nothing(registered, monkeypatch):
    broken = EntryPoint("nowhere", "no_such_package:driver", drivers.ENTRY_POINT_GROUP)
    taken = EntryPoint("idm", "drivemem_envs.drivers.constant:RandomDriver", broken.group)
    theirs = EntryPoint("zero", "drivemem_envs.drivers.constant:RandomDriver", broken.group)
    monkeypatch.setattr(drivers, "entry_points", lambda group: [broken, taken, theirs])
    with pytest.warns(UserWarning, match="is left out") as told:
        assert "zero" in driver_names()
    assert len(told) == 2
    assert "rule-based" in driver_names()["idm"]
