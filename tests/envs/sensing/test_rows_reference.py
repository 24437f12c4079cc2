"""The rows kernel gives what the reference backend observes, for every limit, tracker and slots."""

import numpy as np
import pytest

from drivemem_envs import scenario
from drivemem_envs.making import make
from drivemem_envs.reference.observation import features_range
from drivemem_envs.sensing import Sensors, rows

pytestmark = pytest.mark.filterwarnings("ignore")

LIMITS = {
    "full": Sensors(),
    "line_of_sight": Sensors(line_of_sight=("actors", "occluders")),
    "dropout": Sensors(dropout_per_s=2.0, hide=("velocity",)),
    "latency": Sensors(latency_s=1.0, hide=("heading",)),
    "all": Sensors(
        line_of_sight=("actors",), range_m=80, field_of_view_deg=270, dropout_per_s=0.5,
        blackout_per_s=0.1, noise_position_m=0.3, noise_speed_mps=0.2, latency_s=1.0,
    ),
}  # fmt: skip


def rows_of(env):
    spec, perception = env.scenario.observation, env.perception
    ranges = features_range(spec, env.first_road_lanes)
    codes, scale = rows.feature_table(spec.features, ranges)
    options = rows.options_vector(
        absolute=spec.absolute, see_behind=spec.see_behind, clip=spec.clip,
        include_obstacles=spec.include_obstacles, distance_m=env.PERCEPTION_DISTANCE,
        ego_length_m=env.vehicle.LENGTH, observe_intentions=spec.observe_intentions,
    )  # fmt: skip
    seen, actors = perception.percepts, perception.actors
    full = np.column_stack([seen.rows, seen.ids, seen.age_s, seen.sd_position, seen.sd_velocity])
    lane, position = env.vehicle.lane, env.vehicle.position
    here = lane.local_coordinates(position)[0]
    along = np.array([lane.local_coordinates(row[:2])[0] - here for row in seen.rows])
    order = np.zeros(len(full), dtype=np.int64)
    chosen = rows.order_percepts(full, len(full), *position, along, options, order)
    if spec.slots == "fixed":
        places = np.zeros(spec.vehicles_count - 1, dtype=np.int64)
        chosen = rows.assign_slots(full, order, chosen, np.asarray(env._slots), places)
        order = places
    out = np.full((spec.vehicles_count, len(codes)), np.nan, dtype=np.float32)
    rows.write_rows(actors, 0, full, order, chosen, codes, scale, options, out)
    return out


@pytest.mark.parametrize("slots", ["sorted", "fixed"])
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    ("name", "tracker"),
    [
        ("highway-fast-v0", "none"),
        ("merge-v1", "constant_velocity"),
        ("intersection-v1", "hold_last"),
        ("roundabout-v1", "none"),
        ("merge-v1", "kalman"),
        ("intersection-v1", "perfect_recall"),
    ],
)
def test_rows_are_those_of_the_reference_backend(name, tracker, limit, slots):
    features = (*scenario(name).observation.features, "sd_position", "sd_velocity")
    env = make(
        name, sensors=LIMITS[limit], tracker=tracker, slots=slots,
        observation={"features": features},
    )  # fmt: skip
    observation, _ = env.reset(seed=3)
    env.action_space.seed(0)
    for _ in range(5):
        np.testing.assert_array_equal(rows_of(env), observation["vehicles"])
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            break
    env.close()
