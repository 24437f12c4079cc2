"""What a study found, in plain words that its intervals allow and no others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drivemem.comparison.differences import Difference
from drivemem.comparison.statistics import MIN_RUNS, holm
from drivemem.comparison.tables import Row, SuiteTable
from drivemem_envs import registry

FRAMES = "frame_stack"
_KINDS = ("upper bound", "agent")


def agent_order(tables: Sequence[SuiteTable]) -> list[str]:
    """Labels of the trained agents: the memoryless first, full sensors last, by success between."""
    success: dict[str, list[float]] = {}
    place: dict[str, int] = {}
    for table in tables:
        for row in table.rows:
            if row.kind in _KINDS:
                success.setdefault(row.label, []).append(row.success.estimate)
                memoryless = row.members[0].first["driver"] == table.baseline
                place[row.label] = 2 if row.kind == "upper bound" else 0 if memoryless else 1
    return sorted(place, key=lambda label: (place[label], float(np.mean(success[label]))))


def with_agents(tables: Sequence[SuiteTable]) -> list[SuiteTable]:
    """The scenarios on which an agent was trained; on others only reference drivers drove."""
    return [table for table in tables if any(row.kind in _KINDS for row in table.rows)]


def _ceiling(table: SuiteTable) -> str:
    """The bound on memoryless drivers that a scenario proves, such as 1/3; else nothing."""
    if table.variant or table.scenario not in registry.scenario_names():
        return ""
    stated = registry.scenario(table.scenario).ceiling.partition(":")[0]
    return stated if stated.replace("/", "").isdigit() else ""


def headline_table(tables: Sequence[SuiteTable]) -> list[str]:
    """Success of every trained agent on every scenario, as Markdown."""
    labels = agent_order(tables)
    lines = [
        "| scenario | ceiling without memory | " + " | ".join(labels) + " |",
        "|---" * (len(labels) + 2) + "|",
    ]
    for table in tables:
        rows = {row.label: row for row in table.rows}
        cells = [_ceiling(table), *(_cell(rows.get(label)) for label in labels)]
        lines.append(f"| {table.title} | " + " | ".join(cells) + " |")
    runs = sorted({row.runs for table in tables for row in table.rows if row.kind in _KINDS})
    if runs:
        extent = str(runs[0]) if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
        lines += [
            "",
            f"Success on unseen episodes, the same for all agents: mean over {extent} training "
            "runs [95 % interval over runs]; a small number behind a cell tells its runs where "
            "they differ.",
        ]
        if len(runs) > 1:
            return lines
        return [line.replace(" <sub>" + str(runs[0]) + "</sub>", "") for line in lines[:-1]] + [
            lines[-1].partition("; a small number")[0] + "."
        ]
    return lines


def sentences(tables: Sequence[SuiteTable]) -> list[str]:
    """What each scenario says, and all together."""
    lines = _over_all(tables)
    for table in tables:
        lines += ["", f"### {table.title}", "", *_about(table)]
    return lines


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    value, low, high = row.success
    inside = f" [{low:.2f}, {high:.2f}]" if row.success.known and row.runs > 1 else ""
    return f"{value:.2f}{inside} <sub>{row.runs}</sub>"


def _over_all(tables: Sequence[SuiteTable]) -> list[str]:
    """How often each agent was better, worse, or neither, than the memoryless one."""
    counts: dict[str, dict[str, int]] = {}
    for table in tables:
        for row in table.rows:
            if row.kind == "agent" and row.versus:
                call = _call(row.versus)
                counts.setdefault(row.label, {}).setdefault(call, 0)
                counts[row.label][call] += 1
    lines = []
    for label, found in counts.items():
        parts = [f"{call} on {number}" for call, number in sorted(found.items())]
        lines.append(f"- **{label}** against the memoryless agent: {', '.join(parts)}.")
    if not lines:
        return ["There is no memoryless agent to compare others with yet."]
    scenarios = f"{len(tables)} scenario{'s' * (len(tables) > 1)}"
    return [
        f"Over {scenarios} ({MIN_RUNS} training runs on each side "
        "are the least that is called; p are corrected for the agents of a scenario):",
        "",
        *lines,
    ]


def _call(versus: str) -> str:
    for known in ("significantly better", "significantly worse", "no difference shown"):
        if known in versus:
            return known
    return "too few runs to call"


def _about(table: SuiteTable) -> list[str]:
    lines = [table.headline(), ""]
    for row in table.rows:
        if row.kind in _KINDS and row.versus:
            lines.append(f"- {row.label}: {row.versus}")
    lines += [f"- {text}" for text in _against_frames(table)]
    lines += [f"- {row.label}: {row.versus_intact} than whole" for row in _cuts(table)]
    beaten = [note for note in table.notes if "engineered" in note]
    return [*lines, *(f"- {note}" for note in beaten)]


def _against_frames(table: SuiteTable) -> list[str]:
    """Learned memories beside the frame stack, which remembers a few frames and nothing else."""
    agents = [row for row in table.rows if row.kind == "agent"]
    frames = next((row for row in agents if row.members[0].first["driver"] == FRAMES), None)
    if frames is None:
        return []
    memories = [
        row for row in agents if row.members[0].first["driver"] not in (FRAMES, table.baseline)
    ]
    generator = np.random.default_rng(0)
    differences = [Difference(row, frames, generator) for row in memories]
    adjusted = np.array([one.p for one in differences])
    defined = np.isfinite(adjusted)
    adjusted[defined] = holm(adjusted[defined])
    return [
        f"{row.label} against {frames.label}: {one.words(float(p))}"
        for row, one, p in zip(memories, differences, adjusted, strict=True)
    ]


def _cuts(table: SuiteTable) -> list[Row]:
    """Lesions that leave no memory at all, where they were made."""
    strongest = ("reset_every:1", "span:1", "stack:1")
    return [
        row
        for row in table.rows
        if row.kind == "lesion" and row.lesion in strongest and row.versus_intact
    ]


def cards(tables: Sequence[SuiteTable]) -> str:
    """How every driver ends the episodes of each scenario, as Markdown; no lesions."""
    lines = ["# Scenario cards", "", "Shares of unseen episodes, means over runs.", ""]
    for table in tables:
        lines += [f"## {table.title} ({table.episodes} episodes)", ""]
        lines += ["| driver | runs | success | collision | stuck, timeout | other | return |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for name, row in _shown(table):
            late = row.outcomes["stuck"] + row.outcomes["timeout"]
            lines.append(
                f"| {name} | {row.runs} | {row.success.estimate:.3f} | {row.collision:.3f} "
                f"| {late:.3f} | {row.other - late:.3f} | {row.mean_return:.2f} |"
            )
        lines.append("")
    return "\n".join(lines)


def _shown(table: SuiteTable) -> list[tuple[str, Row]]:
    """Rows of a card: reference drivers, of constant actions only the best, then agents."""
    rows = [row for row in table.rows if row.kind == "reference"]
    constant = [row for row in rows if row.label.startswith("constant:")]
    found = [(row.label, row) for row in rows if row not in constant]
    if constant:
        best = max(constant, key=lambda row: row.success.estimate)
        found.append((f"best constant ({best.label.removeprefix('constant:')})", best))
    return found + [(row.label, row) for row in table.rows if row.kind in _KINDS]
