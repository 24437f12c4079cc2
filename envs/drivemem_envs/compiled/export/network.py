"""From highway-env's road network to tables of lanes, roads and links."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from highway_env.road import lane as highway_lane
from highway_env.road.road import RoadNetwork
from highway_env.road.spline import LinearSpline2D
from numpy.typing import NDArray

from drivemem_envs.compiled import records
from drivemem_envs.compiled.export.supported import known_base, refuse
from drivemem_envs.compiled.records import CIRCULAR, POLYLINE, SINE, STRAIGHT, Records

LaneIndex = tuple[str, str, int]

_LANES = {
    highway_lane.StraightLane: STRAIGHT,
    highway_lane.SineLane: SINE,
    highway_lane.CircularLane: CIRCULAR,
    highway_lane.PolyLaneFixedWidth: POLYLINE,
    highway_lane.PolyLane: POLYLINE,
}
# How far beyond its edge a vehicle counts as on a lane (see `neighbours`), and a slack that is
# far above rounding errors.
_MARGIN, _SLACK = 1.0, 1e-6

_PLAIN = int | float | str | bool | np.number | None

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class NetworkTables:
    """A road network as tables, in the order of highway-env's graph."""

    lanes: Records
    """(L,) LANE."""
    roads: Records
    """(E,) ROAD."""
    links: Records
    """(K,) LINK."""
    points: NDArray[np.float64]
    """(P, POINT_COLUMNS)."""
    lane_indices: list[LaneIndex]
    """highway-env's index of each lane."""
    road_names: list[tuple[str, str]]
    """The nodes between which each road runs."""

    def key(self) -> bytes:
        """What two equal networks have in common."""
        # Field by field: the bytes between aligned fields are whatever memory held before.
        records = (self.lanes, self.roads, self.links)
        fields = [table[name] for table in records for name in table.dtype.names or ()]
        return b"".join(field.tobytes() for field in (*fields, self.points))


def fingerprint(network: Any) -> tuple[Any, ...] | None:
    """What distinguishes a live network from others, at a twentieth of the cost of its tables.

    Returns:
        None: it holds something whose equality cannot be told, such as a curve.
    """
    held: list[Any] = [type(network)]
    for start, ends in network.graph.items():
        for end, lanes in ends.items():
            held += [start, end, len(lanes)]
            for lane in lanes:
                held.append(type(lane))
                for name, value in vars(lane).items():
                    plain = value.tolist() if isinstance(value, np.ndarray) else value
                    if isinstance(plain, list | tuple):
                        plain = tuple(map(repr, plain))
                    elif not isinstance(plain, _PLAIN):
                        return None
                    held += [name, repr(plain)]
    return tuple(held)


def export_network(network: Any) -> NetworkTables:
    """Turn a highway-env road network into tables.

    Args:
        network: a RoadNetwork of straight, sine, circular or polyline lanes.

    Raises:
        CompiledUnsupported: an unknown class of network or lane.
    """
    known_base(network, {RoadNetwork: 0})
    names = [(start, end) for start, ends in network.graph.items() for end in ends]
    indices = [
        (*name, number) for name in names for number in range(len(network.graph[name[0]][name[1]]))
    ]
    lanes = np.zeros(len(indices), records.LANE)
    roads = np.zeros(len(names), records.ROAD)
    points: list[tuple[float, ...]] = []
    links: list[tuple[float, int]] = []
    position = {index: row for row, index in enumerate(indices)}
    for row, name in enumerate(names):
        road = roads[row]
        road.first_lane = position.get((*name, 0), 0)
        road.lanes = len(network.graph[name[0]][name[1]])
        refuse(road.lanes == 0, f"the road from {name[0]!r} to {name[1]!r} has no lane")
        following = [other for other, (start, _) in enumerate(names) if start == name[1]]
        road.first_next = following[0] if following else 0
        road.nexts = len(following)
    for row, index in enumerate(indices):
        lane = network.get_lane(index)
        record = lanes[row]
        _fill_lane(record, lane, points)
        record.road = names.index(index[:2])
        record.number = index[2]
        found = _links(network, index, position)
        record.first_link, record.links = len(links), len(found)
        links += found
    return NetworkTables(
        lanes,
        roads,
        _link_table(links),
        np.array(points).reshape(-1, records.POINT_COLUMNS),
        indices,
        names,
    )


def _link_table(links: list[tuple[float, int]]) -> Records:
    """As records whose padding is zero, so that equal networks have equal bytes."""
    table = np.zeros(len(links), records.LINK)
    for row, link in enumerate(links):
        table[row] = link
    return table


def _links(
    network: Any, index: LaneIndex, position: dict[LaneIndex, int]
) -> list[tuple[float, int]]:
    """The lanes that `neighbour_vehicles_connected_lanes` searches besides a lane, in order."""
    start, end, number = index
    length = network.get_lane(index).length
    found = []
    for following, lanes in network.graph.get(end, {}).items():
        found.append((length, position[(end, following, number if number < len(lanes) else 0)]))
    for previous, ends in network.graph.items():
        if start in ends:
            lanes = ends[start]
            before = (previous, start, number if number < len(lanes) else 0)
            found.append((-network.get_lane(before).length, position[before]))
    return found


