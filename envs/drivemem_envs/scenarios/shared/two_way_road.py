"""A straight road with a lane in each direction, of which the ego may use both."""

from __future__ import annotations

from highway_env.road.lane import LineType, StraightLane
from highway_env.road.road import RoadNetwork

LEFT, RIGHT, ONCOMING = ("w", "e", 0), ("w", "e", 1), ("e", "w", 0)
"""The ego's two lanes, and the direction that the left one truly has."""


def two_way_road(west: float, east: float) -> RoadNetwork:
    """highway-env's two-way road: the left lane is there in both directions.

    Args:
        west: x where it begins, m.
        east: x where it ends, m.
    """
    net, width = RoadNetwork(), StraightLane.DEFAULT_WIDTH
    none, line, dashed = LineType.NONE, LineType.CONTINUOUS_LINE, LineType.STRIPED
    for number, lines in enumerate([(none, dashed), (none, line)]):
        ends = [[x, number * width] for x in (west, east)]
        net.add_lane(*LEFT[:2], StraightLane(*ends, line_types=lines))
    net.add_lane(*ONCOMING[:2], StraightLane([east, 0.0], [west, 0.0], line_types=(none, line)))
    return net
