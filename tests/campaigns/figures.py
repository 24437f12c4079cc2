"""What a campaign counts: inputs, how they ended, and the kinds of faults with an example each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

RIGHT, REFUSED, SLOW, FAULT = "right", "refused", "slow", "fault"
WAYS = (RIGHT, REFUSED, SLOW, FAULT)
"""Right numbers; refused in one line; stopped by the campaign's clock on a huge but sound input;
anything else."""


@dataclass
class Fault:
    """A kind of fault.

    Attributes:
        kind: what it has in common, such as the exception and where it was raised.
        input: the first input that showed it.
        seen: what came of that input.
        count: of inputs that showed it.
    """

    kind: str
    input: str
    seen: str
    count: int = 1


@dataclass
class Tally:
    """The count of one subject of a campaign.

    Attributes:
        part: of the campaign: settings, files, signals, limits, endurance.
        subject: what was put to the test.
        ways: how many inputs ended in each of `WAYS`.
        faults: by kind.
        measured: numbers of another kind, such as memory grown by.
    """

    part: str
    subject: str
    ways: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Fault] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._begun = time.monotonic()

    def add(self, way: str) -> None:
        """Count an input that did not show a fault."""
        self.ways[way] += 1
        self.seconds = time.monotonic() - self._begun

    def add_fault(self, kind: str, given: Any, seen: str) -> None:
        """Count an input that showed a fault."""
        self.add(FAULT)
        if kind in self.faults:
            self.faults[kind].count += 1
        else:
            self.faults[kind] = Fault(kind, short(given), short(seen))

    @property
    def inputs(self) -> int:
        """How many there were."""
        return sum(self.ways.values())

    def report(self) -> str:
        """Counts in one line, then a line for each kind of fault."""
        counts = ", ".join(f"{self.ways[way]} {way}" for way in WAYS)
        lines = [f"{self.part} / {self.subject}: {self.inputs} inputs, {counts}"]
        lines += [
            f"  {fault.count} x {fault.kind}\n    input: {fault.input}\n    seen: {fault.seen}"
            for fault in sorted(self.faults.values(), key=lambda fault: -fault.count)
        ]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "part": self.part, "subject": self.subject, "inputs": self.inputs,
            **{way: self.ways[way] for way in WAYS}, "measured": self.measured,
            "seconds": round(self.seconds, 1),
            "faults": [vars(fault) for fault in self.faults.values()],
        }  # fmt: skip


def short(value: Any, most: int = 600) -> str:
    """A value for people, its middle left out where it is long."""
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


def table(tallies: Sequence[Tally]) -> str:
    """All tallies as a Markdown table."""
    heads = ["part", "subject", "inputs", *WAYS, "seconds", "measured"]
    rows = [
        [
            tally.part, tally.subject, f"{tally.inputs:,}",
            *(f"{tally.ways[way]:,}" for way in WAYS), f"{tally.seconds:.0f}",
            ", ".join(f"{name} {value:g}" for name, value in tally.measured.items()),
        ]
        for tally in tallies
    ]  # fmt: skip
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows])
