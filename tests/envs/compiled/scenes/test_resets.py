"""Scenes by seed: those of compiled resets and of the bank are highway-env's, to the last bit."""

from __future__ import annotations

import re

import numpy as np
import pytest
from highway_env.vehicle.behavior import IDMVehicle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import drivemem_envs
from drivemem_envs.compiled.export.supported import CompiledUnsupported
from drivemem_envs.compiled.families import why_no_reset
from drivemem_envs.compiled.scenes.scene_bank import SceneBank
from drivemem_envs.compiled.scenes.scene_files import scene_folder
from drivemem_envs.compiled.scenes.scene_source import scene_source
from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS
from drivemem_envs.making import compiles, make_vec
from drivemem_envs.registry import scenario as named_scenario
from drivemem_envs.scenario_spec import Scenario

OWN = ["exit-recall-v0", "blackout-highway-v0", "hidden-velocity-highway-v0"]
OWN += ["occluded-intersection-v0", "occluded-roundabout-v0", "delayed-highway-v0"]
OWN += ["range-only-highway-v0"]
BANKED = ("parking", "lane-keeping")


@pytest.mark.parametrize("name", [*OWN, *HIGHWAY_ENV_IDS])
def test_the_same_seed_gives_the_same_scene(name, compare_resets):
    answer = compare_resets(name, seeds=2 if "intersection" in name else 4)
    assert answer["difference"] is None
    assert answer["compiled"] is not name.startswith(BANKED)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [name for name in [*OWN, *HIGHWAY_ENV_IDS] if why_no_reset(named_scenario(name)) is None],
)
def test_many_seeds_give_the_same_scenes(name, compare_resets):
    seeds = 15 if "intersection" in name else 100
    assert compare_resets(name, seeds=seeds, first_seed=1000)["difference"] is None


def test_spawning_is_among_what_is_compared(compare_resets):
    assert compare_resets("intersection-v0", seeds=2, first_seed=50)["spawned"] > 10


@pytest.mark.parametrize("name", ["merge-v0", "intersection-v0"])
def test_the_bank_gives_the_same_scenes(name, compare_resets):
    answer = compare_resets(name, seeds=2, compiled=False, steps=6)
    assert answer["difference"] is None
    assert answer["compiled"] is False


def test_seeds_may_be_as_large_as_gymnasium_takes(compare_resets):
    large = [2**31, 2**32 + 5, 2**63 - 1]
    assert compare_resets("merge-v0", seed_list=large)["difference"] is None


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("highway-fast-v0", {"lanes_count": 1, "vehicles_count": 0}),
        ("highway-fast-v0", {"lanes_count": 5, "vehicles_count": 33, "vehicles_density": 2.3}),
        ("highway-fast-v0", {"initial_lane_id": 2, "ego_spacing": 4}),
        ("highway-v0", {"action": {"type": "ContinuousAction"}, "vehicles_count": 7}),
        ("exit-v0", {"lanes_count": 3, "vehicles_count": 35, "vehicles_density": 0.7}),
        ("merge-generic-v0", {"lanes_count": 4, "vehicles_count": 12}),
        ("roundabout-v0", {"incoming_vehicle_destination": 1}),
        ("roundabout-generic-v1", {"roundabout_lanes": 3, "vehicles_count": 14}),
        ("intersection-v0", {"destination": None, "initial_vehicle_count": 3}),
        ("intersection-v0", {"spawn_probability": 1.0, "initial_vehicle_count": 20}),
        ("intersection-v1", {"simulation_frequency": 10, "policy_frequency": 5}),
        ("racetrack-v0", {"other_vehicles": 6}),
        ("racetrack-v0", {"other_vehicles": 0}),
        ("racetrack-large-v0", {"other_vehicles": 8}),
        ("racetrack-oval-v1", {"other_vehicles": 8, "no_lanes": 5, "block_lane": True}),
        ("exit-recall-v0", {"exits_count": 5, "trucks_count": 4}),
        ("exit-recall-v0", {"exits_count": 2, "trucks_count": 0}),
    ],
)
def test_configurations_are_followed(name, config, compare_resets):
    answer = compare_resets(name, config=config, seeds=3, steps=10)
    assert answer["difference"] is None
    assert answer["compiled"] is True


