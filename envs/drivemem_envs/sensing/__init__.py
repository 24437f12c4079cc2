"""What the ego perceives: the spec of its limits and the kernels that apply them.

Importing this package gives the spec only; the kernels (and numba) come with `sensing.pipeline`.
"""

from drivemem_envs.sensing.missed import MISSED_PRESETS, Missed
from drivemem_envs.sensing.sectors import SECTOR_PRESETS, Sector
from drivemem_envs.sensing.spec import (
    TRACKERS,
    Blocker,
    HiddenFeature,
    Sensors,
    Slots,
    Tracker,
    TrackerFacts,
)

__all__ = [
    "MISSED_PRESETS", "SECTOR_PRESETS", "TRACKERS", "Blocker", "HiddenFeature", "Missed", "Sector",
    "Sensors", "Slots", "Tracker", "TrackerFacts",
]  # fmt: skip
