"""The reference environment: seeds, twins, checkers, outcomes, and that nothing hidden leaks."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import drivemem_envs
from drivemem_envs import Sensors
from drivemem_envs.metrics import metric_names
from drivemem_envs.names import SUITE
from drivemem_envs.outcomes import OUTCOMES
from drivemem_envs.reference.perceived_road import only_what_is_perceived
from drivemem_envs.registry import scenario_names
from drivemem_envs.scenario_spec import FEATURES

LIMITS = {
    "full": {},
    "line_of_sight": {"line_of_sight": ("actors", "occluders"), "min_visible_fraction": 0.6},
    "range": {"range_m": 30.0},
    "field_of_view": {"field_of_view_deg": 120.0},
    "dropout": {"dropout_per_s": 1.0},
    "blackout": {"blackout_per_s": 1.0},
    "noise": {"noise_position_m": 1.0, "noise_speed_mps": 1.0, "noise_growth_per_m": 0.05},
    "latency": {"latency_s": 1.0},
    "hide": {"hide": ("velocity", "heading")},
    "missed": {"missed": "camera"},
    "sectors": {"sectors": "front_rear_mirrors"},
}
ALL = {
    key: value
    for name, limit in LIMITS.items()
    if name != "sectors"
    for key, value in limit.items()
}
"""But for sectors, which stand in place of range and field of view."""

# Parking's collision reward is left out: SB3 asks that the reward be that of `compute_reward`.
CHANGES = {
    "highway-v0": {"vehicles_count": 8},
    "parking-v0": {"collision_reward": 0},
    "parking-ActionRepeat-v0": {"collision_reward": 0},
    "parking-parked-v0": {"collision_reward": 0},
}
QUICK = (
    "exit-recall-v0", "blackout-highway-v0", "hidden-velocity-highway-v0", "highway-fast-v0",
    "lane-keeping-v0", "merge-v1", "parking-v0", "racetrack-v1", "roundabout-v1", "two-way-v0",
    "u-turn-v1",
)  # fmt: skip


IN_TRAFFIC = [name for name in SUITE if "provable" not in drivemem_envs.scenario(name).tags]


def drive(env: Any, seed: int, decisions: int) -> list[dict[str, Any]]:
    """Observation, truth, reward, info of every decision under actions of the seed."""
    draw = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    log = [{"observation": observation, "truth": env.truth(), "info": info, "reward": 0.0}]
    for _ in range(decisions):
        if isinstance(env.action_space, gymnasium.spaces.Discrete):
            action: Any = int(draw.integers(env.action_space.n))
        else:
            action = draw.uniform(-0.3, 0.3, env.action_space.shape).astype(np.float32)
        observation, reward, terminated, truncated, info = env.step(action)
        log.append(
            {"observation": observation, "truth": env.truth(), "info": info, "reward": reward}
        )
        if terminated or truncated:
            break
    return log


def assert_equal(a: Any, b: Any) -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_equal(one, other)
    else:
        np.testing.assert_array_equal(a, b)


class NanAsNone(gymnasium.Wrapper):
    """Gymnasium's checker compares infos with ==, which no nan survives."""

    def step(self, action):
        *rest, info = self.env.step(action)
        plain = {key: None if value != value else value for key, value in info.items()}
        return *rest, plain


