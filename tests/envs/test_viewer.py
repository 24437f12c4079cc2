from __future__ import annotations

import math
from typing import Any

import numpy as np
import pygame
import pytest
from highway_env.envs.common.graphics import EnvViewer
from highway_env.vehicle.graphics import VehicleGraphics

import drivemem_envs
from drivemem_envs.reference.geometry import lane_shapes
from drivemem_envs.reference.shadows import corners, shadow
from drivemem_envs.reference.view_shapes import view_shapes
from drivemem_envs.reference.viewer import SensorViewer
from drivemem_envs.sensing import TRACKERS


@pytest.fixture
def env() -> Any:
    made = drivemem_envs.make(
        "occluded-roundabout-v0",
        render_mode="rgb_array",
        sensors={"line_of_sight": ("actors", "occluders")},
    ).unwrapped
    made.reset(seed=6)
    yield made
    made.close()


def picture(env: Any, *layers: Any) -> Any:
    viewer = SensorViewer(env, layers)
    viewer.display()
    return viewer.get_image().astype(int)


def colour_at(env: Any, image: Any, x: float, y: float) -> tuple[int, ...]:
    viewer = SensorViewer(env, ())
    viewer.display()
    column, row = viewer.sim_surface.pos2pix(x, y)
    return tuple(image[row, column])


def covers(polygon: Any, x: float, y: float) -> bool:
    a, b = polygon, np.roll(polygon, -1, axis=0)
    turns = (b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])
    return bool((turns >= 0).all())


def test_corners_turn_with_the_heading() -> None:
    box = np.array([1.0, 2.0, math.pi / 2, 4.0, 2.0])
    assert sorted(map(tuple, corners(box).round(9).tolist())) == [
        (0.0, 0.0), (0.0, 4.0), (2.0, 0.0), (2.0, 4.0),
    ]  # fmt: skip


def test_a_shadow_covers_what_is_behind_the_box_and_nothing_else() -> None:
    shape = shadow(np.zeros(2), np.array([10.0, 0.0, 0.0, 2.0, 2.0]), reach=100.0)
    assert shape is not None
    assert covers(shape, 30.0, 0.0) and covers(shape, 30.0, 3.3)
    assert not covers(shape, 30.0, 3.4) and not covers(shape, 8.0, 0.0)
    assert shadow(np.array([10.5, 0.0]), np.array([10.0, 0.0, 0.0, 2.0, 2.0]), 100.0) is None


def test_shadows_agree_with_what_the_sensors_perceive(env: Any) -> None:
    """Where every ray is free no shadow falls on the centre; where none is, one does."""
    checked, shares = 0, set()
    for _ in range(80):
        truth = env.truth()
        boxes = np.stack([truth[k] for k in ("x", "y", "heading", "length", "width")], axis=1)
        eye = boxes[0, :2]
        for row in range(1, len(boxes)):
            blockers = [*env.occluders(), *(b for i, b in enumerate(boxes) if i not in (0, row))]
            shapes = [shadow(eye, blocker, 500.0) for blocker in blockers]
            dark = any(shape is not None and covers(shape, *boxes[row, :2]) for shape in shapes)
            if truth["visible_fraction"][row] in (0.0, 1.0):
                assert dark == (truth["visible_fraction"][row] == 0.0)
                checked += 1
                shares.add(truth["visible_fraction"][row])
        if env.step(1)[2]:  # boxes that crashed overlap
            env.reset(seed=checked)
    assert checked > 100 and shares == {0.0, 1.0}


def test_pictures_are_not_black_and_layers_change_them(env: Any) -> None:
    for _ in range(32):
        env.step(0)
    assert not env.truth()["perceived"].all()
    plain, seen = picture(env), picture(env, "sees")
    assert plain.mean() > 40
    assert seen.mean() < plain.mean()  # shadows
    assert (picture(env, "sees", "truth") != seen).any()  # outlines of hidden cars


def test_hidden_cars_are_drawn_only_as_truth(env: Any) -> None:
    env.reset(seed=3)
    for _ in range(80):  # until both kinds are in the picture
        env.step(1)
        truth = env.truth()
        near = np.hypot(truth["x"] - truth["x"][0], truth["y"] - truth["y"][0]) < 60
        hidden = np.flatnonzero(~truth["perceived"] & near)
        seen = np.flatnonzero(truth["perceived"] & near & (truth["id"] != 0))
        if len(hidden) and len(seen):
            break
    assert len(hidden) and len(seen)
    yellow = VehicleGraphics.YELLOW
    image = picture(env, "sees", "truth")
    for row in hidden:
        assert colour_at(env, image, truth["x"][row], truth["y"][row]) != yellow
    assert any(colour_at(env, image, truth["x"][row], truth["y"][row]) == yellow for row in seen)
    image = picture(env)
    assert all(colour_at(env, image, truth["x"][row], truth["y"][row]) == yellow for row in hidden)


