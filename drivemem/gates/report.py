"""What came of a scenario's gates: as JSON, as Markdown for its page, and for the terminal."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivemem.comparison.formats import cells, header
from drivemem.comparison.rows import Judged, Row, SuiteTable
from drivemem.comparison.statistics import Interval
from drivemem.errors import DrivememError
from drivemem.gates.arms import Budget
from drivemem.gates.verdicts import Finding, Gate, Verdict
from drivemem.runs import manifest, write_json_file
from drivemem.tables import Shown, Table
from drivemem_envs import Scenario

FORMAT = "drivemem-gates"
_HEADER = ("gate", "asks", "found", "verdict")
_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.NOT_RUN: "dim"}
"""Of a gate in a terminal."""


@dataclass(frozen=True)
class GatesReport(Shown):
    """What came of a scenario's gates."""

    scenario: Scenario
    budget: Budget
    folder: Path
    """With the runs, `gates.json` and `gates.md`."""
    findings: tuple[tuple[Gate, Finding], ...]
    """In the order of the gates."""
    table: SuiteTable | None
    """What all have reached that were driven; None: nobody was."""
    oracle: str | None = None
    """The driver that was asked for as the oracle; None: none was."""
    every: bool = False
    """Whether also what comes after a gate that was not passed was to be run."""

    @property
    def passed(self) -> bool:
        """Whether the scenario may judge memories: every gate is passed."""
        return all(finding.verdict is Verdict.PASS for _, finding in self.findings)

    @property
    def summary(self) -> str:
        """All of it in one line."""
        passed = sum(finding.verdict is Verdict.PASS for _, finding in self.findings)
        verdict = "may judge memories" if self.passed else "may not judge memories"
        return f"{self.scenario.name} {verdict}: {passed} of {len(self.findings)} gates are passed"

    @property
    def judged(self) -> Judged:
        """By what drivers are judged."""
        return Judged.SUCCESS if self.scenario.on_time_mps is None else Judged.ON_TIME

    @property
    def title(self) -> str:
        """What was asked, and how much it may cost."""
        budget, least = self.budget, self.scenario.on_time_mps
        by = self.judged.noun if least is None else f"{self.judged.noun} (at {least:g} m/s or more)"
        runs = f"{budget.seeds} training run{'s' if budget.seeds > 1 else ''} of each agent"
        return f"{self.scenario.name}: judged by {by}, {runs}, {budget.episodes} episodes each"

    @property
    def command(self) -> str:
        """The command that makes it again."""
        budget = self.budget
        words = ["drivemem", "gates", self.scenario.name, "--seeds", str(budget.seeds)]
        words += ["--episodes", str(budget.episodes)]
        words += [] if budget.preset is None else ["--preset", budget.preset]
        words += [] if self.oracle is None else ["--oracle", self.oracle]
        words += ["--all"] if self.every else []
        pairs = [f"{key}={json.dumps(value)}" for key, value in budget.settings.items()]
        return shlex.join([*words, *(["--set", *pairs] if pairs else [])])

    def to_json(self) -> dict[str, Any]:
        """What `gates.json` holds."""
        return {
            "format": FORMAT,
            "version": 1,
            "scenario": self.scenario.name,
            "scenario_hash": self.scenario.hash(),
            "judged": self.judged,
            "on_time_mps": self.scenario.on_time_mps,
            "seeds": self.budget.seeds,
            "episodes": self.budget.episodes,
            "command": self.command,
            "settings": dict(self.budget.settings),
            "preset": self.budget.preset,
            "passed": self.passed,
            "gates": self._gates(),
            "arms": self._arms(),
            "made_with": manifest("done"),
        }

    def to_markdown(self) -> str:
        """Tables for the page of the scenario."""
        lines = [f"**Gates.** {self.title} (`{self.command}`).", ""]
        lines += _markdown(_HEADER, self._rows())
        if self.table is not None:
            rows = [cells(self.table, row) for row in self.table.rows]
            lines += ["", *_markdown(header(self.table), rows)]
        return "\n".join([*lines, ""])

    def as_tables(self) -> list[Table]:
        """The gates, and what was reached in them."""
        colours = [_COLOURS[finding.verdict] for _, finding in self.findings]
        gates = Table(
            _HEADER, self._rows(), title=self.title, records=self._gates(), styles=colours
        )
        if self.table is None:
            return [gates]
        rows = [cells(self.table, row) for row in self.table.rows]
        title = "what they reached"
        return [gates, Table(header(self.table), rows, title=title, records=self._arms())]

    def _gates(self) -> list[dict[str, Any]]:
        return [
            {
                "gate": gate.name,
                "asks": gate.asks,
                "verdict": finding.verdict,
                "found": finding.words,
                "figures": {key: _limits(one) for key, one in finding.figures.items()},
            }
            for gate, finding in self.findings
        ]

    def _arms(self) -> list[dict[str, Any]]:
        return [] if self.table is None else [_reached(row) for row in self.table.rows]

    def write(self) -> None:
        """Write `gates.json` and `gates.md`.

        Raises:
            DrivememError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json_file(self.folder / "gates.json", self.to_json())
            (self.folder / "gates.md").write_text(self.to_markdown(), encoding="utf-8")
        except OSError as error:
            raise DrivememError(f"cannot write {self.folder}: {error}") from error

    def _rows(self) -> list[tuple[str, ...]]:
        return [(gate.name, gate.asks, one.words, one.verdict) for gate, one in self.findings]


def _reached(row: Row) -> dict[str, Any]:
    """What one arm reached, means over its runs with intervals."""
    return {
        "arm": row.members[0].name,
        "runs": row.runs,
        "success": _limits(row.success),
        "on_time": _limits(row.on_time),
        "by_run": [float(scores.mean()) for scores in row.scores],
        "collision": row.collision,
        "mean_speed": row.mean_speed,
        "travel_time_s": _limits(row.travel_s),
        "return": row.mean_return,
    }


def _limits(interval: Interval | None) -> list[float | None] | None:
    """Estimate and limits; None where something is not defined."""
    if interval is None:
        return None
    return [value if math.isfinite(value) else None for value in interval]


def _markdown(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return lines + ["| " + " | ".join(row).replace("\n", " ") + " |" for row in rows]
