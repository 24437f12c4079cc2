"""Views of drivers in recordings and on the page: they are what was shown, where it was."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem import evaluate
from drivemem.replays.load import Trace, find_recording
from drivemem.replays.page import write_page
from drivemem.replays.shown import pack_extent, pack_shown, views_of
from tests.drivemem.replays.test_page import ASSETS, data_of, unpacked

NAME = "seen-in-lanes-v0"
SCENARIO = drivemem_envs.scenario("highway-fast-v0").model_copy(
    update={
        "name": NAME,
        "observation": drivemem_envs.ObservationSpec(views=("rows", "grid", "lanes")),
        "config": {"lanes_count": 3, "vehicles_count": 12},
    }
)


def register() -> None:
    """Make the scenario known by name."""
    if NAME not in drivemem_envs.scenario_names():
        drivemem_envs.register_scenario(NAME, f"{__name__}:SCENARIO")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    register()
    home = tmp_path_factory.mktemp("seen")
    (done,) = evaluate(
        driver="idm", scenario=NAME, episodes=2, record="2", out=home, quiet=True, num_workers=1
    )
    assert done.recording is not None
    return done.recording


@pytest.fixture(scope="module")
def trace(recorded: Path) -> Trace:
    found = find_recording(recorded)
    return found.trace(found.episodes[0])


def observations(trace: Trace) -> list[dict[str, Any]]:
    """What the same episode shows when it is driven again, without its last state."""
    env = drivemem_envs.make_vec(SCENARIO, 1, backend="compiled", seeds=lambda *_: trace.row.seed)
    shown = [env.reset()[0]]
    shown += [env.step(np.array([action]))[0] for action in trace.actions[:-1]]
    env.close()
    return [{key: part[0] for key, part in one.items()} for one in shown]


def test_what_is_recorded_is_what_was_shown(trace: Trace) -> None:
    assert views_of(trace) == ["grid", "lanes"]
    shown = observations(trace)
    for step, one in enumerate(shown):
        for name in ("lanes", "ego"):
            told = np.asarray(trace.steps[name][step], dtype=np.float32)
            np.testing.assert_array_equal(told, one[name].ravel())
        grid = np.zeros((3, one["grid"][0].size), dtype=np.float32)
        cells = np.asarray(trace.steps["grid"][step], dtype=np.float32).reshape(-1, 4)
        grid[:, cells[:, 0].astype(int)] = cells[:, 1:].T
        np.testing.assert_array_equal(grid, one["grid"].reshape(3, -1))
    for name in ("grid", "lanes", "ego"):  # nothing is decided in the last state
        assert trace.steps[name][-1] is None


def test_rows_alone_are_not_drawn(recording: Path) -> None:
    found = find_recording(recording)
    trace = found.trace(found.episodes[0])
    assert views_of(trace) == []
    assert pack_shown(trace, 100.0) is None


def drawn(trace: Trace, step: int) -> list[list[float]]:
    """Rectangles (x, y, length, width) and ends of lines (x, y) that the page draws, m."""
    side = {
        "shown": pack_shown(trace, SCENARIO.observation.lanes.range_m),
        "ego": {
            "length": 5.0,
            "x": trace.steps["ego_x"].tolist(),
            "y": trace.steps["ego_y"].tolist(),
        },
    }
    script = f"""
        const {{ drawShown }} = require('./shown.js');
        const found = [], c = {{}};
        let at = [0, 0], turn = 0;
        for (const name of ['save', 'restore', 'beginPath', 'stroke', 'strokeRect', 'moveTo']) {{
          c[name] = () => 0;
        }}
        c.translate = (x, y) => (at = [x, y]);
        c.rotate = (angle) => (turn = angle);
        c.fillRect = (x, y, length, width) => found.push([at[0] + x, at[1] + y, length, width]);
        c.lineTo = (x, y) => found.push([at[0] + x, at[1] + y]);
        drawShown(c, {json.dumps(side)}, {json.dumps(pack_extent(SCENARIO, 4.0))}, {step}, 5,
          {{}});
        console.log(JSON.stringify({{ found, turn }}));
    """
    done = subprocess.run(
        ["node", "-e", script], cwd=ASSETS, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert abs(told["turn"]) < 1e-6  # the road is straight
    return list(told["found"])


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_views_are_drawn_where_cars_are(trace: Trace) -> None:
    shapes = drawn(trace, 4)
    cells = np.array(
        [shape for shape in shapes if len(shape) == 4 and shape[2] == 5.0 == 1 + shape[3]]
    )
    ends = np.array([shape for shape in shapes if len(shape) == 2])
    actors = trace.decisions[4]
    x, y = actors["x"][1:], actors["y"][1:]
    covers = (
        (cells[:, 0, None] < x) & (x < cells[:, 0, None] + cells[:, 2, None])
        & (cells[:, 1, None] < y) & (y < cells[:, 1, None] + cells[:, 3, None])
    )  # fmt: skip
    ahead = x - actors["x"][0]
    near = (ahead > -39.0) & (ahead < 79.0)
    assert near.sum() >= 3
    assert covers.any(axis=0)[near].all()
    assert len(cells) <= 4 * near.sum()
    assert len(ends) >= 4
    reaches = np.abs(ends[::2, 0] - actors["x"][0]) > 2.6  # not to one beside the ego
    assert reaches.any()
    for place in ends[::2][reaches]:  # a line ends at a bumper
        bumper = np.abs(np.abs(place[0] - x) - actors["length"][1:] / 2.0)
        assert ((bumper < 0.2) & (np.abs(place[1] - y) < 2.5)).any()


def test_the_page_offers_them_where_they_are(
    recorded: Path, recording: Path, tmp_path: Path
) -> None:
    page = write_page(find_recording(recorded), tmp_path / "page.html")
    episode = unpacked(data_of(page)["blobs"][1])
    assert episode["extent"]["grid"] == {
        "behind": 40.0, "across": 20.0, "cell": [5.0, 4.0], "cells": [24, 5],
    }  # fmt: skip
    assert episode["extent"]["lanes"] == {"side": 2, "width": 4.0}
    shown = episode["sides"][0]["shown"]
    assert {len(part) for part in shown.values()} == {len(episode["sides"][0]["steps"]["reward"])}
    other = write_page(find_recording(recording), tmp_path / "other.html")
    assert unpacked(data_of(other)["blobs"][1])["sides"][0]["shown"] is None
