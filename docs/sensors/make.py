"""Draw this folder's pictures, one for each limit of sensors: python docs/sensors/make.py.

All show the same moment of the same episode, with other sensors.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCENARIO, SEED, DECISIONS, FASTER = "camera-highway-hard", 0, 32, 3
"""A moment with cars beside the ego, behind it, and behind each other."""
SIZE, SCALING = (680, 120), 5.0
"""Pixels; pixels per metre."""
AMBER = (251, 191, 36)
LIMITS: dict[str, dict[str, Any]] = {
    "full": {},
    "line-of-sight": {"line_of_sight": ("actors",)},
    "range": {"range_m": 30.0},
    "field-of-view": {"field_of_view_deg": 60.0},
    "sectors": {"sectors": "front_rear_mirrors"},
    "missed": {"missed": "camera"},
    "blackout": {"blackout_per_s": 2.0, "blackout_mean_s": 5.0},
    "noise": {"noise_position_m": 1.5},
    "latency": {"latency_s": 1.0},
}
"""Sensors of each picture; what is not named is off."""
SENSED = ("noise", "latency")
"""Where actors are perceived in other places than their own, which the picture shows in amber."""


def picture(name: str) -> bytes:
    """The scene with what the sensors of a limit perceive, as a PNG."""
    from PIL import Image, ImageDraw

    import drivemem_envs
    from drivemem_envs import Sensors
    from drivemem_envs.reference.shadows import corners
    from drivemem_envs.reference.viewer import SensorViewer
    from drivemem_envs.sensing import layout

    scenario = drivemem_envs.scenario(SCENARIO)
    scenario = scenario.model_copy(update={"sensors": Sensors(**LIMITS[name])})
    env: Any = drivemem_envs.make(scenario, render_mode="rgb_array").unwrapped
    env.reset(seed=SEED)
    viewer = SensorViewer(env, ("truth", "sees"), size=SIZE, scaling=SCALING)
    viewer.sim_surface.centering_position = [0.4, 0.5]
    for _ in range(DECISIONS):
        env.step(FASTER)
    viewer.display()
    frame = Image.fromarray(viewer.get_image())
    if name in SENSED:
        pen = ImageDraw.Draw(frame)
        columns = [layout.X, layout.Y, layout.HEADING, layout.LENGTH, layout.WIDTH]
        for row in env.perception.percepts.rows[:, columns]:
            points = [viewer.sim_surface.vec2pix(point) for point in corners(row)]
            pen.polygon([tuple(map(int, point)) for point in points], outline=AMBER, width=2)
    out = io.BytesIO()
    frame.quantize(64).save(out, "PNG", optimize=True)
    env.close()
    return out.getvalue()


def main() -> None:
    """Draw all pictures."""
    for name in LIMITS:
        (HERE / f"{name}.png").write_bytes(picture(name))


if __name__ == "__main__":
    main()
