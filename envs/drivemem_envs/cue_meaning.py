"""What a cue says, for people and pictures: a world's own data, so that nobody parses numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from highway_env.road.road import LaneIndex


class CueMeaning(NamedTuple):
    """What a world's `cue_meaning()` tells of its cue and its latents."""

    what: str
    """What says it, such as "sign"."""
    names: tuple[str, ...]
    """What each of B numbers says, such as "exit 1". One name alone needs no cue: it always
    holds, as where a map shows the only exit."""
    junctions: tuple[tuple[LaneIndex, ...], ...] = ()
    """Where names are places: highway-env's index of the lane that each of them means, for each of
    J junctions in the order along the way. A cue of B numbers names one at the next junction, one
    of J * B numbers one at each. () where names are no places."""

    def numbers(self, cue: Sequence[float]) -> tuple[int, ...]:
        """Which name a cue gives, or which at each junction; () where it gives none.

        Args:
            cue: (B,) or (J * B,) as it is shown; zeros: nothing is.
        """
        values = np.asarray(cue, dtype=np.float64)
        if len(self.names) < 2 or not len(values) or len(values) % len(self.names):
            return ()
        groups = values.reshape(-1, len(self.names))
        is_told = bool(np.isin(groups, (0.0, 1.0)).all() and (groups.sum(axis=1) == 1.0).all())
        return tuple(groups.argmax(axis=1).tolist()) if is_told else ()

    def words(self, cue: Sequence[float]) -> str:
        """What a cue says, such as "exit 2"; nothing where it gives no names."""
        return ", ".join(self.names[number] for number in self.numbers(cue))


def plain_meaning(size: int) -> CueMeaning:
    """Of a cue (size,) of which its world tells nothing: the number that is named."""
    return CueMeaning("sign", tuple(f"{number + 1} of {size}" for number in range(size)))


def check_meaning(meaning: CueMeaning, cue_size: int, graph: Any) -> CueMeaning:
    """A meaning that fits its world.

    Args:
        meaning: as the world tells it.
        cue_size: K; 0: the world has no cue.
        graph: of highway-env's road network, in which junctions have their lanes.

    Raises:
        ValueError: it does not fit.
    """
    what, names, junctions = meaning
    fits = {len(names), len(names) * len(junctions)} if len(names) > 1 else {cue_size}
    if not names or (cue_size not in fits and cue_size):
        raise ValueError(
            f"cue_meaning of '{what}' has {len(names)} names and {len(junctions)} junctions for a "
            f"cue of {cue_size} numbers: give a name for each number, or names and junctions whose "
            "product is the number"
        )
    for lanes in junctions:
        if len(lanes) != len(names):
            raise ValueError(
                f"cue_meaning of '{what}' has a junction of {len(lanes)} lanes for {len(names)} "
                "names: give each name its lane"
            )
        for start, end, number in lanes:
            if not 0 <= number < len(graph.get(start, {}).get(end, ())):
                raise ValueError(
                    f"cue_meaning of '{what}' means lane {(start, end, number)}, which the road "
                    "lacks: take (start node, end node, number) of its network"
                )
    return meaning
