"""Traffic that reacts: what the free-driving scenarios on motorways share."""

from __future__ import annotations

from highway_env.vehicle.behavior import IDMVehicle

from drivemem_envs.sensing.sectors import Sector
from drivemem_envs.sensing.spec import Sensors

FEATURES_RANGE = {
    "x": (-200.0, 200.0),
    "y": (-16.0, 16.0),
    "vx": (-40.0, 40.0),
    "vy": (-40.0, 40.0),
}
"""What rows and rule-based drivers read, m and m/s."""

FRONT_CAMERA = Sensors(
    sectors=(Sector(centre_deg=0.0, width_deg=40.0),),
    line_of_sight=("actors",),
    noise_position_m=0.4,
    noise_speed_mps=1.5,
)
"""A camera behind the windscreen: 40 degrees, cars hide what is behind them. A car beside the ego,
or less than some 11 m ahead on the next lane, is in the blind zone."""


GLARE = Sensors(blackout_per_s=0.6, blackout_mean_s=3.5, noise_position_m=0.4, noise_speed_mps=5.0)
"""Low sun: 3.5 s of darkness, 1.7 s of sight, and speeds that a camera alone measures badly."""


class DenseVehicle(IDMVehicle):  # type: ignore[misc]
    """IDM and MOBIL with short headways, as drivers keep them in dense traffic.

    With highway-env's own headways traffic of this density queues, and nobody can be passed. It
    changes lanes where that is worth it and forces nobody to brake hard: cars that cut in at any
    gain hit even an ego that sees everything.
    """

    TIME_WANTED = 0.6  # [s]
    DISTANCE_WANTED = 8.0  # [m], between centers
    LANE_CHANGE_MIN_ACC_GAIN = 1.0  # [m/s2]
    LANE_CHANGE_MAX_BRAKING_IMPOSED = 1.0  # [m/s2]
