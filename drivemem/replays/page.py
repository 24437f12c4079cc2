"""The replay page: one HTML file without network, written from `assets/` and a recording.

Recorded strings reach it as data only: JSON with `<` escaped, shown through textContent, under a
content security policy that lets nothing but the page's own script run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from drivemem.errors import DrivememError
from drivemem.replays.focus import box, focus
from drivemem.replays.load import EpisodeRow, Recording, Trace
from drivemem.replays.pack import blob, pack_road, pack_side
from drivemem.replays.places import pack_places
from drivemem.replays.shown import pack_extent
from drivemem.replays.simulate import scenario_of
from drivemem_agents.files import atomic_file
from drivemem_envs.sensing import TRACKERS

SCRIPTS = (
    "data.js",
    "shapes.js",
    "shown.js",
    "places.js",
    "scene.js",
    "plots.js",
    "stages.js",
    "app.js",
)
"""In the order in which they are joined into one script."""
MOST_EPISODES = 100
"""A page of more would be slow to write and tiresome to read."""


MOST_DRIVERS = 3
"""Side by side; the page has a colour for each."""


@dataclass(frozen=True)
class Around:
    """What a page says around its player."""

    kind: str
    """Class of the page's body, by which its style is told from a plain replay's."""
    title: str
    summary: str
    labels: tuple[str, ...]
    """What to call the drivers."""
    before: str
    """HTML above the player; whoever makes it has escaped it."""
    after: str
    """HTML below it."""
    style: str
    """CSS behind that of the player."""


def write_page(
    recording: Recording,
    path: Path,
    *,
    against: Recording | None = None,
    episode: int | None = None,
) -> Path:
    """Write a page with the episodes of a recording, beside those of another driver.

    Args:
        recording: what to show.
        path: the HTML file.
        against: another driver's recording; only episodes with common seeds are shown.
        episode: which to show first; None: the most telling one.

    Raises:
        DrivememError: no common seeds, an unknown scenario, an unwritable folder.
    """
    recordings = [recording] if against is None else [recording, against]
    matched = paired(*recordings)
    pairs = matched[:MOST_EPISODES]
    if episode is not None:
        wanted = recording.episode(episode)
        if not any(rows[0] == wanted for rows in pairs):
            pairs = [rows for rows in matched if rows[0] == wanted] + pairs[:-1]
    start = episode if episode is not None else most_telling(pairs)
    return save(page_of(recordings, pairs, start), path)


def page_of(
    recordings: Sequence[Recording],
    rows: Sequence[list[EpisodeRow]],
    start: int,
    around: Around | None = None,
) -> str:
    """The HTML of a page.

    Args:
        recordings: of at most `MOST_DRIVERS` drivers.
        rows: the episodes to show, as `paired` gives them.
        start: number of the one that is opened first.
        around: what else the page says; None: it is the player alone.

    Raises:
        DrivememError: an unknown scenario, or recordings that are damaged.
    """
    roads = _Roads()
    blobs = [
        blob(_episode([kept.trace(row) for kept, row in zip(recordings, each, strict=True)], roads))
        for each in rows
    ]
    return render(_about(rows, start, around), [blob(roads.packed), *blobs], around)


def save(text: str, path: Path) -> Path:
    """Write a page, atomically.

    Raises:
        DrivememError: the folder or the file cannot be written.
    """
    with complete(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


@contextmanager
def complete(path: Path) -> Iterator[Path]:
    """A temporary path beside the real one; it takes its place when all went well.

    Raises:
        DrivememError: the folder or the file cannot be written.
    """
    try:
        with atomic_file(path) as temporary:
            yield temporary
    except OSError as error:
        raise DrivememError(f"cannot write {path}: {error.strerror or error}") from error


def paired(*recordings: Recording) -> list[list[EpisodeRow]]:
    """The first recording's episodes, each with the others' of the same seed.

    Raises:
        DrivememError: different scenarios, or no seeds that all have.
    """
    first, *others = recordings
    for other in others:
        one, two = first.episodes[0].scenario, other.episodes[0].scenario
        if one != two:
            raise DrivememError(
                f"{first.folder} was recorded in {one}, {other.folder} in {two}: side by side "
                "needs one scenario"
            )
    rows = [{row.seed: row for row in kept.episodes} for kept in recordings]
    matched = [
        [by_seed[row.seed] for by_seed in rows]
        for row in first.episodes
        if all(row.seed in by_seed for by_seed in rows)
    ]
    if not matched:
        folders = " and ".join(str(kept.folder) for kept in recordings)
        raise DrivememError(
            f"{folders} have no episode seeds in common: evaluate them on one suite"
        )
    return matched


def most_telling(pairs: Sequence[list[EpisodeRow]]) -> int:
    """The episode to open with: one driver crashes and the other succeeds, else a crash."""

    def rank(rows: list[EpisodeRow]) -> tuple[int, int]:
        outcomes = [row.outcome for row in rows]
        crashes = outcomes.count("collision")
        split = len(set(outcomes)) > 1
        hidden = any(row.metrics.get("hidden_origin_collision") for row in rows)
        return (2 * bool(split and crashes and "success" in outcomes) + split, crashes + hidden)

    return max(pairs, key=rank)[0].episode


def labels_of(rows: list[EpisodeRow]) -> list[str]:
    """What to call the drivers of a pair, so that they differ where they can."""
    drivers = [_called(row) for row in rows]
    for names in (
        drivers,
        [_with(driver, row.lesion) for driver, row in zip(drivers, rows, strict=True)],
        [_with(driver, _behind(row.tracker)) for driver, row in zip(drivers, rows, strict=True)],
        [row.run for row in rows],
    ):
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({letter})" for name, letter in zip(drivers, "AB", strict=False)]


def _called(row: EpisodeRow) -> str:
    """A driver in words: agents, which alone were trained, are named by their memory."""
    if row.metrics.get("train_seed") is None:
        return row.driver
    name = "without memory" if row.driver == "none" else f"with memory: {row.driver}"
    return _with(name, _behind(row.tracker))


def _behind(tracker: str) -> str:
    return TRACKERS[tracker].title if tracker in TRACKERS and tracker != "none" else tracker


def render(about: dict[str, Any], blobs: list[str], around: Around | None = None) -> str:
    """The page's HTML.

    Args:
        about: what the page knows before it unpacks anything.
        blobs: the roads, then one for each episode, as `pack.blob` makes them.
        around: what else it says.
    """
    script = "\n".join(_asset(name) for name in SCRIPTS)
    style = _asset("page.css") + ("" if around is None else around.style)
    data = {"about": about, "blobs": blobs}
    kind = "replay" if around is None else around.kind
    filled = {
        "TITLE": html.escape(f"{about['scenario']} · drivemem {kind}"),
        "KIND": kind,
        "BEFORE": "" if around is None else around.before,
        "AFTER": "" if around is None else around.after,
        "POLICY": html.escape(
            f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        "STYLE": style,
        "DATA": as_inline_json(data),
        "SCRIPT": script,
    }
    page = _asset("page.html")
    # One pass: what is filled in is never searched for further marks.
    head, *parts = page.split("<!--{")
    out = [head]
    for part in parts:
        name, _, rest = part.partition("}-->")
        out += [filled[name], rest]
    return "".join(out)


def as_inline_json(value: Any) -> str:
    """JSON that cannot end the script element that holds it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _asset(name: str) -> str:
    return files("drivemem.replays").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _with(name: str, detail: str) -> str:
    return name if detail in ("", "none", "intact") else f"{name} · {detail}"


