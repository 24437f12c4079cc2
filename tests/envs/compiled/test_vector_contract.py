"""What every user of the compiled vector environment relies on, with all limits of sensors on.

Equality with the reference backend for every scenario is in exact arithmetic (`vector_worker`).
"""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

import drivemem_envs
from drivemem_envs import make_vec, scenario
from drivemem_envs.making import compiles
from drivemem_envs.scenario_spec import KNOWN_FEATURES

COMPILED = [name for name in drivemem_envs.scenario_names() if compiles(scenario(name)) is None]
FAST = ("exit-recall-v0", "occluded-intersection-v0", "highway-fast-v0", "merge-v1")
ALL = {
    "line_of_sight": ["actors", "occluders"],
    "min_visible_fraction": 0.4,
    "range_m": 60.0,
    "field_of_view_deg": 200.0,
    "dropout_per_s": 0.5,
    "blackout_per_s": 0.3,
    "blackout_mean_s": 1.0,
    "noise_position_m": 1.0,
    "noise_speed_mps": 1.0,
    "noise_growth_per_m": 0.01,
    "hide": ["velocity"],
    "missed": "camera",
}


def all_limits(name):
    """Every limit at once; latency is a whole number of the scenario's decisions."""
    return {**ALL, "latency_s": scenario(name).decision_s}


def seeds(world, episode):
    return 100 * world + episode


def compiled(name, worlds, **changes):
    return make_vec(name, worlds, backend="compiled", seeds=seeds, **changes)


def limited(name, worlds, tracker, **changes):
    limits = all_limits(name)
    return compiled(name, worlds, sensors=limits, tracker=tracker, slots="fixed", **changes)


def actions_of(env, steps, seed=0):
    draw = np.random.default_rng(seed)
    return draw.integers(env.single_action_space.n, size=(steps, env.num_envs))


# ---- equal to the reference backend -------------------------------------------------------


