"""What limits perception: one frozen spec, composed of named limits.

Both backends read the same spec and run the same sensing kernels, so an episode seed gives the
same percepts on either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, model_validator

from drivemem_envs.checked import Checked
from drivemem_envs.sensing.missed import OptionalMissed
from drivemem_envs.sensing.sectors import MOST, Sector, Sectors

Blocker = Literal["actors", "occluders"]
HiddenFeature = Literal["velocity", "heading"]
Tracker = Literal["none", "hold_last", "constant_velocity", "kalman", "perfect_recall"]
Slots = Literal["sorted", "fixed"]


class TrackerFacts(NamedTuple):
    """What there is to say about a tracker."""

    title: str
    """In prose: what a driver stands behind."""
    meaning: str
    """What it puts in the rows of actors that are not perceived; one line."""
    only_for_measuring: bool = False
    """Whether it is told the truth, so that no driver behind it is a rival to be beaten."""


TRACKERS: Mapping[str, TrackerFacts] = {
    "none": TrackerFacts("no tracker", "nothing: the rows are empty"),
    "hold_last": TrackerFacts("last sighting", "the actor as it was last perceived"),
    "constant_velocity": TrackerFacts(
        "constant velocity", "where the actor would be, had it kept the velocity last perceived"
    ),
    "kalman": TrackerFacts(
        "Kalman filter",
        "where a Kalman filter of constant velocity expects the actor; perceived ones are filtered "
        "too, and sd_position and sd_velocity tell how sure it is",
    ),
    "perfect_recall": TrackerFacts(
        "perfect recall",
        "where the actor truly is now, if it was perceived once and is still there; a cue that was "
        "shown stays. For measuring what remembering can give at most",
        only_for_measuring=True,
    ),
}
"""All trackers, in the order of their codes in kernels."""


class Sensors(Checked):
    """Limits on what the ego perceives of the other actors; the default is full sensors.

    The ego always knows its own pose and speed (proprioception): no limit touches row 0.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    line_of_sight: tuple[Blocker, ...] = ()
    """What blocks sight: other `actors`, static `occluders`, both, or nothing."""
    min_visible_fraction: float = Field(default=0.2, gt=0.0, le=1.0)
    """Least share of the 5 sight rays (4 corners and centre) that must reach an actor: .2 is
    "any part", .6 is "mostly"."""
    range_m: float | None = Field(default=None, gt=0.0, le=MOST)
    """Farthest centre distance at which an actor is sensed, m; None: unlimited."""
    field_of_view_deg: float | None = Field(default=None, gt=0.0, le=360.0)
    """Full opening angle of the sensor cone around the ego's heading, degrees; None: all round."""
    dropout_per_s: float = Field(default=0.0, ge=0.0, le=MOST)
    """Rate at which detections of each actor are lost, per second: at every decision an actor is
    missed with probability 1 - exp(-rate * decision period)."""
    blackout_per_s: float = Field(default=0.0, ge=0.0, le=MOST)
    """Onset rate of blackouts, per second, while sight is clear."""
    blackout_mean_s: float = Field(default=2.0, gt=0.0, le=MOST)
    """Mean duration of a blackout, s (exponential)."""
    noise_position_m: float = Field(default=0.0, ge=0.0, le=MOST)
    """Standard deviation of the noise on sensed positions, m, per axis."""
    noise_speed_mps: float = Field(default=0.0, ge=0.0, le=MOST)
    """Standard deviation of the noise on sensed velocities, m/s, per axis."""
    noise_growth_per_m: float = Field(default=0.0, ge=0.0, le=MOST)
    """Relative growth of both deviations with distance d: sigma * (1 + growth * d), 1/m."""
    latency_s: float = Field(default=0.0, ge=0.0, le=60.0)
    """Age of what is sensed of others, s; a multiple of the decision period. Nothing older than
    the episode exists: until then the first percept is repeated."""
    hide: tuple[HiddenFeature, ...] = ()
    """Features of other actors that are not sensed (their columns are zero)."""
    cue_window_s: float | None = Field(default=None, ge=0.0, le=MOST)
    """How long a scenario's cue is shown from the start of the episode, s; None: always, 0:
    never."""
    sectors: Sectors = ()
    """Cones of sight in place of `range_m` and `field_of_view_deg`, at most 8: an actor is within
    reach if its centre is in one of them, all else is a blind zone. None given: no such limit."""
    missed: OptionalMissed = None
    """How actors in sight are missed, in runs; None: they are not."""

    @model_validator(mode="after")
    def _one_reach(self) -> Self:
        if self.sectors and (self.range_m, self.field_of_view_deg) != (None, None):
            raise ValueError(
                f"sectors stand in place of range_m={self.range_m} and "
                f"field_of_view_deg={self.field_of_view_deg}: give these two as None, or no sectors"
            )
        return self

    @property
    def is_full(self) -> bool:
        """Whether nothing is limited."""
        return self == Sensors()

    @property
    def reach(self) -> tuple[Sector, ...]:
        """The sectors in which actors are sensed, whichever way they are given; (): everywhere."""
        angle = 360.0 if self.field_of_view_deg is None else self.field_of_view_deg
        if self.sectors or (self.range_m is None and angle == 360.0):
            return self.sectors
        return (Sector(centre_deg=0.0, width_deg=angle, range_m=self.range_m),)

    def changed(self, changes: Mapping[str, Any]) -> Sensors:
        """A copy with other fields; sectors take the place of the range and field of view it had.

        Raises:
            ValueError: an unknown field, or a value out of range.
        """
        kept = self.model_dump()
        if changes.get("sectors") not in (None, (), [], "none"):
            kept |= {"range_m": None, "field_of_view_deg": None}
        return Sensors(**{**kept, **changes})

    def limits(self) -> dict[str, object]:
        """The fields that differ from full sensors, in declaration order."""
        full = Sensors()
        return {
            name: getattr(self, name)
            for name in type(self).model_fields
            if getattr(self, name) != getattr(full, name)
        }
