"""What stands around the pictures of a video: names, captions, outcomes, a key to the colours."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Frame = NDArray[np.uint8]
"""(H, W, 3)."""

_BAR, _LINE, _KEY = 32, 26, 30
"""Heights of the strips with the driver's name, the caption and the key, pixels."""
_GAP = 6
_GROUND, _WHITE, _QUIET = (17, 20, 29), (255, 255, 255), (190, 197, 214)
_OUTCOMES = {"success": (74, 222, 128), "collision": (248, 113, 113)}
_OTHER = (250, 204, 21)
_HIDDEN, _GHOST, _SHADOW = (255, 138, 101), (190, 160, 255), (61, 63, 70)
_SHOWN = (176, 137, 38)


def titled(
    picture: Frame, label: str, caption: str, time_s: float, speed: float,
    outcome: str | None = None,
) -> Frame:  # fmt: skip
    """A picture under the driver's name and what happens.

    Args:
        picture: of the road.
        label: the driver.
        caption: a few words.
        time_s: since the episode began.
        speed: of the ego, m/s.
        outcome: how the episode ended, once it has.
    """
    height, width = picture.shape[:2]
    head = _BAR + _LINE
    image = Image.new("RGB", (width, height + head), _GROUND)
    image.paste(Image.fromarray(picture), (0, head))
    draw = ImageDraw.Draw(image)
    draw.text((12, _BAR // 2 + 2), label, _WHITE, _font(18), anchor="lm")
    clock = f"{time_s:4.1f} s   {speed * 3.6:3.0f} km/h"
    draw.text((width - 12, _BAR // 2 + 2), clock, _QUIET, _font(15), anchor="rm")
    colour = _OUTCOMES.get(outcome or "", _OTHER) if outcome else _QUIET
    at = (12, _BAR + _LINE // 2 - 2)
    draw.text(at, caption, colour, _font(17 if outcome else 15), anchor="lm")
    if outcome:
        draw.rectangle((0, head, width - 1, height + head - 1), outline=colour, width=5)
    return np.asarray(image)


def join(frames: list[Frame], wide: bool) -> Frame:
    """Panels beside each other, or above each other if they are wide; even sizes for H.264."""
    axis = 0 if wide else 1
    parts: list[Frame] = []
    for number, frame in enumerate(frames):
        padding = [(0, 0), (0, 0), (0, 0)]
        padding[axis] = (0, _GAP if number + 1 < len(frames) else 0)
        parts.append(np.pad(frame, padding, constant_values=17))
    whole = np.concatenate(parts, axis=axis)
    height, width = whole.shape[:2]
    return np.pad(whole, [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")


def with_key(frame: Frame, layers: Collection[str], decoded: bool) -> Frame:
    """A frame above the key to its colours."""
    strip = _key(frame.shape[1], tuple(sorted(layers)), decoded)
    return np.concatenate([frame, strip])


@lru_cache(maxsize=8)
def _key(width: int, layers: tuple[str, ...], decoded: bool) -> Frame:
    image = Image.new("RGB", (width, _KEY), _GROUND)
    draw = ImageDraw.Draw(image)
    entries = [("sees", "out of sight"), ("truth", "there, but not seen"),
               ("remembers", "as last seen or tracked"), ("shown", "what it is shown")]  # fmt: skip
    shown = [(kind, text) for kind, text in entries if kind in layers]
    if decoded and "remembers" in layers:
        shown.append(("memory", "where its memory places it"))
    x = 12
    for kind, text in shown:
        _swatch(draw, kind, x)
        draw.text((x + 26, _KEY // 2), text, _QUIET, _font(14), anchor="lm")
        x += 26 + int(draw.textlength(text, _font(14))) + 22
    return np.asarray(image)


def _swatch(draw: Any, kind: str, x: int) -> None:
    box = (x, 9, x + 18, 21)
    if kind == "sees":
        draw.rectangle(box, fill=_SHADOW)
    elif kind == "remembers":
        draw.rectangle(box, outline=_GHOST, fill=(86, 78, 110), width=2)
    elif kind == "shown":
        draw.rectangle(box, fill=_SHOWN)
    elif kind == "memory":
        draw.ellipse((x + 3, 9, x + 15, 21), outline=_WHITE, width=2)
    else:
        for left in range(x, x + 18, 6):
            draw.line((left, 9, left + 3, 9), _HIDDEN, 2)
            draw.line((left, 21, left + 3, 21), _HIDDEN, 2)
        for edge in (x, x + 18):
            draw.line((edge, 9, edge, 13), _HIDDEN, 2)
            draw.line((edge, 17, edge, 21), _HIDDEN, 2)


@lru_cache(maxsize=8)
def _font(size: int) -> Any:
    return ImageFont.load_default(size)