@pytest.mark.parametrize("name", FAST)
def test_all_limits_together_are_equal(name, compare_backends):
    changes = {"sensors": all_limits(name)}
    assert compare_backends(name, steps=15, changes=changes)["difference"] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "slots, tracker",
    [
        ("sorted", "none"), ("fixed", "constant_velocity"), ("sorted", "kalman"),
        ("fixed", "perfect_recall"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", COMPILED)
def test_all_limits_stay_equal_over_episodes(name, slots, tracker, compare_backends):
    steps = 10 if name == "highway-v0" else 60
    features = [*scenario(name).observation.features, "sd_position", "sd_velocity"]
    changes = {
        "sensors": all_limits(name), "slots": slots, "tracker": tracker,
        "observation": {"features": features},
    }  # fmt: skip
    answer = compare_backends(name, worlds=3, steps=steps, first_seed=9, changes=changes)
    assert answer["difference"] is None


@pytest.mark.parametrize("tracker", ["kalman", "perfect_recall"])
@pytest.mark.parametrize("name", [*FAST, "limit-recall-v0", "yield-recall-v0"])
def test_trackers_with_every_feature_of_rows_are_equal(name, tracker, compare_backends):
    spread = {"sd_position": (0.0, 20.0), "sd_velocity": (0.0, 10.0)}
    rows = {"features": list(KNOWN_FEATURES), "features_range": spread, "clip": False}
    changes = {"sensors": all_limits(name), "tracker": tracker, "observation": rows}
    answer = compare_backends(name, worlds=3, steps=20, changes=changes)
    assert answer["difference"] is None


@pytest.mark.parametrize(
    "limits", [{"latency_s": 1.0}, {"line_of_sight": ["actors"], "min_visible_fraction": 0.8}]
)
def test_limits_not_tried_alone_elsewhere_are_equal(limits, compare_backends):
    changes = {"sensors": limits}
    answer = compare_backends("blackout-highway-v0", steps=20, changes=changes)
    assert answer["difference"] is None


def test_seeds_of_a_list_begin_the_first_episodes_as_in_the_reference():
    made = [make_vec("exit-recall-v0", 3, backend=which) for which in ("reference", "compiled")]
    hidden = [[], []]
    for env, told in zip(made, hidden, strict=True):
        env.reset(seed=[4, 8, 15])
        told.append(env.latent())
        for chosen in np.ones((110, 3), dtype=np.int64):
            env.step(chosen)
        told.append(env.latent())
        told.append(env.episodes.copy())
    assert all(np.array_equal(a, b) for a, b in zip(*hidden, strict=True))
    assert hidden[0][2].min() >= 1


def test_with_perfect_recall_a_cue_stays_as_it_was_last_shown():
    env = compiled("exit-recall-v0", 3, tracker="perfect_recall")
    first = env.reset()[0]["cue"]
    assert (first.sum(axis=1) == 1).all()
    for step in range(30):
        if step == 10:  # the sign changes while it is hidden
            env._worlds.batch.shown.cues[:] = np.roll(env._worlds.batch.shown.cues, 1, axis=1)
        shown = env.step(np.ones(3, int))[0]["cue"]
        still = env.episodes == 0
        assert np.array_equal(shown[still], first[still])
    assert still.any()


@pytest.mark.parametrize("name", ["yield-recall-v0", "exit-recall-v0"])
def test_with_perfect_recall_a_cue_that_is_never_shown_stays_zero(name):
    env = compiled(name, 3, tracker="perfect_recall", sensors={"cue_window_s": 0.0})
    shown = [env.reset()[0]["cue"]]
    shown += [env.step(np.ones(3, int))[0]["cue"] for _ in range(150)]
    assert env.episodes.all()
    assert not np.any(shown)


# ---- determinism --------------------------------------------------------------------------


@pytest.mark.parametrize("tracker", ["constant_velocity", "kalman", "perfect_recall"])
@pytest.mark.parametrize("name", ["intersection-v0", "blackout-highway-v0"])
def test_neither_threads_nor_neighbours_change_a_world(name, tracker, drive):
    many = limited(name, 6, tracker, num_workers=3)
    actions = actions_of(many, 40)
    alone, several = limited(name, 1, tracker), limited(name, 6, tracker, num_workers=1)
    seen = drive(many, actions)
    assert all(np.array_equal(a, b) for a, b in zip(seen, drive(several, actions), strict=True))
    first = drive(alone, actions[:, :1])
    assert all(np.array_equal(a[:1], b) for a, b in zip(seen, first, strict=True))


@pytest.mark.parametrize("tracker", ["constant_velocity", "kalman", "perfect_recall"])
@pytest.mark.parametrize("name", ["intersection-v0", "blackout-highway-v0"])
def test_restore_brings_back_sensors_traffic_and_episodes(name, tracker):
    env = limited(name, 3, tracker)
    env.reset()
    taken = [[], [], []]
    for chosen in actions_of(env, 45):
        observation, _, terminated, truncated, _ = env.step(chosen)
        for world in range(3):
            over = terminated[world] or truncated[world]
            taken[world] = [] if over else [*taken[world], chosen[world]]
    again = limited(name, 3, tracker)
    restored, _ = again.restore(env.episodes, [np.array(each, dtype=int) for each in taken])
    assert np.array_equal(restored["vehicles"], observation["vehicles"])
    for chosen in actions_of(env, 25, seed=1):
        one, other = env.step(chosen), again.step(chosen)
        assert np.array_equal(one[0]["vehicles"], other[0]["vehicles"])
        assert all(np.array_equal(a, b) for a, b in zip(one[1:4], other[1:4], strict=True))
    assert np.array_equal(env.episodes, again.episodes)


# ---- Gymnasium's interface ----------------------------------------------------------------


@pytest.mark.parametrize("name", FAST)
def test_observations_lie_in_their_space_and_episodes_end_as_gymnasium_says(name):
    env = compiled(name, 4)
    assert env.observation_space.contains(env.reset()[0])
    ends = 0
    for chosen in actions_of(env, 70):
        observation, rewards, terminated, truncated, infos = env.step(chosen)
        assert env.observation_space.contains(observation)
        assert rewards.shape == (4,) and np.isfinite(rewards).all()
        assert not (terminated & truncated).any()
        over = terminated | truncated
        ends += over.sum()
        assert ("final_obs" in infos) == over.any()
        if over.any():
            assert np.array_equal(infos["_final_obs"], over)
            told = infos["final_info"]
            for world in np.flatnonzero(over):
                assert env.single_observation_space.contains(infos["final_obs"][world])
                succeeded = told["outcome"][world] == "success"
                assert told["is_success"][world] == succeeded
    assert ends == env.episodes.sum() > 0


def test_what_is_returned_is_not_written_to_again():
    env = compiled("exit-recall-v0", 3)
    observation, _ = env.reset()
    truth, latent = env.truth(), env.latent()
    parts = [*observation.values(), *truth.values(), latent, *env.step(np.ones(3, int))[1:4]]
    before = [part.copy() for part in parts]
    for _ in range(60):
        env.step(np.ones(3, int))
    for old, part in zip(before, parts, strict=True):
        assert np.array_equal(old, part, equal_nan=old.dtype.kind == "f")


def test_final_truths_are_of_the_last_step_only():
    env = compiled("exit-recall-v0", 3)
    env.keep_final_truth()
    env.reset()
    for chosen in actions_of(env, 60):
        _, _, terminated, truncated, _ = env.step(chosen)
        there = [truth is not None for truth in env.final_truths()]
        assert there == (terminated | truncated).tolist()
    assert env.episodes.sum() > 0


def test_masks_allow_no_lane_that_is_not_there():
    env = compiled("highway-fast-v0", 4)
    env.reset()
    for _ in range(6):
        env.step(np.zeros(4, int))  # to the leftmost lane
    masks = env.action_masks()
    assert masks.shape == (4, 5) and masks[:, 1].all()
    # Worlds that ended stand where their scene begins; the others are at the left edge.
    assert not masks[env.episodes == 0, 0].any() and (env.episodes == 0).any()


def test_continuous_actions_have_no_masks():
    env = make_vec("intersection-v1", 1, backend="compiled")
    with pytest.raises(ValueError, match="continuous"):
        env.action_masks()


@pytest.mark.parametrize("wrong", [np.ones(2, int), np.ones((3, 3), np.float32)])
def test_actions_of_another_shape_are_refused(wrong):
    env = compiled("exit-recall-v0", 3)
    env.reset()
    with pytest.raises(ValueError, match="shape"):
        env.step(wrong)


@pytest.mark.parametrize("wrong", [-1, 5])
def test_actions_that_the_space_lacks_are_refused(wrong):
    env = compiled("highway-fast-v0", 2)
    env.reset()
    with pytest.raises(ValueError, match=f"{wrong}.*takes 0 to 4"):
        env.step(np.array([1, wrong]))


def test_a_step_before_the_first_reset_is_refused():
    env = compiled("highway-fast-v0", 2)
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step(np.array([1, 1]))


def test_racetracks_with_numbered_controls_run_on_the_reference_backend():
    told = compiles(scenario("racetrack-v0").with_(config={"action": {"type": "DiscreteAction"}}))
    assert told is not None and "DiscreteAction" in told


@pytest.mark.parametrize(
    ("name", "observation", "message"),
    [
        ("racetrack-v1", {"type": "OccupancyGrid", "as_image": True}, "as an image"),
        ("racetrack-v1", {"type": "OccupancyGrid", "features": ["lat_off"]}, "lat_off"),
        ("highway-fast-v0", {"type": "LidarObservation"}, "LidarObservation"),
    ],
)
def test_what_the_kernels_cannot_observe_falls_back_and_says_why(name, observation, message):
    asked = drivemem_envs.Scenario.from_highway_env(name, {"observation": observation})
    assert message in compiles(asked)
    with pytest.warns(RuntimeWarning, match=message):
        assert make_vec(asked, 2).backend == "reference"
    with pytest.raises(ValueError, match=message):
        make_vec(asked, 2, backend="compiled")
