"""Reports show what edits and plasticity found, of the scene that they were found in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivemem.comparison import compare_runs
from drivemem.comparison.edited import edit_figure, edited
from drivemem.comparison.plasticity import layer_activity, plasticity_figure
from drivemem.episodes import write_table
from drivemem.runs import read_json, write_json_file
from drivemem.schemas import (
    EDIT_OUTCOME,
    EDIT_READ,
    EDITS,
    FOLLOWS_KIND,
    FOLLOWS_TELLING,
    PROBES,
)

Write = Callable[..., Path]
HEADINGS = (
    "Whether the agent goes by what its memory holds",
    "How much of the networks is at work",
)


def put_edit(
    run: Path, shares: dict[str, tuple[float, float]], *, target: str = "latent",
    lesion: str = "intact", episodes: int = 20,
) -> Path:  # fmt: skip
    """An edit of a run: for each measure its share with the edit and with the control."""
    evaluation = f"test-{lesion.replace(':', '-')}"
    folder = run / "edits" / f"{evaluation}-{target.replace(' ', '-')}"
    about = {
        "run": run.name, "driver": "gru", "lesion": lesion, "scenario": "exit-recall-easy-v0",
        "target": target, "after_s": 1.0, "low": 0.0, "high": 1.0, "episodes": episodes,
    }  # fmt: skip
    rows = [
        {**about, "measure": measure, "arm": arm, "estimate": value}
        for measure, values in shares.items()
        for arm, value in zip(("edit", "control"), values, strict=True)
    ]
    write_table(folder / "effects.parquet", EDITS, rows)
    shutil.copy(run / "evaluations" / evaluation / "suite.json", folder / "suite.json")
    return folder


def put_plasticity(run: Path, ranks: dict[str, float], dormant: float = 0.0) -> Path:
    """A probe of a run: the effective rank of each layer."""
    folder = run / "probes" / "test-intact"
    rows: list[dict[str, Any]] = [
        {
            "run": run.name, "driver": "gru", "lesion": "intact",
            "scenario": "exit-recall-easy-v0", "layer": layer, "units": 16, "dormant": dormant,
            "feature_rank": 9, "effective_rank": rank, "decisions": 99,
        }
        for layer, rank in ranks.items()
    ]  # fmt: skip
    write_table(folder / "plasticity.parquet", PROBES["plasticity"], rows)
    shutil.copy(run / "evaluations" / "test-intact" / "suite.json", folder / "suite.json")
    return folder


@pytest.fixture
def runs(write: Write, tmp_path: Path) -> Path:
    """Two runs of a gru and one of an lstm, evaluated."""
    for seed in (0, 1):
        write(f"gru-s{seed}", "SSSC", memory="gru", seed=seed)
    write("lstm-s0", "SSCC", memory="lstm")
    write("none-s0", "SCCC")
    return tmp_path / "runs"


def test_edits_of_an_agents_runs_are_averaged(runs: Path) -> None:
    for seed, share in ((0, 1.0), (1, 0.8)):
        shares = {EDIT_READ: (1.0, 0.0), FOLLOWS_TELLING: (share, 0.1), EDIT_OUTCOME: (0.5, 0.05)}
        put_edit(runs / f"gru-s{seed}", shares)
    put_edit(runs / "lstm-s0", {FOLLOWS_KIND: (0.25, 0.0), EDIT_OUTCOME: (0.2, 0.0)})
    (table,) = compare_runs([runs]).tables
    gru, lstm = sorted(edited(table), key=lambda one: one.label)
    assert (gru.label, gru.target, gru.after_s, gru.runs) == ("gru", "latent", 1.0, 2)
    follows = gru.follows["edit"]
    assert follows.estimate == pytest.approx(0.9) and 0.0 <= follows.low < 0.9 < follows.high <= 1.0
    assert gru.follows["control"].estimate == pytest.approx(0.1)
    assert gru.differs["edit"].estimate == pytest.approx(0.5)
    assert lstm.runs == 1 and lstm.reads == {}
    assert lstm.follows["edit"].estimate == 0.25
    assert lstm.follows["edit"].low == pytest.approx(0.112, abs=1e-3), "Wilson's, of 5 of 20"
    figure = edit_figure(table, [gru, lstm])
    assert figure is not None and 'role="img" aria-label="Share of episodes' in figure.svg
    assert "gru" in figure.svg and "lstm" in figure.svg and "latent, 1 s" in figure.caption
    assert "gru: edit 0.9, control 0.1. lstm: edit 0.25, control 0." in figure.svg, "in words"


def test_a_quantity_has_a_row_and_no_figure(runs: Path) -> None:
    put_edit(runs / "gru-s0", {EDIT_OUTCOME: (0.5, 0.0)}, target="speed")
    (table,) = compare_runs([runs]).tables
    (one,) = edited(table)
    assert one.follows == {} and one.differs["edit"].estimate == 0.5
    assert edit_figure(table, [one]) is None


def test_an_edit_of_a_lesion_is_its_own(write: Write, runs: Path) -> None:
    for lesion, share in (("noise:0.1", 0.2), ("noise:0.5", 0.6)):
        write("gru-s0", "SSCC", memory="gru", lesion=lesion)
        put_edit(runs / "gru-s0", {FOLLOWS_KIND: (share, 0.0)}, lesion=lesion)
    (table,) = compare_runs([runs]).tables
    found = {one.label: one.follows["edit"].estimate for one in edited(table)}
    assert found == {"gru / noise:0.1": 0.2, "gru / noise:0.5": 0.6}


def test_layers_have_intervals_over_runs(runs: Path) -> None:
    put_plasticity(runs / "gru-s0", {"encoder": 4.0, "memory": 8.0})
    put_plasticity(runs / "gru-s1", {"encoder": 4.0, "memory": 10.0}, dormant=0.5)
    put_plasticity(runs / "lstm-s0", {"encoder": 3.0})
    (table,) = compare_runs([runs]).tables
    found = {(one.label, one.layer): one for one in layer_activity(table)}
    assert list(found) == [("gru", "encoder"), ("gru", "memory"), ("lstm", "encoder")]
    memory, alone = found["gru", "memory"], found["lstm", "encoder"]
    assert memory.runs == 2 and memory.effective_rank.estimate == 9.0
    assert memory.dormant.estimate == 0.25 and memory.effective_rank.known
    assert memory.dormant.low == 0.0 and memory.effective_rank.high <= 16, "no share below 0"
    assert alone.effective_rank.estimate == 3.0 and not alone.effective_rank.known
    figure = plasticity_figure(table, list(found.values()))
    assert figure is not None
    assert "gru: encoder 4, memory 9. lstm: encoder 3." in figure.svg, "in words"


def test_the_report_shows_them_and_nothing_where_nothing_was_probed(
    runs: Path, tmp_path: Path
) -> None:
    compare_runs([runs], report=tmp_path / "bare")
    text = (tmp_path / "bare" / "report.html").read_text(encoding="utf-8")
    assert not [heading for heading in HEADINGS if heading in text]
    put_edit(runs / "gru-s0", {EDIT_READ: (1.0, 0.0), FOLLOWS_TELLING: (0.95, 0.1)})
    put_plasticity(runs / "gru-s0", {"encoder": 4.25})
    compare_runs([runs], report=tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert all(heading in text for heading in HEADINGS)
    assert "<td>0.950 [" in text and "<td>4.250</td>" in text
    assert "Edits of memory that are followed" in text and "How many dimensions" in text


def test_what_was_found_in_another_scene_or_is_damaged_is_left_out(runs: Path) -> None:
    edit = put_edit(runs / "gru-s0", {FOLLOWS_KIND: (1.0, 0.0)})
    layers = put_plasticity(runs / "gru-s0", {"encoder": 4.0})
    for folder in (edit, layers):
        suite = folder / "suite.json"
        write_json_file(suite, {**read_json(suite), "config": {"exits_count": 5}})
    put_edit(runs / "gru-s1", {FOLLOWS_KIND: (1.0, 0.0)})
    torn = runs / "gru-s1" / "edits" / "test-intact-latent" / "effects.parquet"
    torn.write_bytes(b"torn")
    (table,) = compare_runs([runs]).tables
    assert edited(table) == layer_activity(table) == []
    assert edit_figure(table, []) is plasticity_figure(table, []) is None
