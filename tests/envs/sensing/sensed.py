"""What tests of the sensors share: actors that drive straight on, and what is sensed of them."""

import numpy as np
from hypothesis import strategies as st

from drivemem_envs.sensing import layout
from drivemem_envs.sensing.pipeline import SensorState

DT = 0.2
WALL = [[15.0, 0.0, 0.0, 1.0, 40.0]]


def actor(x, y, heading=0.0, vx=0.0, vy=0.0):
    return [x, y, heading, vx, vy, 5.0, 2.0, layout.VEHICLE]


def moved(actors, seconds):
    actors = np.array(actors, dtype=np.float64)
    actors[:, layout.X] += seconds * actors[:, layout.VX]
    actors[:, layout.Y] += seconds * actors[:, layout.VY]
    return actors


def drive(sensors, ids, actors, decisions=20, *, seed=1, tracker="none", occluders=WALL, dt=DT):
    """Percepts of all decisions while everybody drives straight on."""
    state = SensorState(sensors, dt, tracker)
    state.reset(seed)
    return [
        state.sense(ids, moved(actors, k * dt), occluders=occluders) for k in range(decisions)
    ]  # fmt: skip


def assert_same(first, second):
    for one, other in zip(first, second, strict=True):
        for name in (
            "ids",
            "rows",
            "age_s",
            "perceived",
            "actor_age_s",
            "visible_fraction",
            "ghosts",
        ):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


coordinate = st.floats(-40, 40)


speed = st.floats(-15, 15)


some_actor = st.tuples(
    coordinate, coordinate, st.floats(-np.pi, np.pi), speed, speed
).map(lambda values: actor(*values))  # fmt: skip


some_actors = st.lists(some_actor, min_size=2, max_size=6)


def dark_runs(dark):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(dark, dtype=int), [0]])))
    return edges[1::2] - edges[::2]
