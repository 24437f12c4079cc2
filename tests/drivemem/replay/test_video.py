from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from drivemem.errors import DrivememError
from drivemem.replay import replay
from drivemem.replay.gif import GifWriter
from drivemem.replay.load import find_recording
from drivemem.replay.video import write_video


def test_a_gif_shows_every_simulation_step_in_real_time(recording: Path, tmp_path: Path) -> None:
    path = replay(recording, episode=0, video=tmp_path / "v.gif").video
    assert path is not None
    seconds = find_recording(recording).episodes[0].duration_s
    with Image.open(path) as gif:
        delays = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
        gif.seek(30)
        middle = np.asarray(gif.convert("RGB"))
    # 15 Hz, and the last picture held for 1.2 s.
    assert len(delays) == pytest.approx((seconds + 1.2) * 15, abs=2)
    assert sum(delays) / 1000 == pytest.approx(seconds + 1.2, abs=0.15)
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) > 10  # not black


def test_motion_is_smooth_between_decisions(recording: Path, tmp_path: Path) -> None:
    path = replay(recording, episode=0, video=tmp_path / "v.gif").video
    with Image.open(path) as gif:  # type: ignore[arg-type]
        frames = [np.asarray(f.convert("RGB"), dtype=int) for f in ImageSequence.Iterator(gif)]
    changes = [np.abs(b - a).sum() for a, b in zip(frames[:30], frames[1:31], strict=True)]
    assert min(changes) > 0


def test_two_drivers_are_side_by_side_until_the_longer_ends(
    recording: Path, other_recording: Path, tmp_path: Path
) -> None:
    av = pytest.importorskip("av")
    path = replay(
        recording, episode=0, against=other_recording, video=tmp_path / "v.mp4", speed=4.0
    ).video
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        count = sum(1 for _ in container.decode(stream))
        seconds = count / stream.average_rate
        assert stream.width > 2 * 560 and stream.average_rate == 60
    longer = find_recording(other_recording).episodes[0].duration_s
    assert float(seconds) == pytest.approx((longer + 1.2) / 4.0, rel=0.1)
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]


def test_layers_change_the_picture(recording: Path, tmp_path: Path) -> None:
    loaded = find_recording(recording)
    trace = loaded.trace(loaded.episodes[0])
    pictures = []
    for layers in (("truth", "sees", "remembers"), ("sees",), ()):
        path = write_video([trace], tmp_path / "v.gif", layers=layers, speed=8.0)
        with Image.open(path) as gif:
            pictures.append(np.asarray(gif.convert("RGB")))
    assert not np.array_equal(pictures[0], pictures[1])
    assert pictures[2].mean() > pictures[1].mean()  # no shadows


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
