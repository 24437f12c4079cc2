"""A perception error model: each actor is missed for a while now and then, more often far away.

Misses of real detectors come in runs. What a run is made of here is stated in `Missed`; the
kernels are `corruption.is_missed` and `corruption.miss_goes_on`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from drivemem_envs.checked import Checked
from drivemem_envs.sensing.sectors import MOST


class Missed(Checked):
    """How often and for how long an actor in sight is not detected.

    Each actor has a level, uniform in [0, 1), that is drawn anew at random moments, on average
    every `mean_gap_s`; it is missed while its level is not below the recall at its present distance
    and visible fraction. At a constant recall r this is a two-state Markov chain in continuous
    time, looked at once per decision: a share 1 - r of the time is missed, a run of misses lasts
    mean_gap_s / r on average and a run of detections mean_gap_s / (1 - r), in seconds whatever the
    decision period. As an actor comes nearer it is detected and stays so, until its level changes.
    An episode begins in this law, so an actor may be missed from the start.

    The recall is r = (near + (far - near) min(1, d / far_m)) (1 - (1 - v) (1 - occluded)) at
    distance d between centres and visible fraction v (1 where nothing blocks sight).
    """

    mean_gap_s: float = Field(gt=0.0, le=60.0)
    """Mean run of misses where recall is nearly 1, s; elsewhere it is this divided by the recall,
    so what is missed more often is also missed for longer."""
    recall_near: float = Field(default=1.0, ge=0.0, le=1.0)
    """Share of the time in which an actor beside the ego is detected."""
    recall_far: float = Field(default=1.0, ge=0.0, le=1.0)
    """The same at `far_m` and beyond; between, recall is linear in distance."""
    far_m: float = Field(default=50.0, ge=0.1, le=MOST)
    """Centre distance from which recall falls no further, m."""
    recall_occluded: float = Field(default=1.0, ge=0.0, le=1.0)
    """Share of that recall left as the visible fraction nears 0; linear up to 1 for an actor
    wholly in sight."""


MISSED_PRESETS: dict[str, Missed] = {
    "lidar": Missed(mean_gap_s=0.5, recall_near=0.95, recall_far=0.6, recall_occluded=0.5),
    "camera": Missed(mean_gap_s=1.0, recall_near=0.9, recall_far=0.2, recall_occluded=0.5),
}
"""In the order of published trackers on nuScenes, as their users reported them: longest gap of a
track 1.6 s with lidar and 4.2 s with cameras, recall .6 and .2. Taken as the recall at 50 m, to
which nuScenes evaluates cars; at half of that, the mean of the longest gaps in 20 s (the length of
its scenes, at 2 Hz) is here 1.7 s and 4.3 s. The recall beside the ego and that of the occluded are
guesses. Trust the order between the two and the order of magnitude, no digit."""

MISSED_WORDS = f"{'|'.join(MISSED_PRESETS)}|KEY=VALUE,..."


def missed_of(given: Any) -> Any:
    """A model of misses from text; what is no text is left as it is.

    Args:
        given: the name of a preset, or fields of `Missed` as `key=value` with commas between them;
            a preset's name may stand in front, whose fields they change.

    Raises:
        ValueError: text that is none of these.
    """
    if not isinstance(given, str):
        return given
    first, *rest = given.split(",")
    named = first in MISSED_PRESETS
    fields: dict[str, Any] = MISSED_PRESETS[first].model_dump() if named else {}
    for word in rest if named else [first, *rest]:
        key, equals, value = word.partition("=")
        if not equals or key not in Missed.model_fields:
            raise ValueError(
                f"{word!r} is no model of misses: give one of {', '.join(MISSED_PRESETS)}, or "
                f"key=value with commas, keys {', '.join(Missed.model_fields)}"
            )
        fields[key] = value
    return fields


OptionalMissed = Annotated[Missed | None, BeforeValidator(missed_of)]
"""As a field: a model of misses, a table, or text as `missed_of` reads it."""
