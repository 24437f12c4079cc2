"""Episodes as MP4 or GIF, drawn by highway-env from a new simulation, a frame at a time."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from drivemem.errors import DrivememError
from drivemem.replay.gif import GifWriter
from drivemem.replay.load import EpisodeRow, Trace
from drivemem.replay.simulate import scenario_of

Frame = NDArray[np.uint8]
"""(H, W, 3)."""

LAYERS = ("truth", "sees", "remembers")
_BAR = 34
_GAP = 6
_HOLD_S = 1.2
"""How long the end of an episode stays, s."""
_COLOURS = {"success": (74, 222, 128), "collision": (248, 113, 113)}


class Writer(Protocol):
    """Takes frames one by one."""

    def write(self, frame: Frame) -> None:
        """Add a frame."""

    def close(self) -> None:
        """Finish the file."""


def write_video(
    traces: list[Trace],
    path: Path,
    *,
    layers: Collection[str] = LAYERS,
    speed: float = 1.0,
) -> Path:
    """Draw one episode, or the same episode of two drivers side by side.

    Args:
        traces: one or two recorded episodes.
        path: `.mp4` (extra `video`) or `.gif`; written at the end, in one go.
        layers: which of truth, sees, remembers to draw.
        speed: 1 is real time.

    Raises:
        DrivememError: another suffix, no PyAV, an unwritable folder, an unknown layer.
    """
    if not speed > 0.0:
        raise DrivememError(f"speed is {speed}; it must be above 0 (1 is real time)")
    unknown = [layer for layer in layers if layer not in LAYERS]
    if unknown:
        raise DrivememError(f"unknown layer '{unknown[0]}' (one of: {', '.join(LAYERS)})")
    frequency = int(scenario_of(traces[0].row).resolved_config()["simulation_frequency"])
    rate, every = _rate(frequency, speed)
    with _complete(path) as partial:
        writer = _writer(path, partial, rate)
        try:
            for number, frame in enumerate(side_by_side(traces, layers, frequency)):
                if number % every == 0:
                    writer.write(frame)
        finally:
            writer.close()
    return path


def side_by_side(traces: list[Trace], layers: Collection[str], frequency: int) -> Iterator[Frame]:
    """Frames of all panels together; a panel whose episode has ended keeps its last picture."""
    panels = [_panel(trace, layers) for trace in traces]
    last: list[Any] = [None] * len(panels)
    for frames in zip_longest(*panels):
        last = [new if new is not None else old for new, old in zip(frames, last, strict=True)]
        yield _join(last)
    for _ in range(int(_HOLD_S * frequency)):
        yield _join(last)


def _panel(trace: Trace, layers: Collection[str]) -> Iterator[Frame]:
    """An episode's frames, every simulation step one, with a caption."""
    import drivemem_envs
    from drivemem_envs.reference.viewer import SensorViewer

    env: Any = drivemem_envs.make(scenario_of(trace.row), render_mode="rgb_array").unwrapped
    try:
        env.reset(seed=trace.row.seed)
        size, scaling = _picture(env.config)
        try:
            env.viewer = SensorViewer(env, layers, size=size, scaling=scaling)  # type: ignore[arg-type]
        except RuntimeError as error:
            raise DrivememError(str(error)) from error
        between = _Between(env)
        period = 1.0 / env.config["simulation_frequency"]
        yield _captioned(between.picture(), trace.row, 0.0, env.vehicle.speed, False)
        for action in trace.actions:
            start = env.decisions * env.decision_s
            env.enable_auto_render = True  # highway-env: pictures between decisions, please
            *_, terminated, truncated, _ = env.step(action)
            pictures = [*between.taken(), (between.picture(), env.vehicle.speed)]
            ended = bool(terminated or truncated)
            for number, (picture, speed) in enumerate(pictures, 1):
                over = ended and number == len(pictures)
                yield _captioned(picture, trace.row, start + number * period, speed, over)
            if ended:
                return
    finally:
        env.close()