def _fill_lane(record: Any, lane: Any, points: list[tuple[float, ...]]) -> None:
    kind = known_base(lane, _LANES)
    record.kind = kind
    record.length = lane.length
    record.overrun = lane.VEHICLE_LENGTH
    record.end = lane.length - lane.VEHICLE_LENGTH / 2
    record.priority = lane.priority
    record.forbidden = lane.forbidden
    record.has_speed_limit = lane.speed_limit is not None
    record.speed_limit = math.nan if lane.speed_limit is None else lane.speed_limit
    if kind == POLYLINE:
        _fill_polyline(record, lane, points)
        return
    record.width = lane.width
    if kind == CIRCULAR:
        record.x, record.y = lane.center
        record.radius, record.start_phase = lane.radius, lane.start_phase
        record.turn = lane.direction
        _set_boxes(record, _arc_box(lane, 0.0, 0.0), _arc_box(lane, record.overrun, _edge(lane)))
        return
    record.x, record.y = lane.start
    record.direction_x, record.direction_y = lane.direction
    record.heading = lane.heading
    swing = 0.0
    if kind == SINE:
        record.amplitude, record.pulsation = lane.amplitude, lane.pulsation
        record.phase = lane.phase
        swing = abs(lane.amplitude)
    _set_boxes(
        record,
        _strip_box(lane, 0.0, swing),
        _strip_box(lane, record.overrun, swing + _edge(lane)),
    )


def _edge(lane: Any) -> float:
    return float(lane.width / 2 + _MARGIN)


def _set_boxes(record: Any, line: Box, on_lane: Box) -> None:
    record.left, record.right, record.bottom, record.top = line
    record.on_left, record.on_right, record.on_bottom, record.on_top = on_lane


def _box_of(corners: list[tuple[float, float]]) -> Box:
    xs, ys = zip(*corners, strict=True)
    return min(xs) - _SLACK, max(xs) + _SLACK, min(ys) - _SLACK, max(ys) + _SLACK


def _strip_box(lane: Any, beyond: float, aside: float) -> Box:
    """Axis-aligned box around a straight strip."""
    (x, y), (dx, dy) = lane.start, lane.direction
    return _box_of(
        [
            (x + s * dx - r * dy, y + s * dy + r * dx)
            for s in (-beyond, lane.length + beyond)
            for r in (-aside, aside)
        ]
    )


def _arc_box(lane: Any, beyond: float, aside: float) -> Box:
    """Axis-aligned box around a strip along an arc."""
    x, y = lane.center
    inner, outer = max(lane.radius - aside, 0.0), lane.radius + aside
    first = lane.start_phase - lane.direction * beyond / lane.radius
    last = lane.start_phase + lane.direction * (lane.length + beyond) / lane.radius
    low, high = min(first, last), max(first, last)
    if lane.radius <= aside or high - low >= 2 * math.pi:
        return _box_of([(x - outer, y - outer), (x + outer, y + outer)])
    quarter = math.pi / 2
    turns = range(math.ceil(low / quarter), math.floor(high / quarter) + 1)
    phases = [low, high, *(turn * quarter for turn in turns)]
    return _box_of(
        [
            (x + radius * math.cos(phase), y + radius * math.sin(phase))
            for phase in phases
            for radius in (inner, outer)
        ]
    )


def _fill_polyline(record: Any, lane: Any, points: list[tuple[float, ...]]) -> None:
    known_base(lane.curve, {LinearSpline2D: 0})
    # A spline's coordinates are no distances: nothing may be concluded from a box.
    everywhere = (-math.inf, math.inf, -math.inf, math.inf)
    _set_boxes(record, everywhere, everywhere)
    record.first_pose, record.poses = len(points), len(lane.curve.poses)
    for s, pose in zip(lane.curve.s_samples, lane.curve.poses, strict=True):
        heading = np.arctan2(pose.normal[1], pose.normal[0])
        points.append((s, *pose.position, *pose.normal, heading))
    arc, xs, ys = _knots(lane.curve)
    record.first_knot, record.knots = len(points), len(arc)
    points += [(a, x, y, 0.0, 0.0, 0.0) for a, x, y in zip(arc, xs, ys, strict=True)]
    widths = getattr(lane, "width_samples", None)
    if widths is None:
        record.width = lane.width
        return
    record.first_width, record.widths = len(points), len(widths)
    points += [(width, 0.0, 0.0, 0.0, 0.0, 0.0) for width in widths]


def _knots(curve: Any) -> tuple[Any, Any, Any]:
    """The arrays that the spline's interpolators (closures) hold."""
    held = []
    for curve_of in (curve.x_curve, curve.y_curve):
        names = curve_of.__code__.co_freevars
        values = (cell.cell_contents for cell in curve_of.__closure__)
        cells = dict(zip(names, values, strict=True))
        held.append((cells["x"], cells["y"]))
    (arc, xs), (_, ys) = held
    return arc, xs, ys
