"""Checksums of files: one that a file holds of itself, and those that a description holds.

A file whose format has room for a text, such as Parquet or safetensors, is written with `BLANK` in
it; `seal` then puts the checksum there. Files and descriptions from before checksums are read.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_MARK = b"sha256 of all the rest: "
_DIGITS = 64
BLANK = _MARK.decode() + "0" * _DIGITS
"""A text of this length is the place of a file's own checksum."""

VERSION = 2
"""Of descriptions; 1 had no checksums and is still read."""
SEAL = "sha256"
"""Key of the checksums: of each file by name, and under "" of the description itself."""


def seal(path: Path) -> None:
    """Put a file's checksum in the place of its `BLANK`.

    Raises:
        ValueError: it has none.
    """
    data = path.read_bytes()
    place = _place(data)
    if place is None:
        raise ValueError(f"{path} has no place for a checksum")
    with path.open("r+b") as file:
        file.seek(place)
        file.write(_own(data, place))


def has_changed(data: bytes) -> bool:
    """Whether a file's content is not what was sealed; False without a checksum."""
    place = _place(data)
    return place is not None and data[place : place + _DIGITS] != _own(data, place)


def digest(data: bytes) -> str:
    """SHA-256, as it stands in a description."""
    return hashlib.sha256(data).hexdigest()


def sealed(described: dict[str, Any], folder: Path, files: list[str]) -> dict[str, Any]:
    """A description with the checksums of a folder's files and its own."""
    sums = {name: digest((folder / name).read_bytes()) for name in sorted(files)}
    whole = {**described, SEAL: sums}
    return {**described, SEAL: {**sums, "": _of_description(whole)}}


def is_description_whole(described: dict[str, Any]) -> bool:
    """Whether a description is what was written; True without checksums."""
    if described.get("version") == 1:
        return True
    sums = described.get(SEAL)
    return isinstance(sums, dict) and sums.get("") == _of_description(described)


def changed_file(described: dict[str, Any], folder: Path) -> str | None:
    """Name of the first of a description's files that is not what was written, or is missing.

    Raises:
        OSError: one cannot be read.
    """
    sums = described.get(SEAL, {}) if described.get("version") != 1 else {}
    for name in filter(None, sums):
        path = folder / Path(name).name
        if not path.is_file() or digest(path.read_bytes()) != sums[name]:
            return str(name)
    return None


def _place(data: bytes) -> int | None:
    """Where the digits of a file's own checksum are."""
    found = data.rfind(_MARK)
    place = found + len(_MARK)
    return None if found < 0 or place + _DIGITS > len(data) else place


def _own(data: bytes, place: int) -> bytes:
    """The digits of a file's checksum: of all that is before and behind them."""
    rest = hashlib.sha256(data[:place])
    rest.update(data[place + _DIGITS :])
    return rest.hexdigest().encode()


def _of_description(described: dict[str, Any]) -> str:
    sums = {name: value for name, value in described[SEAL].items() if name}
    return digest(json.dumps({**described, SEAL: sums}, sort_keys=True).encode())
