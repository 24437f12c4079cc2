"""An episode as small numbers: whole centimetres, and differences from one decision to the next.

`assets/data.js` turns them back. Deflate likes long runs of small numbers.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.replays.captions import captions
from drivemem.replays.events import dark_steps, events_of, story
from drivemem.replays.focus import contact, name_of
from drivemem.replays.load import Trace
from drivemem.replays.places import named_places
from drivemem.replays.probed import DECODED
from drivemem.replays.shown import pack_shown
from drivemem.replays.simulate import told_by
from drivemem_envs.sensing import TRACKERS

SCALE = {"x": 100, "y": 100, "heading": 1000, "speed": 100, "visible_fraction": 10, "age_s": 100}
"""What a unit of each column is divided into."""
GHOSTS = ("ghost_x", "ghost_y", "ghost_heading")
"""Optional columns of actors: where the driver's tracker places those that are out of sight."""


def blob(value: Any) -> str:
    """JSON, deflated, as base64."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def pack_road(lanes: Any) -> list[dict[str, Any]]:
    """Lanes (`lane_shapes`) as differences of centimetres."""
    return [
        {"left": _points(lane.left), "right": _points(lane.right), "lines": list(lane.lines)}
        for lane in lanes
    ]


def pack_side(
    trace: Trace, labels: tuple[str, ...], network: Any, actors: Sequence[int] = (),
    range_m: float = 1.0,
) -> dict[str, Any]:  # fmt: skip
    """All that the page shows of one driver's episode.

    Args:
        trace: what was recorded.
        labels: of discrete actions; () for continuous ones.
        network: highway-env's road network of the episode.
        actors: which of them the episode is about.
        range_m: at which the gaps of the view `lanes` end, m.
    """
    row = trace.row
    dark = dark_steps(trace)
    return {
        "outcome": row.outcome,
        "success": row.success,
        "return": round(row.total_return, 3),
        "story": story(trace),
        "contact": contact(trace) if row.outcome == "collision" else None,
        "names": {str(actor): name_of(trace, actor) for actor in actors},
        "captions": _runs(captions(trace, actors, dark.tolist())),
        "named": _runs(named_places(network, trace)),
        "tracks": _tracks(trace),
        "dark": [int(step) for step in np.flatnonzero(dark)],
        "events": [
            {"step": event.step, "kind": event.kind, "text": event.text}
            for event in events_of(trace)
        ],
        "steps": _steps(trace, labels),
        "labels": list(labels),
        "latents": _latents(trace),
        "latency": float(row.sensors.get("latency_s", 0.0)),
        "recalls": row.tracker in TRACKERS and TRACKERS[row.tracker].only_for_measuring,
        # Recordings from before ghosts were recorded show where cars were last seen.
        "tracked": row.tracker != "none" and all(name in trace.actors for name in GHOSTS),
        "shown": pack_shown(trace, range_m),
    }


def _runs(told: Sequence[Any]) -> list[list[Any]]:
    """What is told at each decision as [first decision, what], where it changes."""
    return [[step, one] for step, one in enumerate(told) if step == 0 or one != told[step - 1]]


def _tracks(trace: Trace) -> list[dict[str, Any]]:
    """Every actor's way, in pieces without gaps."""
    actors = trace.actors
    order = np.lexsort((actors["step"], actors["id"]))
    ids, steps = actors["id"][order], actors["step"][order]
    cuts = np.flatnonzero((np.diff(ids) != 0) | (np.diff(steps) != 1)) + 1
    return [_track(actors, rows) for rows in np.split(order, cuts) if len(rows)]


def _track(actors: dict[str, NDArray[Any]], rows: NDArray[Any]) -> dict[str, Any]:
    first = rows[0]
    crashed = np.flatnonzero(actors["crashed"][rows])
    packed: dict[str, Any] = {
        "id": int(actors["id"][first]),
        "kind": int(actors["kind"][first]),
        "size": [round(float(actors[name][first]), 2) for name in ("length", "width")],
        "from": int(actors["step"][first]),
        "crashed": int(actors["step"][rows[crashed[0]]]) if len(crashed) else -1,
    }
    for name, scale in SCALE.items():
        values = actors[name][rows].astype(np.float64)
        if name == "heading":
            values = np.unwrap(values)
        packed[name] = _differences(np.where(np.isfinite(values), values * scale, -1.0))
    for names in (DECODED, GHOSTS):
        if all(name in actors and np.isfinite(actors[name][rows]).any() for name in names):
            packed |= {name: _numbers(actors[name][rows], 2) for name in names}
    return packed


def _latents(trace: Trace) -> list[dict[str, Any]]:
    """What a probe read of each latent, what was true, and what to call both."""
    meaning, several = told_by(trace.row).meaning, len(trace.latents) > 1
    return [
        {
            "what": f"{meaning.what} {number}" if several else meaning.what,
            "kinds": latent.kinds,
            "names": list(meaning.names) if latent.kinds else [],
            "value": _numbers(latent.value, 2),
            "decoded": _numbers(latent.decoded, 2),
            "confidence": _numbers(latent.confidence, 2),
        }
        for number, latent in enumerate(trace.latents, 1)
    ]


def _steps(trace: Trace, labels: tuple[str, ...]) -> dict[str, Any]:
    steps = trace.steps
    packed: dict[str, Any] = {
        "action": [_action(action) for action in trace.actions],
        "reward": _numbers(steps["reward"], 4),
    }
    for name in ("value", "entropy", "memory_norm", "memory_change"):
        numbers = _numbers(steps[name], 4)
        if any(number is not None for number in numbers):
            packed[name] = numbers
    cues = [_parsed(value) for value in steps.get("cue", ())]
    if any(cues):
        packed["cue"] = cues
    for name in ("probs", "attention"):
        rows = [_list(value) for value in steps.get(name, ())]
        if any(rows) and (name == "attention" or labels):
            packed[name] = rows
    return packed


def _action(action: Any) -> Any:
    return action if isinstance(action, int) else [round(float(value), 3) for value in action]


def _list(values: Any) -> list[float]:
    if values is None or (isinstance(values, float) and math.isnan(values)):
        return []
    return [round(float(value), 3) if math.isfinite(value) else 0.0 for value in values]


def _parsed(text: Any) -> list[float]:
    return _list(json.loads(text)) if isinstance(text, str) else []


def _numbers(column: NDArray[Any], digits: int) -> list[float | None]:
    return [
        round(float(value), digits) if value is not None and math.isfinite(float(value)) else None
        for value in column
    ]


def _points(points: NDArray[np.float64]) -> list[list[int]]:
    return [_differences(points[:, axis] * 100.0) for axis in (0, 1)]


def _differences(values: NDArray[np.float64]) -> list[int]:
    return [int(value) for value in np.diff(np.rint(values).astype(np.int64), prepend=0)]