def test_what_was_last_seen_stays_where_it_was(env: Any) -> None:
    with_ghosts, without = SensorViewer(env, ("sees", "remembers")), SensorViewer(env, ("sees",))
    different = []
    for _ in range(40):
        for viewer in (with_ghosts, without):
            viewer.display()
        truth = env.truth()
        lost = (~truth["perceived"] & np.isfinite(truth["age_s"])).any()
        different.append(bool((with_ghosts.get_image() != without.get_image()).any()))
        assert lost or not different[-1]
        env.step(0)
    assert any(different)


@pytest.mark.parametrize("tracker", [name for name in TRACKERS if name != "none"])
def test_ghosts_stand_where_the_tracker_shows_them(tracker: str, monkeypatch: Any) -> None:
    sensors = {"line_of_sight": ("actors", "occluders"), "noise_position_m": 2.0}
    env = drivemem_envs.make(
        "occluded-roundabout-v0", render_mode="rgb_array", sensors=sensors, tracker=tracker
    ).unwrapped
    env.reset(seed=6)
    viewer, drawn = SensorViewer(env), []
    monkeypatch.setattr(viewer, "_ghost", lambda surface, *ghost: drawn.append(ghost))
    count = 0
    for _ in range(40):
        drawn.clear()
        viewer.display()
        truth, seen = env.truth(), env.perception.percepts
        hidden = ~np.isin(seen.ids, truth["id"][truth["perceived"]])
        assert [age for _, age, _ in drawn] == seen.age_s[hidden].tolist()
        boxes = np.array([box for box, *_ in drawn]).reshape(-1, 5)
        np.testing.assert_array_equal(boxes[:, :2], seen.rows[hidden][:, :2])
        assert all((deviation > 0) == (tracker == "kalman") for *_, deviation in drawn)
        if tracker == "perfect_recall":
            there = np.isin(truth["id"], seen.ids[hidden])
            np.testing.assert_array_equal(boxes[:, 0], truth["x"][there])
        count += len(drawn)
        env.step(0)
    assert count > 0
    env.close()


def test_a_reset_forgets_the_last_episode(env: Any) -> None:
    fresh, used = SensorViewer(env), SensorViewer(env)
    for _ in range(30):
        used.display()
        env.step(0)
    env.reset(seed=5)
    fresh.display()
    used.display()
    assert (fresh.get_image() == used.get_image()).all()


def test_viewers_share_nothing(env: Any) -> None:
    before = dict(vars(EnvViewer))
    first, second = (
        SensorViewer(env, ("sees",)),
        SensorViewer(env, (), size=(300, 200), scaling=3.0),
    )
    first.display()
    second.display()
    assert first.get_image().shape[:2] == (800, 600)
    assert second.get_image().shape == (200, 300, 3)
    assert env.config["screen_width"] == 600
    first.close()
    second.display()  # highway-env's own close() ends pygame for everybody
    assert pygame.font.get_init() and second.get_image().mean() > 20
    assert dict(vars(EnvViewer)) == before


def test_drawing_does_not_change_the_world() -> None:
    traces = []
    for draws in (False, True):
        env = drivemem_envs.make("blackout-highway-v0", render_mode="rgb_array").unwrapped
        env.reset(seed=1)
        viewer = SensorViewer(env)
        for _ in range(10):
            if draws:
                viewer.display()
            env.step(1)
        traces.append(env.truth())
        env.close()
    for key in traces[0]:  # nan, where no tracker places anything, is equal to itself
        np.testing.assert_array_equal(traces[0][key], traces[1][key], key)


def test_blackouts_are_dark() -> None:
    env = drivemem_envs.make("blackout-highway-v0", render_mode="rgb_array").unwrapped
    env.reset(seed=1)
    light: dict[bool, list[float]] = {True: [], False: []}
    viewer = SensorViewer(env, ("sees",))
    for _ in range(40):
        viewer.display()
        light[env.perception.is_dark].append(float(viewer.get_image().mean()))
        env.step(1)
    env.close()
    assert light[True] and max(light[True]) < min(light[False]) / 2


def test_range_and_field_of_view_are_drawn() -> None:
    sensors = drivemem_envs.Sensors(range_m=15.0, field_of_view_deg=120.0)
    env = drivemem_envs.make("highway-v0", sensors=sensors, render_mode="rgb_array").unwrapped
    env.reset(seed=0)
    image = picture(env, "sees")
    x, y = env.vehicle.position
    lane = (100, 100, 100)
    assert colour_at(env, image, x + 12.0, y + 1.4) == lane
    assert colour_at(env, image, x + 17.0, y + 1.4) != lane
    assert colour_at(env, image, x - 8.0, y + 1.4) != lane
    env.close()


