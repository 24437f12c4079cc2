"""Measures of memory on run folders written here: curves, sizes, transfer, unseen episodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivemem.comparison import Comparison, compare_runs
from drivemem.comparison.curves import lesion_figures
from drivemem.comparison.measures import (
    forgetting,
    generalisation,
    lesion_curves,
    memory_sizes,
    retention_curves,
    swept_lesions,
    transfer_matrix,
)
from drivemem.comparison.overall import overall
from drivemem.errors import DrivememError
from drivemem.runs import write_json_file

pytestmark = pytest.mark.filterwarnings("error")
Write = Callable[..., Path]


def compared(folder: Path) -> Comparison:
    return compare_runs([folder / "runs"])


def test_span_curve_by_hand(write: Write, tmp_path: Path) -> None:
    for seed in range(2):
        write(f"gru-s{seed}", "SSSS", memory="gru", seed=seed)
        for span, outcomes in ((16, "SSSC"), (1, "SCCC"), (4, "SSCC")):
            write(f"gru-s{seed}", outcomes, memory="gru", seed=seed, lesion=f"span:{span}")
    write("lstm", "SSSC", memory="lstm", lesion="span:1")  # a single dose makes no curve
    (table,) = compared(tmp_path).tables
    (curve,) = lesion_curves(table, "span")
    assert curve.label == "gru"
    assert [(p.x, p.score.estimate, p.runs) for p in curve.points] == [
        (1.0, 0.25, 2), (4.0, 0.5, 2), (16.0, 0.75, 2)
    ]  # fmt: skip
    assert curve.intact is not None and curve.intact.estimate == 1.0


def test_every_lesion_with_doses_has_its_curve(write: Write, tmp_path: Path) -> None:
    for lesion in ("prune:0.1", "prune:0.5", "reset_every:1", "reset_every:inf",
                   "reinit:heads", "reinit:memory", "noise:1"):  # fmt: skip
        write("gru", "SSSC", memory="gru", lesion=lesion)
    (table,) = compared(tmp_path).tables
    curves = swept_lesions(table)
    assert sorted(curves) == ["prune", "reset_every"]
    assert [point.x for point in curves["prune"][0].points] == [0.1, 0.5]
    assert [point.x for point in curves["reset_every"][0].points] == [1.0, float("inf")]
    assert curves["prune"][0].intact is None
    with pytest.raises(DrivememError, match="lesion 'reinit' has no dose"):
        lesion_curves(table, "reinit")


def test_a_recovery_curve_is_against_age_at_the_end_of_intact_episodes(
    write: Write, tmp_path: Path
) -> None:
    write("gru", "SSSC", memory="gru", length=[30, 30, 30, 9])
    for lesion, outcomes in (("contaminate:2x3", "SSSC"), ("contaminate:20x3", "SCCC"),
                             ("contaminate:12x3", "SSCC"), ("contaminate:2x9", "SCCC"),
                             ("contaminate:9x9", "CCCC")):  # fmt: skip
        write("gru", outcomes, memory="gru", lesion=lesion, length=5)
    write("lstm", "SSSC", memory="lstm", lesion="contaminate:2x3")
    write("lstm", "SSSC", memory="lstm", lesion="contaminate:3x3")  # without an intact evaluation
    (table,) = compared(tmp_path).tables
    curves = swept_lesions(table)
    assert list(curves) == ["contaminate:x3", "contaminate:x9"]
    (short,), (long,) = curves.values()
    assert [(p.x, p.score.estimate) for p in short.points] == [(7.0, 0.25), (15.0, 0.5),
                                                               (25.0, 0.75)]  # fmt: skip
    assert [(p.x, p.score.estimate) for p in long.points] == [(12.0, 0.0), (19.0, 0.25)]
    titles = [figure.title for figure in lesion_figures(table)]
    assert titles == ["Recovery from another episode's observations"] * 2


@pytest.mark.parametrize(
    ("key", "changes"),
    [("cue_window_s", [{"sensors": {"cue_window_s": float(v)}} for v in (3, 1, 2)]),
     ("exits_count", [{"dials": {"exits_count": v}} for v in (5, 3, 4)])],
)  # fmt: skip
def test_retention_curve_over_suites(
    write: Write, tmp_path: Path, key: str, changes: list[dict[str, Any]]
) -> None:
    for number, change in enumerate(changes):
        for lesion in ("intact", "span:1"):
            outcomes = "S" * (number + 1) + "C" * (4 - number)
            write(f"gru-{number}", outcomes, memory="gru", lesion=lesion, **change)
    curves = retention_curves(compared(tmp_path).tables)
    (curve,) = curves[f"exit-recall-easy-v0: {key}"]
    rising = sorted((change.popitem()[1][key], n) for n, change in enumerate(changes))
    assert [(p.x, p.score.estimate) for p in curve.points] == [
        (float(value), pytest.approx((number + 1) / 5)) for value, number in rising
    ]


def test_a_dial_left_alone_has_its_default_on_the_curve(write: Write, tmp_path: Path) -> None:
    write("a", "SSSC", memory="gru")
    write("b", "SCCC", memory="gru", dials={"exits_count": 5})
    tables = compared(tmp_path).tables
    (curve,) = retention_curves(tables)["exit-recall-easy-v0: exits_count"]
    assert [(p.x, p.score.estimate) for p in curve.points] == [(3.0, 0.75), (5.0, 0.25)]
    assert sorted(table.variant for table in tables) == ["exits_count=3", "exits_count=5"]


def test_of_several_suites_at_one_value_the_fullest_is_on_the_curve(
    write: Write, tmp_path: Path
) -> None:
    write("a", "SC", memory="gru")
    write("b", "SSSC", memory="gru")
    write("c", "SCCC", memory="gru", dials={"exits_count": 5})
    (curve,) = retention_curves(compared(tmp_path).tables)["exit-recall-easy-v0: exits_count"]
    assert [(p.x, p.score.estimate) for p in curve.points] == [(3.0, 0.75), (5.0, 0.25)]


def test_suites_that_differ_in_two_things_make_no_retention_curve(
    write: Write, tmp_path: Path
) -> None:
    write("a", "SSSC", memory="gru", sensors={"cue_window_s": 1.0})
    write("b", "SSCC", memory="gru", sensors={"cue_window_s": 2.0, "range_m": 50.0})
    assert retention_curves(compared(tmp_path).tables) == {}


def test_sizes_come_from_the_manifests(write: Write, tmp_path: Path) -> None:
    for name, state in (("gru", 256), ("none", 0)):
        folder = write(name, "SSSC", memory=name)
        facts = {"memory_state_bytes": state, "parameters": 1000 + state}
        write_json_file(folder / "manifest.json", facts)
    write("lstm", "SSSC", memory="lstm")  # no manifest
    (table,) = compared(tmp_path).tables
    assert [(s.label, s.state_bytes, s.parameters, s.score.estimate, s.runs)
            for s in memory_sizes(table)] == [
        ("none", 0, 1000, 0.75, 1), ("gru", 256, 1256, 0.75, 1)
    ]  # fmt: skip


def test_transfer_matrix_by_hand(write: Write, tmp_path: Path) -> None:
    write("at-home", "SSSS", memory="gru")
    write("abroad", "SCCC", memory="gru", settings={"scenario": "occluded-intersection"})
    write("there", "SSSC", memory="gru", scenario="occluded-intersection")
    tables = compared(tmp_path).tables
    labels = {row.label for table in tables for row in table.rows}
    assert "gru (trained on occluded-intersection)" in labels
    transfer = transfer_matrix(tables, "gru")
    assert transfer is not None
    assert transfer.trained == transfer.met == ("exit-recall", "occluded-intersection")
    found = {pair: score.estimate for pair, (score, _) in transfer.scores.items()}
    assert found == {
        ("exit-recall", "exit-recall"): 1.0,
        ("occluded-intersection", "exit-recall"): 0.25,
        ("occluded-intersection", "occluded-intersection"): 0.75,
    }
    assert transfer_matrix(tables, "lstm") is None


def test_a_cell_holds_the_agent_that_was_trained_longest(write: Write, tmp_path: Path) -> None:
    abroad = {"scenario": "occluded-intersection"}
    write("short", "SSSS", memory="gru", settings={**abroad, "steps": 1_000})
    write("long", "SSCC", memory="gru", settings={**abroad, "steps": 9_000})
    write("worse", "SCCC", memory="gru", settings={**abroad, "steps": 9_000, "aux_coef": 1.0})
    transfer = transfer_matrix(compared(tmp_path).tables, "gru")
    assert transfer is not None
    (cell,) = transfer.scores.values()
    assert cell[0].estimate == 0.5


def test_where_a_speed_is_stated_every_measure_is_of_being_on_time(
    write: Write, tmp_path: Path
) -> None:
    timely, late = [1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]
    there = "occluded-intersection"
    write("first", "SSSS", memory="gru", on_time=timely)
    write("first", "SSSS", memory="gru", stream="train", on_time=[1.0] * 4)
    write(
        "second", "SSSS", memory="gru", on_time=late,
        settings={"scenario": there, "start_from": str(tmp_path / "runs" / "first")},
    )  # fmt: skip
    write("abroad", "SSSS", memory="gru", on_time=late, settings={"scenario": there})
    write("there", "SSSS", memory="gru", scenario=there, on_time=timely)
    write("none-a", "SSSS", on_time=late)
    write("none-b", "SSSS", on_time=late, scenario=there)
    comparison = compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    here = next(table for table in comparison.tables if "exit-recall" in table.scenario)
    (lost,) = generalisation(here, comparison.collection.training)
    assert (lost.trained, lost.unseen) == (1.0, 0.75)
    (forgotten,) = forgetting(here)
    assert (forgotten.before, forgotten.after) == (0.75, 0.25)
    transfer = transfer_matrix(comparison.tables, "gru")
    assert transfer is not None
    assert transfer.scores[there, "exit-recall"][0].estimate == 0.25
    gru, none = overall(comparison.tables)
    assert (gru.score.estimate, none.score.estimate) == (0.75, 0.25)
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "On time of agents trained on one scenario" in report
    assert "on time, training episodes" in report and "on time before" in report


def test_agents_that_stay_at_home_make_no_matrix(write: Write, tmp_path: Path) -> None:
    write("gru", "SSSS", memory="gru")
    assert transfer_matrix(compared(tmp_path).tables, "gru") is None


def test_training_episodes_stand_beside_unseen_ones_and_in_no_table(
    write: Write, tmp_path: Path
) -> None:
    for seed, (own, unseen) in enumerate([("SSSS", "SSCC"), ("SSSC", "SCCC")]):
        write(f"gru-s{seed}", own, memory="gru", seed=seed, stream="train")
        write(f"gru-s{seed}", unseen, memory="gru", seed=seed)
    comparison = compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    (table,) = comparison.tables
    (row,) = table.rows
    assert row.success.estimate == 0.375
    (one,) = generalisation(table, comparison.collection.training)
    assert (one.label, one.runs, one.trained, one.unseen) == ("gru", 2, 0.875, 0.375)
    assert one.loss == (0.5, 0.5, 0.5)  # both runs lose the same
    assert "Learned by heart?" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_report_draws_every_measure(write: Write, tmp_path: Path) -> None:
    for memory, state in (("gru", 256), ("lstm", 512), ("none", 0)):
        for seconds in (1.0, 2.0):
            folder = write(
                f"{memory}-{seconds}", "SSSC", memory=memory, sensors={"cue_window_s": seconds}
            )
            facts = {"memory_state_bytes": state, "parameters": 1000}
            write_json_file(folder / "manifest.json", facts)
            for share in (0.1, 0.5):
                write(
                    f"{memory}-{seconds}", "SCCC", memory=memory, lesion=f"prune:{share}",
                    sensors={"cue_window_s": seconds},
                )  # fmt: skip
    write("abroad", "SCCC", memory="gru", settings={"scenario": "occluded-intersection"},
          sensors={"cue_window_s": 1.0})  # fmt: skip
    compare_runs([tmp_path / "runs"], report=tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for words in ("Retention, exit-recall-easy-v0: cue_window_s", "Pruned weights",
                  "What memory costs",
                  "Transfer of gru", "exit-recall-easy-v0, cue_window_s=1.0",
                  "the same agents with memory cut"):  # fmt: skip
        assert words in text, words


def test_forgetting_pairs_each_run_with_the_one_that_started_from_it(
    write: Write, tmp_path: Path
) -> None:
    home = "exit-recall"
    for seed, (before, after) in enumerate((("SSSS", "SSCC"), ("SSSC", "CCCC"))):
        first = write(f"gru-s{seed}", before, memory="gru", seed=seed)
        then = write(f"then-s{seed}", after, memory="gru", seed=seed, scenario=home)
        config = {"scenario": "blackout-highway", "memory": "gru", "seed": seed}
        write_json_file(then / "config.json", {**config, "start_from": str(first)})
    (table,) = compared(tmp_path).tables
    (found,) = forgetting(table)
    assert (found.label, found.second, found.runs) == ("gru", "blackout-highway", 2)
    assert (found.before, found.after) == (0.875, 0.25)
    assert found.loss.estimate == pytest.approx(0.625) and found.consolidation == 0.0
    labels = {row.label for row in table.rows}
    assert labels == {"gru", "gru (first exit-recall, then blackout-highway)"}
    assert transfer_matrix([table], "gru") is None, "an agent of two scenarios is no zero-shot one"


def test_consolidated_runs_forget_in_a_row_of_their_own(write: Write, tmp_path: Path) -> None:
    first = write("gru", "SSSS", memory="gru")
    for name, after, coef in (("free", "CCCC", 0.0), ("held", "SSSC", 100.0)):
        then = write(name, after, memory="gru")
        config = {"scenario": "blackout-highway", "memory": "gru", "consolidation_coef": coef}
        write_json_file(then / "config.json", {**config, "start_from": str(first)})
    (table,) = compared(tmp_path).tables
    free, held = forgetting(table)
    assert (free.consolidation, free.after) == (0.0, 0.0)
    assert (held.consolidation, held.after) == (100.0, 0.75)
    assert "gru (first exit-recall, then blackout-highway, consolidated)" in {
        row.label for row in table.rows
    }


def test_without_a_second_scenario_nothing_is_forgotten(write: Write, tmp_path: Path) -> None:
    write("gru", "SSSC", memory="gru")
    (table,) = compared(tmp_path).tables
    assert forgetting(table) == []
