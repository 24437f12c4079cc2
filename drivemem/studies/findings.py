"""What a study found, in plain words that its intervals allow and no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from drivemem.comparison.ceilings import ceiling_of
from drivemem.comparison.differences import differences
from drivemem.comparison.formats import ON_TIME, TRAVEL_TIME, TextColumn
from drivemem.comparison.rows import About, Call, Row, SuiteTable
from drivemem.comparison.statistics import MIN_RUNS
from drivemem.lesions import split_lesion

FRAMES = "frame_stack"
CONSTANT = "constant"


def agent_order(tables: Sequence[SuiteTable]) -> list[str]:
    """Labels of the trained agents: the baseline first, full sensors last, by score between."""
    score: dict[str, list[float]] = {}
    place: dict[str, int] = {}
    for table in tables:
        for row in table.rows:
            if row.is_trained:
                score.setdefault(row.label, []).append(row.score.estimate)
                agent = 0 if table.is_baseline(row) else 1
                place[row.label] = 2 if row.kind == "upper bound" else agent
    return sorted(place, key=lambda label: (place[label], float(np.mean(score[label]))))


def with_agents(tables: Sequence[SuiteTable]) -> list[SuiteTable]:
    """The scenarios on which an agent was trained; on others only reference drivers drove."""
    return [table for table in tables if any(row.is_trained for row in table.rows)]


def headline_table(tables: Sequence[SuiteTable]) -> list[str]:
    """Success of every trained agent on every scenario, as Markdown."""
    labels = agent_order(tables)
    runs = sorted({row.runs for table in tables for row in table.rows if row.is_trained})
    lines = [
        "| scenario | ceiling without memory | " + " | ".join(labels) + " |",
        "|---" * (len(labels) + 2) + "|",
    ]
    for table in tables:
        rows = {row.label: row for row in table.rows}
        ceiling = ceiling_of(table)
        cells = ["" if ceiling is None else ceiling.fraction]
        cells += [_cell(rows.get(label), len(runs) > 1) for label in labels]
        lines.append(f"| {table.judged_title} | " + " | ".join(cells) + " |")
    if not runs:
        return lines
    extent, told = str(runs[0]), ""
    if len(runs) > 1:
        extent += f" to {runs[-1]}"
        told = "; a small number behind a cell tells its runs where they differ"
    return [
        *lines, "",
        f"Success on unseen episodes, the same for all agents: mean over {extent} training runs "
        f"[95 % interval over runs]{told}.",
    ]  # fmt: skip


def sentences(tables: Sequence[SuiteTable]) -> list[str]:
    """What each scenario says, and all together."""
    lines = _over_all(tables)
    for table in tables:
        lines += ["", f"### {table.title}", "", *_about(table)]
    return lines


def _cell(row: Row | None, tells_runs: bool) -> str:
    if row is None:
        return ""
    value, low, high = row.score
    inside = f" [{low:z.2f}, {high:z.2f}]" if row.score.known and row.runs > 1 else ""
    return f"{value:z.2f}{inside}" + (f" <sub>{row.runs}</sub>" if tells_runs else "")


def _over_all(tables: Sequence[SuiteTable]) -> list[str]:
    """How often each agent was better, worse, or neither, than the baseline."""
    noun = tables[0].baseline.noun if tables else "baseline"
    counts: dict[str, Counter[Call]] = {}
    for table in tables:
        for row in table.rows:
            if row.kind == "agent" and row.versus:
                counts.setdefault(row.label, Counter())[row.versus.call] += 1
    lines = []
    for label, found in counts.items():
        parts = [f"{call} on {number}" for call, number in sorted(found.items())]
        lines.append(f"- **{label}** against the {noun}: {', '.join(parts)}.")
    if not lines:
        return [f"There is no {noun} to compare others with yet."]
    scenarios = f"{len(tables)} scenario{'s' * (len(tables) > 1)}"
    return [
        f"Over {scenarios} ({MIN_RUNS} training runs on each side "
        "are the least that is called; p are corrected for the agents of a scenario):",
        "",
        *lines,
    ]


def _about(table: SuiteTable) -> list[str]:
    lines = [table.headline(), ""]
    for row in table.rows:
        if row.is_trained and row.versus:
            lines.append(f"- {row.label}: {row.versus.words}")
    lines += [f"- {text}" for text in _against_frames(table)]
    lines += [f"- {text}" for text in _against_intact(table)]
    told = (About.BASELINE, About.UNLIKE, About.TRACKER)
    return [*lines, *(f"- {note.text}" for note in table.notes if note.about in told)]


def _against_frames(table: SuiteTable) -> list[str]:
    """Learned memories beside the frame stack, which remembers a few frames and nothing else."""
    agents = [row for row in table.rows if row.kind == "agent" and not row.apart]
    frames = next((row for row in agents if row.driver == FRAMES), None)
    if frames is None:
        return []
    memories = [row for row in agents if row.driver != FRAMES and not table.is_baseline(row)]
    found = differences([(row, frames) for row in memories], np.random.default_rng(0))
    return [
        f"{row.label} against {frames.label}: {one.words}"
        for row, one in zip(memories, found, strict=True)
    ]


def _against_intact(table: SuiteTable) -> list[str]:
    """Lesions that leave no memory at all, where they were made."""
    return [
        f"{row.label} against {row.intact}: {row.versus_intact.words}"
        for row in table.rows
        if row.cut is not None
        and row.versus_intact is not None
        and split_lesion(row.lesion)[1] == row.cut.erases != ""
    ]


def _late(row: Row) -> float:
    """Share of episodes that ended without harm and without success."""
    return row.outcomes["stuck"] + row.outcomes["timeout"]


_CARD = (
    TextColumn("runs", lambda row: str(row.runs)),
    TextColumn("success", lambda row: f"{row.success.estimate:z.3f}"),
    ON_TIME._replace(name="on time", text=lambda row: f"{row.score.estimate:z.3f}"),
    TextColumn("collision", lambda row: f"{row.collision:z.3f}"),
    TextColumn("stuck, timeout", lambda row: f"{_late(row):z.3f}"),
    TextColumn("other", lambda row: f"{row.other - _late(row):z.3f}"),
    TextColumn("return", lambda row: f"{row.mean_return:z.2f}"),
    TextColumn("speed m/s", lambda row: f"{row.mean_speed:.1f}"),
    TRAVEL_TIME,
)


def cards(tables: Sequence[SuiteTable]) -> str:
    """How every driver ends the episodes of each scenario, as Markdown; no lesions."""
    lines = ["# Scenario cards", "", "Shares of unseen episodes, means over runs.", ""]
    for table in tables:
        lines += [f"## {table.title} ({table.episodes} episodes)", ""]
        shown = [column for column in _CARD if column.is_shown(table)]
        lines += [f"| driver | {' | '.join(column.name for column in shown)} |"]
        lines += ["|---" * (1 + len(shown)) + "|"]
        lines += [
            f"| {name} | {' | '.join(column.text(row) for column in shown)} |"
            for name, row in _shown(table)
        ]
        lines.append("")
    return "\n".join(lines)


def _shown(table: SuiteTable) -> list[tuple[str, Row]]:
    """Rows of a card: reference drivers, of constant actions only the best, then agents."""
    rows = [row for row in table.rows if row.kind == "reference"]
    actions = {row.label: row.driver.partition(":") for row in rows}
    constant = [row for row in rows if actions[row.label][0] == CONSTANT]
    found = [(row.label, row) for row in rows if row not in constant]
    if constant:
        best = max(constant, key=lambda row: row.success.estimate)
        found.append((f"best constant ({actions[best.label][2]})", best))
    return found + [(row.label, row) for row in table.rows if row.is_trained]
