"""Episodes as MP4 or GIF, drawn by highway-env from a new simulation, a frame at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from drivemem.errors import DrivememError, one_line
from drivemem.replays.captions import captions
from drivemem.replays.events import dark_steps
from drivemem.replays.focus import Box, box, focus
from drivemem.replays.frames import Frame, join, titled, with_key
from drivemem.replays.gif import GifWriter
from drivemem.replays.load import Trace
from drivemem.replays.page import complete, labels_of
from drivemem.replays.probed import DECODED
from drivemem.replays.shown import views_of
from drivemem.replays.simulate import scenario_of

_HOLD_S = 1.5
"""How long the end of an episode stays, s of the video."""
_WIDE, _SQUARE = (960, 190), (478, 400)
"""Sizes of one driver's picture, pixels."""
_MARGIN_M = 16.0
"""Ground around what a camera that stands still must show, m."""
_LEAST_PX_PER_M, _FOLLOWING_PX_PER_M = 3.0, 6.0
"""Where less were needed to show all, the camera goes along."""


def write_video(
    traces: list[Trace],
    path: Path,
    *,
    layers: Collection[str] | None = None,
    speed: float = 1.0,
) -> Path:
    """Draw one episode, or the same episode of two drivers side by side.

    Args:
        traces: one or two recorded episodes.
        path: `.mp4` (extra `video`) or `.gif`; written at the end, in one go.
        layers: which of truth, sees, remembers, shown to draw; None: all.
        speed: 1 is real time.

    Raises:
        DrivememError: another suffix, no PyAV, an unwritable folder, an unknown layer.
    """
    if not speed > 0.0:
        raise DrivememError(f"speed is {speed}; it must be above 0 (1 is real time)")
    from drivemem_envs.reference.viewer import LAYERS

    shown = LAYERS if layers is None else layers
    frequency = int(scenario_of(traces[0].row).resolved_config()["simulation_frequency"])
    rate, every = _rate(frequency, speed)
    with complete(path) as partial:
        writer = _writer(path, partial, rate)
        try:
            for number, frame in enumerate(side_by_side(traces, shown)):
                if number % every == 0:
                    last = frame
                    writer.write(frame)
            for _ in range(round(_HOLD_S * rate)):
                writer.write(last)
        finally:
            writer.close()
    return path


def side_by_side(traces: list[Trace], layers: Collection[str]) -> Iterator[Frame]:
    """Frames of all panels together; a panel whose episode has ended keeps its last picture."""
    actors = focus(traces)
    view = box(traces, actors)
    labels = labels_of([trace.row for trace in traces])
    panels = [
        _panel(trace, layers, actors, view, label)
        for trace, label in zip(traces, labels, strict=True)
    ]
    decoded = any(DECODED[0] in trace.actors for trace in traces)
    keys = [layer for layer in layers if layer != "shown" or any(map(views_of, traces))]
    last: list[Any] = [None] * len(panels)
    for frames in zip_longest(*panels):
        last = [new if new is not None else old for new, old in zip(frames, last, strict=True)]
        yield with_key(join(last, view.is_wide), keys, decoded)


def _panel(
    trace: Trace, layers: Collection[str], actors: tuple[int, ...], view: Box, label: str
) -> Iterator[Frame]:
    """An episode's frames, every simulation step one, with name and caption."""
    import drivemem_envs
    from drivemem.replays.drawing import ReplayViewer

    scenario = scenario_of(trace.row)
    scenario = scenario.with_(views=("rows", *views_of(trace)))
    env: Any = drivemem_envs.make(scenario, render_mode="rgb_array").unwrapped
    try:
        env.reset(seed=trace.row.seed)
        size = _WIDE if view.is_wide else _SQUARE
        scaling, still = _camera(view, size)
        with one_line(ValueError, RuntimeError):
            env.viewer = ReplayViewer(env, layers, trace, actors, size, scaling, still)
        between = _Between(env)
        period = 1.0 / env.config["simulation_frequency"]
        told = captions(trace, actors, dark_steps(trace).tolist())
        yield titled(between.picture(), label, told[0], 0.0, env.vehicle.speed)
        for step, action in enumerate(trace.actions):
            start = env.decisions * env.decision_s
            env.enable_auto_render = True  # highway-env: pictures between decisions, please
            *_, terminated, truncated, _ = env.step(action)
            pictures = [*between.taken(), (between.picture(), env.vehicle.speed)]
            ended = bool(terminated or truncated)
            for number, (picture, speed) in enumerate(pictures, 1):
                over = ended and number == len(pictures)
                words = told[step + (number == len(pictures))]
                yield titled(
                    picture, label, words, start + number * period, speed,
                    trace.row.outcome if over else None,
                )  # fmt: skip
            if ended:
                return
    finally:
        env.close()


def _camera(view: Box, size: tuple[int, int]) -> tuple[float, Box | None]:
    """Pixels per metre, and what the camera shows if it stands still."""
    width, height = (
        view.right - view.left + _MARGIN_M,
        view.bottom - view.top + _MARGIN_M,
    )
    fits = min(size[0] / width, size[1] / height)
    if fits < (_FOLLOWING_PX_PER_M if view.is_wide else _LEAST_PX_PER_M):
        return _FOLLOWING_PX_PER_M, None
    return min(fits, 8.0), view


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


def _rate(frequency: int, speed: float) -> tuple[Fraction, int]:
    """Frames per second, and which frames to keep so that it stays at 60 or below."""
    wanted = Fraction(frequency) * Fraction(speed).limit_denominator(1000)
    every = max(1, -(-wanted // 60))
    return wanted / every, int(every)


def _writer(path: Path, partial: Path, rate: Fraction) -> GifWriter | _Mp4Writer:
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
                "MP4 needs PyAV: pip install av (the extra `video`), or write a .gif"
            ) from error
        self._av = av
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
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
