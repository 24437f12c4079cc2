"""Runs that were made readable (`drivemem distill RUN --to machine|tree`), for the report."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivemem.comparison.collect import StoredEvaluation, bare
from drivemem.comparison.rows import SuiteTable
from drivemem.errors import DrivememError
from drivemem.lesions import INTACT
from drivemem.runs import NUMBER, read_json

_PNG = b"\x89PNG\r\n\x1a\n"
_NUMBERS = ("agreement", "commonest", "success", "agents_success", "size")
_KINDS = {"machine": ("state", "states"), "tree": ("leaf", "leaves")}


@dataclass(frozen=True)
class Readable:
    """A run as a machine or a tree, and how true that is to it."""

    label: str
    seed: int | None
    what: str
    """Such as `machine of 16 states`."""
    agreement: float
    """Share of the run's decisions for which it names the same action."""
    commonest: float
    """The same of always naming the run's commonest action."""
    success: float
    """When it drives itself."""
    agents_success: float
    told: str
    """What its states tell of what is hidden while it is, and for how many facts there is one."""
    picture: str | None
    """A data URI."""


def readable_runs(table: SuiteTable) -> list[Readable]:
    """What runs of a suite's own scenario were made into; only the first of an agent has a picture.

    Args:
        table: of the suite.
    """
    found: list[Readable] = []
    seen: set[Path] = set()
    pictured: set[str] = set()
    for one in (one for row in table.rows for one in row.members):
        own = one.trained_on == bare(one.suite["scenario"]) and one.first["lesion"] == INTACT
        if not own or one.run.folder in seen:
            continue
        seen.add(one.run.folder)
        for kind, parts in _KINDS.items():
            made = _read(one, kind, parts, one.label() not in pictured)
            if made is not None:
                found.append(made)
                pictured |= {made.label} if made.picture else set()
    return found


def _read(
    one: StoredEvaluation, kind: str, parts: tuple[str, str], pictured: bool
) -> Readable | None:
    folder = one.run.folder / kind
    if not (folder / f"{kind}.json").is_file():
        return None
    try:
        facts = read_json(folder / f"{kind}.json", **dict.fromkeys(_NUMBERS, NUMBER))
        agreement, commonest, success, agents, size = (facts[name] for name in _NUMBERS)
    except (DrivememError, KeyError):
        return None  # damaged: made again in seconds
    what = f"{kind} of {size:g} {parts[size != 1]}"
    picture = _picture(folder / f"{kind}.png") if pictured else None
    return Readable(
        one.label(), one.first["train_seed"], what, agreement, commonest, success, agents,
        _told(facts), picture,
    )  # fmt: skip


def _told(facts: dict[str, Any]) -> str:
    names = ("told_bits", "fact_bits", "branches", "facts")
    told, most, branches, count = (facts.get(name) for name in names)
    if not all(isinstance(each, int | float) for each in (told, most, branches, count)):
        return ""
    return f"{told:.2f} of {most:.2f} bits; {branches} of {count} facts have states of their own"


def _picture(file: Path) -> str | None:
    try:
        content = file.read_bytes()
    except OSError:
        return None
    if not content.startswith(_PNG):
        return None
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