def _about(
    pairs: Sequence[list[EpisodeRow]], start: int, around: Around | None = None
) -> dict[str, Any]:
    first = pairs[0]
    labels = labels_of(first) if around is None else around.labels
    return {
        "scenario": first[0].scenario,
        "title": first[0].scenario if around is None else around.title,
        "summary": _summary(first[0]) if around is None else around.summary,
        "scrolls": around is not None,
        "drivers": [
            {"label": label, "run": row.run, "tracker": row.tracker, "lesion": row.lesion}
            for label, row in zip(labels, first, strict=True)
        ],
        "episodes": [
            {
                "episode": rows[0].episode,
                "seed": str(rows[0].seed),
                "outcomes": [row.outcome for row in rows],
                "duration": max(row.duration_s for row in rows),
            }
            for rows in pairs
        ],
        "start": start,
    }


def _summary(row: EpisodeRow) -> str:
    return str(scenario_of(row).summary)


class _Roads:
    """Roads of all episodes, each distinct one kept once."""

    def __init__(self) -> None:
        self.packed: list[Any] = []
        self._places: dict[str, int] = {}
        self._env: Any = None
        self._scenario: Any = None

    def place_of(self, row: EpisodeRow) -> int:
        """The index of an episode's road."""
        import drivemem_envs
        from drivemem_envs.reference.geometry import lane_shapes

        scenario = scenario_of(row)
        if self._env is None or scenario != self._scenario:
            self._env, self._scenario = drivemem_envs.make(scenario).unwrapped, scenario
        self._env.reset(seed=row.seed)
        road = pack_road(lane_shapes(self._env.road.network))
        key = json.dumps(road)
        if key not in self._places:
            self._places[key] = len(self.packed)
            self.packed.append(road)
        return self._places[key]

    @property
    def network(self) -> Any:
        """The road last asked for, as highway-env has it."""
        return self._env.road.network

    @property
    def lane_width(self) -> float:
        """Of the ego's lane on the road last asked for, m."""
        return float(self._env.vehicle.lane.width_at(0.0))


def _episode(traces: list[Trace], roads: _Roads) -> dict[str, Any]:
    from drivemem_envs.drivers.constant import action_labels

    row = traces[0].row
    scenario = scenario_of(row)
    labels, sensors = action_labels(scenario), scenario.sensors
    actors = focus(traces)
    view, road, lanes = box(traces, actors), roads.place_of(row), scenario.observation.lanes
    return {
        "dt": round(row.decision_s, 6),
        "road": road,
        "occluders": row.occluders.round(2).tolist(),
        "blockers": list(sensors.line_of_sight),
        "sectors": [sector.model_dump() for sector in sensors.reach],
        "view": [round(metres, 1) for metres in view],
        "wide": view.is_wide,
        "focus": list(actors),
        "extent": pack_extent(scenario, roads.lane_width),
        "places": pack_places(roads.network, traces[0]),
        "sides": [
            pack_side(trace, labels, roads.network, actors, lanes.range_m) for trace in traces
        ],
    }