# Each family's configurations: vehicle counts, lanes, densities, durations, rates.
RATES = {"simulation_frequency": st.sampled_from([5, 10, 15]), "duration": st.integers(2, 20)}
TRAFFIC = {"vehicles_count": st.integers(0, 25), "vehicles_density": st.floats(0.5, 3.0)}
FAMILIES = {
    "highway-fast-v0": {**RATES, **TRAFFIC, "lanes_count": st.integers(1, 7)},
    "highway-v0": {**RATES, **TRAFFIC, "ego_spacing": st.floats(1.0, 4.0)},
    "exit-v0": {**RATES, **TRAFFIC, "lanes_count": st.integers(2, 6)},
    "merge-generic-v0": {"lanes_count": st.integers(2, 5), "vehicles_count": st.integers(0, 12)},
    "roundabout-v0": {"incoming_vehicle_destination": st.none() | st.integers(0, 2)},
    "roundabout-generic-v0": {
        "roundabout_lanes": st.integers(1, 3), "vehicles_count": st.integers(0, 14),
    },
    "two-way-v0": {"simulation_frequency": RATES["simulation_frequency"]},
    "u-turn-v0": RATES,
    "racetrack-v0": {"other_vehicles": st.integers(0, 9)},
    "racetrack-large-v0": {"other_vehicles": st.integers(0, 9)},
    "racetrack-oval-v0": {
        "other_vehicles": st.integers(0, 9), "no_lanes": st.integers(2, 6),
        "length": st.integers(60, 150), "block_lane": st.booleans(),
    },
    "intersection-v0": {
        "initial_vehicle_count": st.integers(0, 12), "spawn_probability": st.floats(0.0, 1.0),
        "destination": st.sampled_from([None, "o0", "o1", "o2"]), "duration": st.integers(2, 9),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_random_configurations_give_the_same_scenes(name, data, compare_resets):
    config = data.draw(st.fixed_dictionaries(FAMILIES[name]))
    seed = data.draw(st.integers(0, 2**32))
    answer = compare_resets(name, config=config, seeds=2, first_seed=seed, steps=3, fills=1)
    assert answer["difference"] is None
    assert answer["compiled"] is True


class Patient(IDMVehicle):
    """Keeps a longer distance."""

    TIME_WANTED = 3.0


def test_racetracks_with_other_traffic_come_from_the_bank():
    config = {"other_vehicles_type": f"{__name__}.Patient"}
    scenario = named_scenario("racetrack-v0").with_(config=config)
    assert "IDMVehicles" in why_no_reset(scenario)


class OwnTraffic(named_scenario("highway-fast-v0").world_class()):
    """A world that puts its vehicles elsewhere."""

    def _create_vehicles(self):
        super()._create_vehicles()
        self.road.vehicles[-1].speed = 1.0


def test_a_world_with_a_reset_of_its_own_comes_from_the_bank(tmp_path):
    scenario = Scenario(name="own-v0", world=f"{__name__}:OwnTraffic")
    assert "_create_vehicles" in why_no_reset(scenario)
    with pytest.raises(CompiledUnsupported, match="_create_vehicles"):
        scene_source(scenario, 1, compiled=True)
    bank = SceneBank(scenario, 2, folder=tmp_path)
    bank.fill(np.array([1]), np.array([3]))
    world = bank.worlds.world[1]
    assert bank.worlds.actors[1, world.vehicles - 1].speed == 1.0


class Varied(named_scenario("parking-v0").world_class()):
    """A world with another number of cars in every episode."""

    def _create_vehicles(self):
        super()._create_vehicles()
        for _ in range(int(self.np_random.integers(1, 9))):
            car = type(self.road.vehicles[0])(
                self.road, [40.0, 40.0 + 9.0 * len(self.road.vehicles)]
            )
            self.road.vehicles.append(car)


class Roomy(Varied):
    """It says how many there may be."""

    max_actors = 12


class Narrow(Varied):
    """It says too few."""

    max_actors = 5


def varied(name):
    return Scenario(name="varied-v0", world=f"{__name__}:{name}", time_limit_s=10.0)


def test_a_number_of_cars_that_nothing_bounds_is_refused_before_any_episode():
    with pytest.raises(CompiledUnsupported, match=r"differs from seed to seed.*max_actors = "):
        SceneBank(varied("Varied"), 1)
    with pytest.raises(CompiledUnsupported, match=r"declares max_actors = 5.*declare at least"):
        SceneBank(varied("Narrow"), 1)


def test_a_declared_number_of_cars_has_room_in_every_episode(tmp_path):
    bank = SceneBank(varied("Roomy"), 1, folder=tmp_path)
    counts = set()
    for seed in range(20):
        bank.fill(np.array([0]), np.array([seed]))
        counts.add(int(bank.worlds.world[0].vehicles))
    assert len(counts) > 4 and max(counts) <= 12


class Crowded(named_scenario("highway-fast-v0").world_class()):
    """A highway with 5 to 25 cars; its configuration says nothing of it."""

    def _create_vehicles(self):
        self.config["vehicles_count"] = int(self.np_random.integers(5, 26))
        super()._create_vehicles()
        self.config["vehicles_count"] = 2


class RoomyCrowded(Crowded):
    """It says how many actors there may be."""

    max_actors = 26


def crowded(name):
    config = {"vehicles_count": 2, "duration": 3, "policy_frequency": 3, "simulation_frequency": 15}
    return Scenario(name="crowded-v0", world=f"{__name__}:{name}", config=config)


def test_traffic_drawn_anew_in_every_episode_is_driven_where_its_most_is_declared():
    env = make_vec(crowded("RoomyCrowded"), 16, backend="compiled", num_workers=1)
    env.reset(seed=0)
    counts, ended = set(), 0
    for _ in range(60):
        _, _, terminated, truncated, _ = env.step(np.ones(16, dtype=int))
        counts |= set(env.truth()["present"].sum(axis=1).tolist())
        ended += int((terminated | truncated).sum())
    assert ended > 90 and min(counts) <= 8 and max(counts) >= 24


def test_traffic_drawn_anew_without_a_declared_most_is_refused_when_worlds_are_made():
    message = r"vehicles of crowded-v0 differs .* let Crowded declare .* such as max_actors = \d+"
    assert re.search(message, compiles(crowded("Crowded")) or "")
    with pytest.raises(ValueError, match=message):
        make_vec(crowded("Crowded"), 2, backend="compiled")


class Housed(named_scenario("parking-v0").world_class()):
    """A world with another number of houses in every episode."""

    def _create_vehicles(self):
        super()._create_vehicles()
        self.houses = 8 - int(self.np_random.integers(0, 9))

    def occluders(self):
        """None to eight of them."""
        return np.array([[60.0, 9.0 * k, 0.0, 4.0, 4.0] for k in range(self.houses)])


def test_an_episode_has_its_own_occluders_and_none_of_an_earlier_one(tmp_path):
    bank = SceneBank(varied("Housed"), 1, folder=tmp_path)
    room, seen = bank.occluders.shape[1], set()
    for seed in range(20):
        bank.env.reset(seed=seed)
        own = bank.env.occluders()
        seen.add(len(own))
        bank.fill(np.array([0]), np.array([seed]))
        assert bank.occluders[0, : len(own)].tolist() == own.tolist()
        assert not bank.occluders[0, len(own) :].any()
    assert room < max(seen) and len(seen) > 4


def test_occluders_that_no_probe_showed_are_there_in_later_episodes():
    def seeds(world, episode):
        return 10 * world + episode

    worlds = [make_vec(varied("Housed"), 4, backend=backend, seeds=seeds)
              for backend in ("reference", "compiled")]  # fmt: skip
    room = worlds[1]._worlds.source.occluders.shape[1]
    for env in worlds:
        env.reset()
    for episode in range(5):
        if episode:
            for env in worlds:
                env.restore(np.full(4, episode), [[]] * 4)
        for live, compiled in zip(*(env.occluders() for env in worlds), strict=True):
            assert compiled[: len(live)].tolist() == live.tolist()
            assert not compiled[len(live) :].any()
    assert worlds[1]._worlds.source.occluders.shape[1] > room


@pytest.mark.parametrize(
    "broken",
    [
        lambda whole: b"broken", lambda whole: b"", lambda whole: whole[:-1],
        lambda whole: whole[:-9] + b"\1" + whole[-8:], lambda whole: b'{"crc": 0}\n',
    ],
)  # fmt: skip
def test_the_bank_reads_what_it_wrote_and_nothing_that_is_broken(broken, tmp_path):
    scenario = named_scenario("u-turn-v0")
    first, second = (SceneBank(scenario, 1, folder=tmp_path) for _ in range(2))
    for seed in (7, 8):
        first.fill(np.array([0]), np.array([seed]))
    assert {path.name for path in tmp_path.iterdir()} == {"7.scene", "8.scene"}
    whole = (tmp_path / "8.scene").read_bytes()
    (tmp_path / "8.scene").write_bytes(broken(whole))
    second.env.reset_scene = None  # whatever is not on disk cannot be made
    first.fill(np.array([0]), np.array([7]))
    second.fill(np.array([0]), np.array([7]))
    for name in ("world", "actors", "routes", "streams"):
        assert getattr(first.worlds, name).tobytes() == getattr(second.worlds, name).tobytes()
    assert first.sensor_seed == second.sensor_seed
    with pytest.raises(TypeError):
        second.fill(np.array([0]), np.array([8]))


def test_no_order_of_creation_lets_an_intersection_change_other_traffic():
    names = ["intersection-v0", "highway-fast-v0", "intersection-v1", "merge-v1"]
    alone = {}
    for order in (names, names[::-1]):
        sources = [scene_source(named_scenario(name), 1) for name in order]
        live = [drivemem_envs.make(name) for name in order]
        for name, source, env in zip(order, sources, live, strict=True):
            source.fill(np.array([0]), np.array([5]))
            env.reset(seed=5)
            wanted = 7.0 if "intersection" in name else 10.0
            world = source.worlds.world[0]
            actors = source.worlds.actors[0, : world.vehicles]
            others = source.worlds.drivers[0][actors["driver"][np.arange(len(actors)) != world.ego]]
            assert set(others["distance_wanted"]) <= {wanted}
            ego = env.unwrapped.vehicle
            for vehicle in env.unwrapped.road.vehicles:
                assert vehicle is ego or wanted == vehicle.DISTANCE_WANTED
            state = actors.tobytes()
            assert alone.setdefault(name, state) == state


@pytest.mark.parametrize("part", ["world", "base"])
def test_a_world_whose_file_has_changed_is_not_taken_from_disk(part, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"base_of_{part}.py").write_text(
        "from highway_env.envs.highway_env import HighwayEnvFast\n"
        "class Base(HighwayEnvFast):\n    pass\n"
    )
    (tmp_path / f"world_of_{part}.py").write_text(
        f"from base_of_{part} import Base\nclass World(Base):\n    pass\n"
    )
    scenario = Scenario(name="changing-v0", world=f"world_of_{part}:World")
    folders = [scene_folder(scenario), scene_folder(scenario)]
    with (tmp_path / f"{part}_of_{part}.py").open("a") as file:
        file.write("# changed\n")
    folders.append(scene_folder(scenario))
    assert folders[0] == folders[1] != folders[2]


def test_roads_that_differ_from_seed_to_seed_are_refused_whenever_they_do(tmp_path):
    bank = SceneBank(varied("Winding"), 1, folder=tmp_path)
    bank.fill(np.array([0]), np.array([5]))
    with pytest.raises(CompiledUnsupported, match="the roads of varied-v0 differ"):
        bank.fill(np.array([0]), np.array([77]))


class Winding(named_scenario("highway-fast-v0").world_class()):
    """A world whose road is another one in an episode that is not among the first."""

    def _create_road(self):
        super()._create_road()
        lane = self.road.network.get_lane(("0", "1", 0))
        lane.width = 3.0 if self.np_random.bit_generator.seed_seq.entropy == 77 else 4.0