def check(name: str, limit: str) -> None:
    env = drivemem_envs.make(name, config=CHANGES.get(name), sensors=Sensors(**LIMITS[limit]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_env(NanAsNone(env), skip_render_check=True)
        sb3_check_env(env, skip_render_check=True)


@pytest.mark.parametrize("name", QUICK)
def test_checkers_pass(name):
    check(name, "full")


@pytest.mark.parametrize("limit", LIMITS)
def test_checkers_pass_with_each_limit(limit):
    check("blackout-highway-v0", limit)


@pytest.mark.slow
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("name", scenario_names())
def test_checkers_pass_with_each_limit_everywhere(name, limit):
    check(name, limit)


@pytest.mark.parametrize("slots", ["sorted", "fixed"])
@pytest.mark.parametrize("name", ["highway-fast-v0", *SUITE])
def test_a_seed_determines_scene_traffic_and_sensors(name, slots):
    env = drivemem_envs.make(name, sensors=Sensors(**ALL), slots=slots)
    first = drive(env, 3, 6)
    drive(env, 4, 3)  # what came before must not matter
    assert_equal(first, drive(env, 3, 6))
    other = drivemem_envs.make(name, sensors=Sensors(**ALL), slots=slots)
    assert_equal(first, drive(other, 3, 6))


@pytest.mark.parametrize("name", ["lane-keeping-v0", "racetrack-v1", *SUITE])
def test_the_twin_has_the_same_dynamics(name):
    limited = drivemem_envs.scenario(name).with_(sensors=Sensors(**ALL))
    keys = ("id", "kind", "x", "y", "heading", "speed", "crashed")
    logs = [drive(drivemem_envs.make(s), 2, 5) for s in (limited, limited.twin())]
    assert len(logs[0]) == len(logs[1])
    for mine, twins in zip(*logs, strict=True):
        assert mine["reward"] == twins["reward"]
        assert_equal(
            {key: mine["truth"][key] for key in keys}, {key: twins["truth"][key] for key in keys}
        )


def move_hidden(env: Any, hidden: set[int]) -> None:
    """Change all that is true of some actors."""
    for thing, actor in zip(env.perception.things, env.perception.ids, strict=True):
        if int(actor) in hidden:
            thing.position = thing.position + np.array([0.7, -0.4])
            thing.heading += 0.3
            thing.speed *= 0.5


@pytest.mark.parametrize("slots", ["sorted", "fixed"])
@pytest.mark.parametrize("name", [*IN_TRAFFIC, "racetrack-large-v1", "two-way-v0"])
def test_nothing_of_a_hidden_actor_reaches_the_observation(name, slots):
    """What the sensors miss may be anywhere: rows, grids and other actors' noise stay the same."""
    sensors = Sensors(range_m=60.0, dropout_per_s=1.0, noise_position_m=0.5, noise_speed_mps=0.5)
    env = drivemem_envs.make(name, sensors=sensors, slots=slots)
    moved = 0
    for seed in range(3):
        env.reset(seed=seed)
        for _ in range(3):
            if any(env.step(env.action_space.sample())[2:4]):
                break
            # What the next look would miss is known from the look of a copy.
            looked, changed = copy.deepcopy(env), copy.deepcopy(env)
            expected = looked.observation_type.observe()
            truth = looked.truth()
            hidden = set(truth["id"][~truth["perceived"]].tolist())
            move_hidden(changed, hidden)
            observed = changed.observation_type.observe()
            if set(changed.truth()["id"][~changed.truth()["perceived"]].tolist()) == hidden:
                assert_equal(observed, expected)
                moved += len(hidden)
    assert moved >= 3


def test_a_deep_copy_goes_on_as_the_original_does():
    """For questions such as: what if this car were not there?"""
    env = drivemem_envs.make("blackout-highway-v0", sensors=Sensors(**ALL), slots="fixed")
    drive(env, 0, 5)
    twin = copy.deepcopy(env)
    for _ in range(4):
        assert_equal(list(env.step(1)), list(twin.step(1)))
        assert_equal(env.truth(), twin.truth())


def test_a_blackout_shows_the_ego_alone():
    sensors = Sensors(blackout_per_s=1e6, blackout_mean_s=1e6)
    for name in ("highway-fast-v0", "racetrack-v1"):
        env = drivemem_envs.make(name, sensors=sensors)
        log = drive(env, 0, 3)
        for decision in log[1:]:
            assert not decision["observation"]["vehicles"][1:].any()
            assert decision["observation"]["vehicles"][0].any()
            assert decision["truth"]["perceived"].sum() == 1


def test_native_observations_are_late_too():
    """A grid shows others where they were when the sensors saw them, the ego where it is."""
    late = drivemem_envs.make("racetrack-large-v1", sensors={"latency_s": 0.2})
    drive(late, 1, 4)
    before = late.perception.truth()
    late.step(np.zeros(late.action_space.shape, dtype=np.float32))
    with only_what_is_perceived(late.perception, late.road, late.vehicle):
        ego, *others = late.road.vehicles
        shown = np.array([other.position for other in others])
    assert ego is late.vehicle
    then = np.stack([before["x"], before["y"]], axis=1)[1:]
    np.testing.assert_array_equal(shown, then)
    now = np.array([other.position for other in late.road.vehicles[1:]])
    assert now.shape == shown.shape
    assert (now != shown).any(axis=1).all()


def test_fixed_rows_stay_with_their_actors():
    env = drivemem_envs.make(
        "blackout-highway-v0", slots="fixed", observation={"vehicles_count": 31, "see_behind": True}
    )
    farthest = env.scenario.observation.features_range["x"][1]
    for seed in range(2):
        rows: dict[int, int] = {}
        log = drive(env, seed, 15)
        for decision in log:
            truth, seen = decision["truth"], decision["observation"]["vehicles"]
            for index in range(1, len(truth["id"])):
                expected = (truth["x"][index] - truth["x"][0]) / farthest
                if abs(expected) >= 1:
                    continue
                row = 1 + int(env.slot_of(truth["id"][index]))
                assert rows.setdefault(int(truth["id"][index]), row) == row
                if truth["perceived"][index]:
                    assert seen[row, 1] == pytest.approx(expected, abs=1e-6)
                else:
                    assert not seen[row].any()
        assert len(rows) >= 3


def test_fixed_rows_are_shuffled_between_episodes():
    env = drivemem_envs.make("blackout-highway-v0", slots="fixed")
    orders = []
    for seed in range(3):
        env.reset(seed=seed)
        orders.append(tuple(env.slot_of(np.arange(1, 8))))
    assert len(set(orders)) == 3
    assert all(sorted(order) == list(range(7)) for order in orders)


def test_hidden_features_are_zero_and_the_egos_own_are_not():
    env = drivemem_envs.make(
        "highway-fast-v0",
        sensors={"hide": ("velocity", "heading")},
        observation={"features": FEATURES},
    )
    seen = drive(env, 0, 2)[-1]["observation"]["vehicles"]
    assert seen[1:, 0].any()
    assert not seen[1:, 3:].any()
    assert seen[0, 3] > 0


@pytest.mark.parametrize("window_s", [0.0, 1.0])
def test_with_perfect_recall_a_cue_stays_as_it_was_last_shown(window_s, monkeypatch):
    scenario = drivemem_envs.scenario("exit-recall-v0").with_(
        tracker="perfect_recall", sensors={"cue_window_s": window_s}
    )

    def cue(world):  # a sign that changes at every decision
        return np.eye(3)[world.decisions % 3]

    monkeypatch.setattr(scenario.world_class(), "cue", cue)
    env = drivemem_envs.make(scenario)
    for seed in range(2):  # a new episode forgets
        shown = [env.reset(seed=seed)[0]["cue"]]
        shown += [env.step(1)[0]["cue"] for _ in range(9)]
        last = round(window_s / scenario.decision_s) - 1
        numbers = [min(step, last) for step in range(10)]
        expected = [np.eye(3)[step % 3] if step >= 0 else np.zeros(3) for step in numbers]
        np.testing.assert_array_equal(shown, expected)


@pytest.mark.parametrize("name", ["blackout-highway-v0", "racetrack-v0"])
def test_with_perfect_recall_everything_shows_who_was_once_perceived(name):
    """Rows and highway-env's own observation equal the twin's, once all were perceived once."""
    flicker = Sensors(dropout_per_s=3.0, noise_position_m=5.0, hide=("velocity", "heading"))
    scenario = drivemem_envs.scenario(name)
    env = drivemem_envs.make(scenario.with_(sensors=flicker, tracker="perfect_recall"))
    twin = drivemem_envs.make(scenario.twin())
    env.reset(seed=3), twin.reset(seed=3)
    compared = hidden = 0
    for _ in range(20):
        action = 1 if name == "blackout-highway-v0" else np.zeros(env.action_space.shape)
        (shown, *_, over, _, _), (full, *_) = env.step(action), twin.step(action)
        if np.isfinite(env.unwrapped.truth()["age_s"]).all():
            assert_equal(shown, full)
            compared += 1
            hidden += not env.unwrapped.truth()["perceived"].all()
        if over:
            break
    assert compared >= hidden > 3


def test_reset_refuses_to_change_the_scenario_in_mid_run():
    env = drivemem_envs.make("two-way-v0")
    with pytest.raises(ValueError, match="config="):
        env.reset(options={"config": {"duration": 3}})


def test_latency_must_be_a_multiple_of_the_decision_period():
    with pytest.raises(ValueError, match="multiple of the decision period"):
        drivemem_envs.make("blackout-highway-v0", sensors={"latency_s": 0.3})


def test_the_compiled_backend_steps_many_worlds_only():
    with pytest.raises(ValueError, match="make_vec"):
        drivemem_envs.make("merge-v1", backend="compiled")


def test_truth_before_the_first_reset_of_a_vehicle_is_of_its_first_scene():
    env = drivemem_envs.make("two-way-v0")
    truth = env.truth()
    assert truth["id"][0] == 0
    assert {len(values) for values in truth.values()} == {6}


def test_action_masks_follow_highway_env():
    env = drivemem_envs.make("highway-fast-v0")
    env.reset(seed=0)
    expected = np.zeros(5, dtype=bool)
    expected[env.get_available_actions()] = True
    np.testing.assert_array_equal(env.action_masks(), expected)
    with pytest.raises(ValueError, match="continuous"):
        drivemem_envs.make("racetrack-v1").action_masks()


ENDINGS = {  # a short way to the end for worlds that take long
    "highway-v0": {"vehicles_count": 8, "duration": 6},
    "racetrack-v0": {"duration": 6},
    "racetrack-v1": {"duration": 6},
    "racetrack-large-v0": {"duration": 6},
    "racetrack-large-v1": {"duration": 6},
    "racetrack-oval-v0": {"duration": 6},
    "racetrack-oval-v1": {"duration": 6},
    "parking-v0": {"duration": 8},
    "parking-ActionRepeat-v0": {"duration": 8},
    "parking-parked-v0": {"duration": 8},
}


@pytest.mark.parametrize("name", scenario_names())
def test_every_episode_ends_with_one_outcome_and_all_metrics(name):
    env = drivemem_envs.make(name, config=ENDINGS.get(name))
    *before, last = drive(env, 1, 300)
    assert all("outcome" not in decision["info"] for decision in before)
    info = last["info"]
    assert info["outcome"] in OUTCOMES
    assert info["is_success"] == (info["outcome"] == "success")
    assert set(metric_names()) <= set(info)
    assert info["progress_m"] >= 0
    assert (info["outcome"] == "collision") == bool(env.vehicle.crashed)
    assert (info["at_fault"] != "") == (info["outcome"] == "collision") or name.startswith("park")


def test_infos_hold_no_arrays():
    """Truth is for recorders, by truth(); an info that holds it would reach the learner."""
    for decision in drive(drivemem_envs.make("blackout-highway-v0"), 0, 100):
        for value in decision["info"].values():
            assert isinstance(value, str | bool | int | float | dict)


def test_time_is_up_for_worlds_that_highway_env_lets_run_on():
    """lane-keeping-v0 never ends by itself; highway-env leaves it to a wrapper after 200 steps."""
    env = drivemem_envs.make("lane-keeping-v0")
    decisions = drive(env, 0, 1000)
    assert len(decisions) - 1 == 200
    assert "outcome" in decisions[-1]["info"]
