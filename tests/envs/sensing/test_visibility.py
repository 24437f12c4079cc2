"""Line of sight: hand-made cases, an independent oracle, and the laws sight must obey."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drivemem_envs.sensing import Sensors, layout
from drivemem_envs.sensing.visibility import prepare, visible_rays

LIMITS = layout.limit_vector(Sensors(line_of_sight=("actors", "occluders")), 0.2)
NO_OCCLUDERS = np.zeros((0, 5))


def actor(x, y, heading=0.0, length=5.0, width=2.0, kind=layout.VEHICLE):
    return [x, y, heading, 0.0, 0.0, length, width, kind]


def rays(actors, target=1, occluders=NO_OCCLUDERS, limits=LIMITS):
    table = np.array(actors, dtype=np.float64)
    boxes = np.asarray(occluders, dtype=np.float64).reshape(-1, 5)
    scratch = np.zeros((len(table), layout.SCRATCH_COLUMNS))
    blockers = prepare(table, 0, limits, scratch)
    return visible_rays(table, target, target, table, 0, boxes, limits, scratch, blockers)


coordinate = st.floats(-60, 60)
angle = st.floats(-np.pi, np.pi)
box = st.tuples(coordinate, coordinate, angle, st.floats(0.5, 20), st.floats(0.5, 20))
car = st.tuples(coordinate, coordinate, angle).map(lambda pose: actor(*pose))


def test_nothing_between_shows_all_five_rays():
    assert rays([actor(0, 0), actor(30, 3)]) == 5


def test_a_wall_between_hides_everything():
    assert rays([actor(0, 0), actor(30, 0)], occluders=[[15, 0, 0, 1, 40]]) == 0


def test_a_wall_behind_the_target_or_behind_the_ego_hides_nothing():
    assert rays([actor(0, 0), actor(30, 0)], occluders=[[40, 0, 0, 1, 40]]) == 5
    assert rays([actor(0, 0), actor(30, 0)], occluders=[[-5, 0, 0, 1, 40]]) == 5


def test_half_a_wall_hides_the_rays_it_crosses():
    # The wall covers y > 0 at x = 15: the left corners; the centre and right corners stay.
    assert rays([actor(0, 0), actor(30, 0)], occluders=[[15, 10.001, 0, 1, 20]]) == 3


def test_a_car_ahead_hides_the_car_ahead_of_it():
    assert rays([actor(0, 0), actor(10, 0), actor(20, 0)], target=2) == 0


def test_a_car_hides_neither_itself_nor_a_nearer_car():
    assert rays([actor(0, 0), actor(10, 0), actor(20, 0)], target=1) == 5


def test_blockers_are_chosen():
    world = [actor(0, 0), actor(10, 0), actor(20, 0)]
    wall = [[15, 0, 0, 1, 40]]
    for blockers, expected in [
        ((), 5), (("actors",), 0), (("occluders",), 0), (("actors", "occluders"), 0),
    ]:  # fmt: skip
        limits = layout.limit_vector(Sensors(line_of_sight=blockers), 0.2)
        assert rays(world, target=2, occluders=wall, limits=limits) == expected
    assert rays(world[:1] + world[2:], occluders=NO_OCCLUDERS) == 5


def test_a_landmark_is_not_solid():
    world = [actor(0, 0), actor(10, 0, kind=layout.LANDMARK), actor(20, 0)]
    assert rays(world, target=2) == 5
    world[1] = actor(10, 0, kind=layout.OBSTACLE)
    assert rays(world, target=2) == 0


def test_a_turned_wall_is_judged_by_its_rectangle_not_its_bounding_box():
    assert rays([actor(0, 0), actor(30, 0)], occluders=[[15, 9, np.pi / 4, 30, 0.5]]) == 0
    assert rays([actor(0, 0), actor(30, 0)], occluders=[[15, 14, np.pi / 4, 30, 0.5]]) == 5


def clipped(start, end, blocker):
    """Length share of a segment inside a rectangle, by clipping; None when it is a close call."""
    x, y, heading, length, width = blocker
    turn = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
    a, b = turn @ (np.array(start) - [x, y]), turn @ (np.array(end) - [x, y])
    low, high = 0.0, 1.0
    for axis, half in ((0, length / 2), (1, width / 2)):
        d = b[axis] - a[axis]
        if abs(d) < 1e-12:
            if abs(a[axis]) >= half:
                return -1.0
            continue
        near, far = sorted(((-half - a[axis]) / d, (half - a[axis]) / d))
        low, high = max(low, near), min(high, far)
    return high - low


@settings(max_examples=400, deadline=None)
@given(ego=car, target=car, others=st.lists(car, max_size=3), boxes=st.lists(box, max_size=3))
def test_equals_an_oracle_without_rejection(ego, target, others, boxes):
    world = [ego, target, *others]
    x, y, heading, _, _, length, width, _ = target
    ends = [(x, y)]
    for dx in (-length / 2, length / 2):
        for dy in (-width / 2, width / 2):
            ends.append(
                (
                    x + np.cos(heading) * dx - np.sin(heading) * dy,
                    y + np.sin(heading) * dx + np.cos(heading) * dy,
                )
            )
    blockers = [[o[0], o[1], o[2], o[5], o[6]] for o in others] + [list(b) for b in boxes]
    visible = 0
    for end in ends:
        assume(np.hypot(end[0] - ego[0], end[1] - ego[1]) > 1e-6)  # a ray of no length is no ray
        shares = [clipped(ego[:2], end, b) for b in blockers]
        assume(all(abs(share) > 1e-9 for share in shares))  # touching is not judged here
        visible += all(share < 0 for share in shares)
    assert rays(world, occluders=boxes) == visible


@settings(max_examples=200, deadline=None)
@given(ego=car, target=car, one=box, growth=st.tuples(st.floats(1, 5), st.floats(1, 5)))
def test_a_larger_occluder_never_shows_more(ego, target, one, growth):
    larger = [*one[:3], one[3] * growth[0], one[4] * growth[1]]
    assert rays([ego, target], occluders=larger) <= rays([ego, target], occluders=one)


@settings(max_examples=200, deadline=None)
@given(ego=car, target=car, boxes=st.lists(box, min_size=1, max_size=4), others=st.lists(car))
def test_one_more_blocker_never_shows_more(ego, target, boxes, others):
    fewer = rays([ego, target], occluders=boxes[1:])
    assert rays([ego, target], occluders=boxes) <= fewer
    assert rays([ego, target, *others], occluders=boxes[1:]) <= fewer


@settings(max_examples=300, deadline=None)
@given(first=car, second=car, others=st.lists(car, max_size=3), boxes=st.lists(box, max_size=4))
def test_the_ray_between_centres_is_symmetric(first, second, others, boxes):
    # A target without extent has all its rays at its centre, so only that ray is compared.
    point = [5, 6]
    for i in point:
        first[i] = second[i] = 0.0
    there = rays([first, second, *others], occluders=boxes)
    back = rays([second, first, *others], occluders=boxes)
    assert there == back
    assert there in (0, 5)


@settings(max_examples=200, deadline=None)
@given(
    ego=car, target=car, others=st.lists(car, min_size=2, max_size=4), order=st.randoms()
)  # fmt: skip
def test_the_order_of_actors_is_irrelevant(ego, target, others, order):
    shuffled = list(others)
    order.shuffle(shuffled)
    assert rays([ego, target, *others]) == rays([ego, target, *shuffled])


@pytest.mark.parametrize("angle", np.linspace(0, 2 * np.pi, 9))
def test_turning_the_whole_world_changes_nothing(angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    world = [actor(0, 0), actor(25, 4, 0.3), actor(12, 4, 1.0)]
    wall = [18.0, 7.0, 0.2, 6.0, 1.0]
    turned = [[*(turn @ a[:2]), a[2] + angle, *a[3:]] for a in world]
    wall_turned = [*(turn @ wall[:2]), wall[2] + angle, *wall[3:]]
    assert 0 < rays(world, occluders=wall) < 5
    assert rays(turned, occluders=wall_turned) == rays(world, occluders=wall)
