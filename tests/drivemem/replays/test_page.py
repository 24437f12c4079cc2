from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivemem.errors import DrivememError
from drivemem.replays import replay
from drivemem.replays.load import find_recording
from drivemem.replays.page import SCRIPTS, as_inline_json, render, write_page
from drivemem_envs import Sensors

ASSETS = Path(replay.__code__.co_filename).parent / "assets"
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text()
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    assert found is not None
    return dict(json.loads(found[1]))


def unpacked(blob: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(blob)))


@pytest.fixture(scope="module")
def page(recording: Path, other_recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "deep" / "page.html"
    return write_page(find_recording(recording), target, against=find_recording(other_recording))


def test_the_page_needs_no_network_and_is_small(page: Path) -> None:
    text = page.read_text()
    assert "http://" not in text and "https://" not in text
    assert "default-src &#x27;none&#x27;" in text
    assert page.stat().st_size < 200_000
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]


def test_the_page_pairs_episodes_by_seed(page: Path) -> None:
    about = data_of(page)["about"]
    assert [driver["label"] for driver in about["drivers"]] == [
        "constant:FASTER",
        "constant:SLOWER",
    ]
    assert [episode["seed"] for episode in about["episodes"]] == ["6", "5"]
    assert about["episodes"][0]["outcomes"] == ["collision", "stuck"]
    # A crash against a success tells more; here a crash that the other avoids.
    assert about["start"] in (0, 1)


def test_the_page_knows_the_sectors_however_they_were_given(
    recorder: Callable[..., Path], tmp_path: Path
) -> None:
    given = [
        ({}, []),
        ({"range_m": 40.0}, [(0.0, 360.0, 40.0)]),
        ({"sectors": "0:60:80,180:50:inf"}, [(0.0, 60.0, 80.0), (180.0, 50.0, None)]),
    ]
    for number, (limits, sectors) in enumerate(given):
        sensors = Sensors(line_of_sight=("actors",), **limits).model_dump_json()
        folder = recorder(tmp_path / str(number), "constant:FASTER", [6], sensors=sensors)
        packed = unpacked(
            data_of(write_page(find_recording(folder), folder / "p.html"))["blobs"][1]
        )
        keys = ("centre_deg", "width_deg", "range_m")
        assert packed["sectors"] == [dict(zip(keys, one, strict=True)) for one in sectors]
        assert packed["blockers"] == ["actors"]


def test_what_is_packed_is_what_was_recorded(page: Path, recording: Path) -> None:
    loaded = find_recording(recording)
    trace = loaded.trace(loaded.episodes[0])
    roads, episode = (unpacked(blob) for blob in data_of(page)["blobs"][:2])
    assert len(roads) == 1 and episode["dt"] == pytest.approx(0.2)
    side = episode["sides"][0]
    ego = next(track for track in side["tracks"] if track["id"] == 0)
    own = trace.actors["id"] == 0
    assert np.cumsum(ego["x"]) / 100 == pytest.approx(trace.actors["x"][own], abs=0.0051)
    assert ego["crashed"] == trace.row.length
    for track in side["tracks"]:
        rows = trace.actors["id"] == track["id"]
        ages = np.cumsum(track["age_s"]) / 100
        wanted = trace.actors["age_s"][rows]
        assert np.where(ages < 0, np.inf, ages) == pytest.approx(wanted, abs=0.0051)
    assert side["steps"]["probs"][0] == [0.1, 0.1, 0.8]
    assert "value" not in episode["sides"][1]["steps"]  # nothing but NaN was recorded


def test_the_road_is_drawn_where_it_is(page: Path) -> None:
    road = unpacked(data_of(page)["blobs"][0])[0]
    xs = np.concatenate([np.cumsum(lane["left"][0]) for lane in road]) / 100
    assert xs.min() < -90 and xs.max() > 90  # 100 m of approach on each side
    assert {"striped", "continuous"} <= {line for lane in road for line in lane["lines"]}


def test_one_episode_can_be_asked_for(recording: Path, tmp_path: Path) -> None:
    target = write_page(find_recording(recording), tmp_path / "p.html", episode=1)
    assert data_of(target)["about"]["start"] == 1
    with pytest.raises(DrivememError, match="no episode 9"):
        write_page(find_recording(recording), tmp_path / "p.html", episode=9)