def test_sectors_are_drawn_with_blind_zones_between_and_who_is_missed_as_such() -> None:
    sensors = {"sectors": "front_rear_mirrors", "missed": "lidar,recall_near=0,recall_far=0"}
    env = drivemem_envs.make("highway-v0", sensors=sensors, render_mode="rgb_array").unwrapped
    env.reset(seed=0)
    image = picture(env, "sees")
    x, y = env.vehicle.position
    lane = (100, 100, 100)
    assert colour_at(env, image, x + 12.0, y + 1.4) == lane
    assert colour_at(env, image, x - 12.0, y + 1.4) == lane
    assert colour_at(env, image, x + 1.0, y + 1.8) != lane
    assert not env.truth()["perceived"][1:].any()
    assert (picture(env, "sees", "truth") != image).any()
    env.close()


def test_bad_wishes_are_errors(env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"unknown layer 'thruth' \(one of: truth, sees"):
        SensorViewer(env, ("thruth",))  # type: ignore[arg-type]
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with pytest.raises(RuntimeError, match="unset it"):
        SensorViewer(env)


@pytest.mark.parametrize(
    "name", ["occluded-intersection-v0", "highway-v0", "merge-v1", "roundabout-v0", "racetrack-v0",
             "lane-keeping-v0"]
)  # fmt: skip
def test_lane_shapes_follow_the_lanes(name: str) -> None:
    env = drivemem_envs.make(name).unwrapped
    env.reset(seed=0)
    network = env.road.network
    lanes = [lane for to in network.graph.values() for many in to.values() for lane in many]
    shapes = lane_shapes(network)
    assert len(shapes) == len(lanes)
    for lane, shape in zip(lanes, shapes, strict=True):
        assert shape.left.shape == shape.right.shape
        for s in np.linspace(0.0, lane.length, 23):
            for edge, side in ((shape.left, -0.5), (shape.right, 0.5)):
                point = np.array(lane.position(s, side * lane.width_at(s)))
                assert _distance(point, edge) < 0.1
    env.close()


def test_straight_lanes_need_two_points() -> None:
    env = drivemem_envs.make("highway-v0").unwrapped
    env.reset(seed=0)
    shapes = lane_shapes(env.road.network)
    assert all(len(shape.left) == 2 for shape in shapes)
    assert shapes[0].lines == ("continuous", "none") or "striped" in shapes[0].lines
    env.close()


def _distance(point: Any, line: Any) -> float:
    a, b = line[:-1], line[1:]
    along = np.clip(((point - a) * (b - a)).sum(1) / ((b - a) ** 2).sum(1), 0.0, 1.0)
    return float(np.hypot(*(a + along[:, None] * (b - a) - point).T).min())


def test_what_has_left_the_world_is_no_longer_shown_as_seen(env: Any) -> None:
    viewer = SensorViewer(env, ("sees", "remembers"))
    viewer.display()
    others = {env.perception.identify(car, env.vehicle, False): car for car in env.road.vehicles}
    actor = next(one for one in viewer._last_seen if one and one in others)
    env.road.vehicles.remove(others[actor])
    env.step(1)
    viewer.display()
    assert actor not in env.truth()["id"] and actor not in viewer._last_seen


@pytest.mark.parametrize("name", ["highway-fast-v0", "roundabout-v1"])
def test_views_are_drawn_where_actors_are(name: str) -> None:
    """Also on a bend, along which a view lies."""
    env = drivemem_envs.make(name, views=("grid", "lanes")).unwrapped
    env.reset(seed=3)
    for _ in range(4):
        env.step(1)
    shapes, truth = view_shapes(env), env.truth()
    lane, ego = env.vehicle.lane, env.vehicle.position
    own = lane.local_coordinates(ego)
    places = [np.array([x, y]) for x, y in zip(truth["x"], truth["y"], strict=True)][1:]
    away = [np.subtract(lane.local_coordinates(place), own) for place in places]
    near = [
        place
        for place, (ahead, right) in zip(places, away, strict=True)
        if -39.0 < ahead < 79.0 and abs(right) < 9.0
    ]
    assert near
    assert len(shapes.edge) == 1
    for place in near:
        assert any(covers(cell, *place) for cell, _ in shapes.cells)
    assert len(shapes.cells) <= 6 * len(near)
    assert all(0.0 < cover <= 1.0 for _, cover in shapes.cells)
    lines = shapes.gaps[::2]  # each is followed by the bar at its end
    ends = [line[1] for line in lines if np.hypot(*(line[1] - line[0])) > 0.5]
    assert ends
    for end in ends:  # at a bumper, in a lane that the actor reaches into
        assert min(np.hypot(*(end - place)) for place in places) < 5.0
    env.close()


def test_views_colour_the_picture_as_a_layer_of_its_own() -> None:
    env = drivemem_envs.make("highway-fast-v0", views=("grid",)).unwrapped
    env.reset(seed=3)
    without, drawn = picture(env, "truth"), picture(env, "truth", "shown")
    assert (drawn != without).any(axis=2).sum() > 500
    plain = drivemem_envs.make("highway-fast-v0").unwrapped
    plain.reset(seed=3)
    assert not (picture(plain, "truth") != picture(plain, "truth", "shown")).any()
    env.close(), plain.close()
