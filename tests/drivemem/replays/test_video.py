from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from drivemem.errors import DrivememError
from drivemem.replays import replay
from drivemem.replays.gif import GifWriter
from drivemem.replays.load import Trace, find_recording
from drivemem.replays.video import write_video


def beginning(recording: Path, actions: int) -> Trace:
    """The first actions of a recording's first episode."""
    loaded = find_recording(recording)
    trace = loaded.trace(loaded.episodes[0])
    steps = {name: column[:actions] for name, column in trace.steps.items()}
    return Trace(trace.row, steps, trace.actors)


def test_a_gif_shows_every_simulation_step_in_real_time(recording: Path, tmp_path: Path) -> None:
    path = replay(recording, episode=0, video=tmp_path / "v.gif").video
    assert path is not None
    seconds = find_recording(recording).episodes[0].duration_s
    with Image.open(path) as gif:
        delays = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
        gif.seek(30)
        middle = np.asarray(gif.convert("RGB"))
    # 15 Hz, and the last picture held for 1.5 s.
    assert len(delays) == pytest.approx((seconds + 1.5) * 15, abs=2)
    assert sum(delays) / 1000 == pytest.approx(seconds + 1.5, abs=0.15)
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) > 10  # not black


def test_motion_is_smooth_between_decisions(recording: Path, tmp_path: Path) -> None:
    path = write_video([beginning(recording, 8)], tmp_path / "v.gif")
    with Image.open(path) as gif:
        frames = [np.asarray(f.convert("RGB"), dtype=int) for f in ImageSequence.Iterator(gif)]
    changes = [np.abs(b - a).sum() for a, b in pairwise(frames[:25])]
    assert min(changes) > 0


def test_two_drivers_are_side_by_side_until_the_longer_ends(
    recording: Path, other_recording: Path, tmp_path: Path
) -> None:
    av = pytest.importorskip("av")
    traces = [beginning(recording, 6), beginning(other_recording, 9)]
    path = write_video(traces, tmp_path / "v.mp4", speed=4.0)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [
            frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(stream)
        ]
        assert stream.width > 2 * 470 and stream.average_rate == 60
    # 3 frames for each of 9 decisions, the first one, and 1.5 s of the end.
    assert len(frames) == pytest.approx(9 * 3 + 1 + 90, abs=1)
    left, right = (
        np.abs(frames[27][:, half] - frames[20][:, half]).mean()
        for half in (slice(0, 470), slice(490, None))
    )
    assert left < right  # the left one has ended
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]


def test_replay_draws_the_same_episode_of_both(
    recording: Path, other_recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Trace] = []
    monkeypatch.setattr(
        "drivemem.replays.video.write_video", lambda traces, path, **_: drawn.extend(traces) or path
    )
    replay(recording, episode=1, against=other_recording, video=tmp_path / "v.gif")
    assert [(trace.row.seed, trace.row.driver) for trace in drawn] == [
        (5, "constant:FASTER"),
        (5, "constant:SLOWER"),
    ]


def test_layers_change_the_picture(recording: Path, tmp_path: Path) -> None:
    pictures = []
    for layers in (("truth", "sees", "remembers"), ("sees",), ()):
        path = write_video([beginning(recording, 3)], tmp_path / "v.gif", layers=layers, speed=8.0)
        with Image.open(path) as gif:
            pictures.append(np.asarray(gif.convert("RGB")))
    assert pictures[2].mean() > pictures[1].mean()  # no shadows
    assert not np.array_equal(pictures[1], pictures[0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("v.avi", {}, "use .mp4 or .gif"),
        ("v.gif", {"speed": 0.0}, "speed is 0.0"),
        ("v.gif", {"layers": ("thruth",)}, "unknown layer 'thruth'"),
    ],
)
def test_bad_wishes_are_one_line(
    recording: Path, tmp_path: Path, name: str, options: dict[str, object], message: str
) -> None:
    loaded = find_recording(recording)
    with pytest.raises(DrivememError, match=message):
        write_video([loaded.trace(loaded.episodes[0])], tmp_path / name, **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_video_driver_that_draws_black_is_refused(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with pytest.raises(DrivememError, match="SDL_VIDEODRIVER"):
        replay(recording, video=tmp_path / "v.gif")


def test_gif_frames_come_back_as_they_were_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colours = np.array([[0, 0, 0], [255, 255, 255], [200, 30, 30], [30, 200, 30]], dtype=np.uint8)
    frames = [np.kron(rng.integers(0, 4, (6, 8)), np.ones((8, 8), dtype=int)) for _ in range(4)]
    frames[2] = frames[1]  # nothing changes
    writer = GifWriter(tmp_path / "v.gif", Fraction(10))
    for frame in frames:
        writer.write(colours[frame])
    writer.close()
    with Image.open(tmp_path / "v.gif") as gif:
        shown = [np.asarray(f.convert("RGB"), dtype=int) for f in ImageSequence.Iterator(gif)]
        assert gif.info["loop"] == 0
    assert len(shown) == 4
    for frame, picture in zip(frames, shown, strict=True):
        assert np.abs(picture - colours[frame]).max() < 24  # the palette is shared