def test_without_common_seeds_or_scenario_nothing_is_side_by_side(
    recording: Path, recorder: Callable[..., Path], tmp_path: Path
) -> None:
    other = find_recording(recorder(tmp_path / "other", "constant:FASTER", [9]))
    with pytest.raises(DrivememError, match="no episode seeds in common"):
        write_page(find_recording(recording), tmp_path / "p.html", against=other)
    other = find_recording(recorder(tmp_path / "exit", "constant:IDLE", [6], "exit-recall-v0"))
    with pytest.raises(DrivememError, match="needs one scenario"):
        write_page(find_recording(recording), tmp_path / "p.html", against=other)


def test_an_unwritable_place_is_one_line(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DrivememError, match="cannot write"):
        write_page(find_recording(recording), tmp_path / "file" / "p.html")


def test_recorded_text_cannot_become_markup(recorder: Callable[..., Path], tmp_path: Path) -> None:
    folder = recorder(
        tmp_path / "r", "constant:FASTER", [6], outcome=HOSTILE, run=HOSTILE, lesion=HOSTILE
    )
    text = write_page(find_recording(folder), tmp_path / "p.html").read_text()
    assert "window.hacked" in text  # it is there, as data
    assert "<script>window" not in text and "<img" not in text
    assert text.count("</script>") == 2  # the data's and the page's own


def test_marks_of_the_template_in_data_are_not_filled_in() -> None:
    text = render({"scenario": "<!--{SCRIPT}-->"}, [])
    assert "&lt;!--{SCRIPT}--&gt;" in text
    assert json.loads(as_inline_json({"a": "<&>"})) == {"a": "<&>"}


def test_the_policy_lets_exactly_the_pages_own_script_run(page: Path) -> None:
    import hashlib

    text = page.read_text()
    script = text[text.rindex("<script>") + len("<script>") : text.rindex("</script>")]
    wanted = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{wanted}&#x27;" in text
    assert "innerHTML" not in script and "eval(" not in script


def test_replay_writes_beside_the_recording_by_default(recording: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(recording, folder)
    assert replay(folder).page == folder / "replay.html"
    assert (folder / "replay.html").exists()


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
class TestScripts:
    @staticmethod
    def run(script: str) -> str:
        done = subprocess.run(
            ["node", "-e", script], cwd=ASSETS, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @pytest.mark.parametrize("name", SCRIPTS)
    def test_scripts_parse(self, name: str) -> None:
        self.run(f"new (require('vm').Script)(require('fs').readFileSync('{name}', 'utf8'))")

    def test_between_decisions_a_car_goes_where_its_speed_takes_it(self) -> None:
        # A quarter circle of radius 10 m at 5 m/s, looked at every 0.5 s.
        script = """
            const { Track } = require('./data.js');
            const d = (v) => v.map((x, i) => Math.round(x) - Math.round(i ? v[i - 1] : 0));
            const a = [0, 1, 2, 3, 4].map((k) => k * 0.25);
            const all = (v) => d(a.map(() => v));
            const track = new Track({ id: 1, kind: 0, size: [5, 2], from: 3, crashed: -1,
              x: d(a.map((t) => 1000 * Math.sin(t))), y: d(a.map((t) => 1000 - 1000 * Math.cos(t))),
              heading: d(a.map((t) => 1000 * t)), speed: all(500), visible_fraction: all(10),
              age_s: all(0) });
            const pose = track.at(4.5, 0.5), t = 0.375;
            console.log(Math.hypot(pose.x - 10 * Math.sin(t), pose.y - 10 + 10 * Math.cos(t)),
              Math.abs(pose.heading - t), track.at(2.9, 0.5), track.at(7.1, 0.5));
        """
        off, turned, *outside = self.run(script).split()
        assert float(off) < 0.01 and float(turned) < 0.002
        assert outside == ["null", "null"]

    def test_shadows_cover_what_is_behind_the_box(self) -> None:
        script = """
            const { shadowOf } = require('./shapes.js');
            const shape = shadowOf(0, 0, [10, 0, 0, 2, 2]);
            const inside = (p) => shape.every((a, i) => { const b = shape[(i + 1) % shape.length];
              return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) >= 0; });
            console.log(inside([30, 0]), inside([30, 3]), inside([30, 4]), inside([5, 0]),
              shadowOf(10, 0.5, [10, 0, 0, 2, 2]));
        """
        # The near corners are at (9, +-1): at 30 m the shadow is 3.33 m wide on either side.
        assert self.run(script).split() == ["true", "true", "false", "false", "null"]
