"""Sectors: several cones of sight, as cameras and mirrors have, with blind zones between them."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from drivemem_envs.checked import Checked

MOST = 1e6
"""No limit in SI units is larger: beyond, arithmetic overflows or buffers outgrow the memory."""

MOST_SECTORS = 8


class Sector(Checked):
    """One cone of sight, from the ego's centre."""

    centre_deg: float = Field(ge=-360.0, le=360.0)
    """Direction of its middle relative to the ego's heading, degrees: 0 is ahead, 90 to the right,
    180 behind. Angles turn as highway-env's headings do, whose y axis points down."""
    width_deg: float = Field(gt=0.0, le=360.0)
    """Full opening angle, degrees."""
    range_m: float | None = Field(default=None, gt=0.0, le=MOST)
    """Farthest centre distance at which an actor is sensed, m; None: unlimited."""


_FRONT = Sector(centre_deg=0.0, width_deg=60.0, range_m=80.0)
_REAR = Sector(centre_deg=180.0, width_deg=50.0, range_m=60.0)
_MIRRORS = tuple(Sector(centre_deg=side, width_deg=25.0, range_m=40.0) for side in (145.0, -145.0))

SECTOR_PRESETS: dict[str, tuple[Sector, ...]] = {
    "front_camera": (_FRONT,),
    "front_and_rear": (_FRONT, _REAR),
    "front_rear_mirrors": (_FRONT, _REAR, *_MIRRORS),
}
"""Layouts of the order of those on cars, chosen here and measured on none. Beside the ego, from 30
to 132 degrees on either hand, even the fullest is blind."""

SECTOR_WORDS = f"{'|'.join(SECTOR_PRESETS)}|CENTRE:WIDTH:RANGE,..."


def sectors_of(given: Any) -> Any:
    """Sectors from text; what is no text is left as it is.

    Args:
        given: the name of a preset, `none`, or sectors as `centre:width:range` with commas
            between them (degrees, degrees, m; without a range or with `inf` it is unlimited).

    Raises:
        ValueError: text that is none of these.
    """
    if not isinstance(given, str):
        return given
    if given in SECTOR_PRESETS:
        return SECTOR_PRESETS[given]
    return () if given == "none" else tuple(_sector_of(word) for word in given.split(","))


def _sector_of(word: str) -> dict[str, float | None]:
    try:
        numbers = [float(part) for part in word.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3):
        raise ValueError(
            f"{word!r} is no sector: give centre:width:range in degrees, degrees and m, with "
            "commas between several, such as 0:60:80,180:50:60, or one of: "
            f"{', '.join(SECTOR_PRESETS)}, none"
        )
    reach = numbers[2] if len(numbers) == 3 and numbers[2] != math.inf else None
    return {"centre_deg": numbers[0], "width_deg": numbers[1], "range_m": reach}


Sectors = Annotated[tuple[Sector, ...], Field(max_length=MOST_SECTORS), BeforeValidator(sectors_of)]
"""As a field: a tuple of sectors, tables, or text as `sectors_of` reads it."""
