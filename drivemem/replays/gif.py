"""GIFs written frame by frame: only what changed, in one palette, in constant memory.

Pillow's own animation writer keeps every frame until the end.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

_COLOURS = 255
_TRANSPARENT = 255
_LEAST_CENTISECONDS = 2
"""Browsers slow faster animations down."""


class GifWriter:
    """Writes an endless GIF.

    Args:
        path: the file.
        rate: frames per second; GIF knows hundredths of a second, the remainder is carried on.
    """

    def __init__(self, path: Path, rate: Fraction) -> None:
        self._file = path.open("wb")
        # Above 50 frames per second viewers fall back to 10: leave frames out.
        self._every = max(1, -(-rate * _LEAST_CENTISECONDS // 100))
        self._period = Fraction(100) / rate * self._every
        self._due = Fraction(0)
        self._written = 0
        self._count = 0
        self._palette: Any = None
        self._shown: NDArray[np.uint8] | None = None

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Add a frame (H, W, 3)."""
        self._count += 1
        if (self._count - 1) % int(self._every):
            return
        if self._palette is None:
            self._begin(frame)
        indexed = Image.fromarray(frame).quantize(palette=self._palette, dither=Image.Dither.NONE)
        pixels = np.asarray(indexed)
        self._due += self._period
        delay = round(self._due) - self._written
        self._written += delay
        if self._shown is None:
            self._image(pixels, (0, 0), delay)
        else:
            changed = pixels != self._shown
            rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
            top, bottom = (rows[0], rows[-1] + 1) if len(rows) else (0, 1)
            left, right = (columns[0], columns[-1] + 1) if len(columns) else (0, 1)
            part = (slice(top, bottom), slice(left, right))
            patch = np.where(changed[part], pixels[part], _TRANSPARENT).astype(np.uint8)
            self._image(patch, (int(left), int(top)), delay)
        self._shown = pixels

    def close(self) -> None:
        """Finish the file."""
        if self._palette is not None:
            self._file.write(b";")
        self._file.close()

    def _begin(self, frame: NDArray[np.uint8]) -> None:
        """Header and palette: the first frame's colours, and those that come later."""
        height, width = frame.shape[:2]
        sample = Image.fromarray(np.concatenate([frame, _later_colours(width)]))
        self._palette = sample.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2)
        colours = bytes(self._palette.getpalette() or b"")[: 3 * _COLOURS]
        self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0))
        self._file.write(colours.ljust(3 * 256, b"\0"))
        self._file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")

    def _image(self, pixels: NDArray[np.uint8], at: tuple[int, int], delay: int) -> None:
        height, width = pixels.shape
        # Keep what is shown (1 << 2); transparency is on.
        self._file.write(b"\x21\xf9\x04" + struct.pack("<BHBB", 0x05, delay, _TRANSPARENT, 0))
        self._file.write(b"," + struct.pack("<HHHHB", *at, width, height, 0))
        image = Image.fromarray(pixels)
        # Pillow's first block is an image descriptor of its own; the rest is the compressed data.
        for block in GifImagePlugin.getdata(image)[1:]:
            self._file.write(block)


def _later_colours(width: int) -> NDArray[np.uint8]:
    """Rows of colours that appear during an episode: states, outcomes, ghosts, shadows."""
    colours = [
        (50, 200, 0), (100, 200, 255), (255, 100, 100), (200, 200, 0), (255, 138, 101),
        (190, 160, 255), (74, 222, 128), (248, 113, 113), (250, 204, 21), (120, 230, 120),
        (16, 20, 34), (8, 10, 18), (61, 63, 70), (35, 38, 44), (255, 255, 255), (60, 60, 60),
    ]  # fmt: skip
    row = np.resize(np.repeat(np.array(colours, dtype=np.uint8), 8, axis=0), (width, 3))
    return np.repeat(row[None], 12, axis=0)