class _Between:
    """Catches the simulation's steps between two decisions, where a video wrapper would."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.frames_per_sec = 0.0
        self._pictures: list[tuple[Frame, float]] = []
        env.set_record_video_wrapper(self)

    def _capture_frame(self) -> None:
        self._pictures.append((self.picture(), self.env.vehicle.speed))

    def picture(self) -> Frame:
        """The world as it is now."""
        self.env.viewer.display()
        drawn: Frame = self.env.viewer.get_image()
        return drawn

    def taken(self) -> list[tuple[Frame, float]]:
        """The pictures since the last call."""
        pictures, self._pictures = self._pictures, []
        return pictures


def _picture(config: dict[str, Any]) -> tuple[tuple[int, int], float]:
    """Size and scale: highway-env's view, no lower than a video wants to be."""
    width, height = int(config["screen_width"]), int(config["screen_height"])
    return (max(width, 560), max(height, 220)), float(config["scaling"])


def _captioned(frame: Frame, row: EpisodeRow, time_s: float, speed: float, over: bool) -> Frame:
    from PIL import Image, ImageDraw

    height, width = frame.shape[:2]
    image = Image.new("RGB", (width, height + _BAR), (17, 20, 29))
    image.paste(Image.fromarray(frame), (0, _BAR))
    draw = ImageDraw.Draw(image)
    font = _font(17)
    label = row.driver if row.lesion in ("", "intact") else f"{row.driver} · {row.lesion}"
    draw.text((12, _BAR // 2), label, (255, 255, 255), font, anchor="lm")
    text = f"{time_s:4.1f} s   {speed * 3.6:3.0f} km/h"
    if over:
        text = f"{row.outcome.replace('_', ' ')}   {text}"
    colour = _COLOURS.get(row.outcome, (250, 204, 21)) if over else (190, 197, 214)
    draw.text((width - 12, _BAR // 2), text, colour, font, anchor="rm")
    if over:
        draw.rectangle((0, _BAR, width - 1, height + _BAR - 1), outline=colour, width=4)
    return np.asarray(image)


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _join(frames: list[Frame]) -> Frame:
    """Panels beside each other, or above each other if they are wide; even sizes for H.264."""
    wide = frames[0].shape[1] > 2 * frames[0].shape[0]
    axis, cross = (0, 1) if wide else (1, 0)
    most = max(frame.shape[cross] for frame in frames)
    parts: list[Frame] = []
    for number, frame in enumerate(frames):
        padding = [(0, 0), (0, 0), (0, 0)]
        padding[cross] = (0, most - frame.shape[cross])
        padding[axis] = (0, _GAP if number + 1 < len(frames) else 0)
        parts.append(np.pad(frame, padding, constant_values=17))
    whole = np.concatenate(parts, axis=axis)
    height, width = whole.shape[:2]
    return np.pad(whole, [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")


def _rate(frequency: int, speed: float) -> tuple[Fraction, int]:
    """Frames per second, and which frames to keep so that it stays at 60 or below."""
    wanted = Fraction(frequency) * Fraction(speed).limit_denominator(1000)
    every = max(1, -(-wanted // 60))
    return wanted / every, int(every)


@contextmanager
def _complete(path: Path) -> Iterator[Path]:
    """A temporary path beside the real one; it takes its place when all went well."""
    partial = path.with_name(f".{path.name}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise DrivememError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _writer(path: Path, partial: Path, rate: Fraction) -> Writer:
    if path.suffix == ".gif":
        return GifWriter(partial, rate)
    if path.suffix == ".mp4":
        return _Mp4Writer(partial, rate)
    raise DrivememError(f"'{path.suffix}' is no video that drivemem writes: use .mp4 or .gif")


class _Mp4Writer:
    """H.264 through PyAV; the encoder sees one frame at a time."""

    def __init__(self, path: Path, rate: Fraction) -> None:
        try:
            import av
        except ImportError as error:
            raise DrivememError(
                "MP4 needs the extra `video`: pip install 'drivemem[video]', or write a .gif"
            ) from error
        self._av = av
        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        self._rate = rate
        self._stream: Any = None

    def write(self, frame: Frame) -> None:
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=self._rate)
            self._stream.height, self._stream.width = frame.shape[:2]
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {"crf": "20", "preset": "veryfast"}
        picture = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        self._container.mux(self._stream.encode(picture))

    def close(self) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()
