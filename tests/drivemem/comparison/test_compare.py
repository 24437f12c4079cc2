"""Comparisons of run folders written here: what is compared, what is left out, what is said."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from drivemem.comparison import Comparison, compare_runs
from drivemem.comparison.overall import overall
from drivemem.comparison.rows import About, Row
from drivemem.comparison.statistics import MIN_RUNS, holm, mcnemar, wilson
from drivemem.episodes import read_table, write_table
from drivemem.errors import DrivememError
from drivemem.runs import write_json_file
from drivemem.schemas import EPISODE_COLUMNS
from tests.drivemem.conftest import row

pytestmark = pytest.mark.filterwarnings("error")

Write = Callable[..., Path]


def versus(one: Row) -> str:
    """A row against the memoryless agent, in words."""
    assert one.versus is not None
    return one.versus.words


def reasons(comparison: Comparison) -> dict[str, str]:
    return {Path(what).name: why for what, why in comparison.collection.excluded}


def test_rows_kinds_and_shares(study: Path) -> None:
    comparison = compare_runs([study])
    (table,) = comparison.tables
    assert [(row.label, row.kind, row.runs) for row in table.rows] == [
        ("none (full sensors)", "upper bound", 2),
        ("gru", "agent", 2),
        ("none", "agent", 2),
        ("gru / reset_every:1", "lesion", 2),
        ("constant:IDLE", "reference", 1),
    ]
    gru = row(comparison, "gru")
    assert gru.success.estimate == pytest.approx((0.7 + 0.8) / 2)
    # Resampling gives 0.7 to 0.8; two runs widen that by sqrt(2) t(1) / z = 9.168, cut at 1.
    assert gru.success.low == pytest.approx(0.75 - 9.168 * 0.05, abs=1e-3)
    assert gru.success.high == 1.0
    assert gru.collision == pytest.approx((0.2 + 0.1) / 2)
    assert gru.other == pytest.approx(0.1)
    assert gru.outcomes["timeout"] == pytest.approx(0.05)
    assert gru.mean_return == pytest.approx(4.5 + 0.75)
    for one in table.rows:
        assert one.success.estimate + one.collision + one.other == pytest.approx(1)
    assert comparison.collection.excluded == []
    assert row(comparison, "constant:IDLE").success == wilson(1, 10)


def test_gap_closed_by_hand(study: Path) -> None:
    comparison = compare_runs([study])
    full, none, gru, cut = 0.95, 0.3, 0.75, 0.45
    gap = comparison.tables[0].gap
    assert gap is not None and gap.estimate == pytest.approx(full - none)
    closed = row(comparison, "gru").gap_closed
    assert closed is not None
    assert closed.estimate == pytest.approx((gru - none) / (full - none))
    assert not closed.known, "two runs do not show that there is a gap"
    assert any("not surely above 0" in note.text for note in comparison.tables[0].notes)
    lesion = row(comparison, "gru / reset_every:1").gap_closed
    assert lesion is not None
    assert lesion.estimate == pytest.approx((cut - none) / (full - none))
    assert row(comparison, "none (full sensors)").gap_closed is None
    assert row(comparison, "constant:IDLE").gap_closed is None


def test_evaluations_from_before_a_limit_came_join_those_of_now(
    write: Write, tmp_path: Path
) -> None:
    for seed in (0, 1):
        write(f"none-s{seed}", "SCSC", seed=seed)
        folder = write(f"gru-s{seed}", "SSSC", memory="gru", seed=seed)
    for name in ("config.json", "evaluations/test-intact/suite.json"):
        stored = json.loads((folder / name).read_text())
        for limit in ("sectors", "missed"):
            del stored["sensors"][limit]
        write_json_file(folder / name, stored)
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert [(one.label, one.runs) for one in table.rows] == [("gru", 2), ("none", 2)]


def test_the_share_of_a_sure_gap_has_an_interval(write: Write, tmp_path: Path) -> None:
    for seed in range(5):
        write(f"none-s{seed}", "S" * (4 + seed % 2) + "C" * (16 - seed % 2), seed=seed)
        write(f"full-s{seed}", "S" * (19 - seed % 2) + "C" * (1 + seed % 2), seed=seed, full=True)
        write(f"gru-s{seed}", "S" * (12 + seed % 3) + "C" * (8 - seed % 3), memory="gru", seed=seed)
    comparison = compare_runs([tmp_path / "runs"])
    none, full, gru = 4.4, 18.6, 12.8  # successes of 20
    closed = row(comparison, "gru").gap_closed
    assert closed is not None
    assert closed.estimate == pytest.approx((gru - none) / (full - none))
    assert 0.4 < closed.low < closed.estimate < closed.high < 0.8
    assert compare_runs([tmp_path / "runs"]).table == comparison.table, "resampling is seeded"


def test_the_baseline_closes_nothing_of_the_gap_and_that_is_certain(study: Path) -> None:
    assert row(compare_runs([study]), "none").gap_closed == (0.0, 0.0, 0.0)


def test_resampled_gaps_of_zero_warn_nobody(write: Write, tmp_path: Path) -> None:
    for seed, (none, full) in enumerate([("SSCC", "SSCC"), ("CCCC", "SSSS")]):
        write(f"none-s{seed}", none, seed=seed)
        write(f"full-s{seed}", full, seed=seed, full=True)
        write(f"gru-s{seed}", "SSSC", memory="gru", seed=seed)
    closed = row(compare_runs([tmp_path / "runs"]), "gru").gap_closed
    assert closed is not None and math.isfinite(closed.estimate)


def test_without_an_upper_bound_or_baseline_the_gap_is_not_defined(
    write: Write, tmp_path: Path
) -> None:
    write("gru", "SSSC", memory="gru")
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert any("No memoryless agent" in note.text for note in table.notes)
    assert "no memoryless agent" in table.headline()
    write("none", "SSCC")
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert table.gap is None and table.rows[0].gap_closed is None
    assert any("No full-sensor agent (--full-sensors)" in note.text for note in table.notes)


def test_a_small_gap_is_not_divided_by(write: Write, tmp_path: Path) -> None:
    write("none", "SSSC")
    write("full", "SSSC", full=True)
    write("gru", "SSSS", memory="gru")
    comparison = compare_runs([tmp_path / "runs"])
    assert row(comparison, "gru").gap_closed is None
    assert any("nothing to close" in note.text for note in comparison.tables[0].notes)


def test_single_runs_are_compared_by_mcnemar_and_claim_nothing(
    write: Write, tmp_path: Path
) -> None:
    write("none", "SSCCCCCCCC")
    write("gru", "SCSSSSSSSS", memory="gru")
    comparison = compare_runs([tmp_path / "runs"])
    p = mcnemar([1, 0, *[1] * 8], [1, 1, *[0] * 8])
    gru = row(comparison, "gru")
    assert versus(gru).startswith("+0.700 on the same episodes")
    assert f"p = {p:.2g}" in versus(gru)
    assert gru.success == wilson(9, 10)


def test_pairs_are_episodes_whatever_the_order_of_rows(write: Write, tmp_path: Path) -> None:
    write("none", "SSCCCCCCCC")
    gru = write("gru", "SCSSSSSSSS", memory="gru")
    before = versus(row(compare_runs([tmp_path / "runs"]), "gru"))
    (file,) = gru.glob("evaluations/*/episodes.parquet")
    write_table(file, EPISODE_COLUMNS, read_table(file, EPISODE_COLUMNS)[::-1])
    assert versus(row(compare_runs([tmp_path / "runs"]), "gru")) == before


def said(comparison: Comparison) -> str:
    (table,) = comparison.tables
    words = [table.headline(), *(note.text for note in table.notes)]
    words += [row.versus.words for row in table.rows if row.versus]
    return "\n".join(words).lower()


def test_fewer_than_five_runs_are_never_called_significant(write: Write, tmp_path: Path) -> None:
    for seed in range(MIN_RUNS):
        write(f"none-s{seed}", "CCCCCCCCCC", seed=seed)
        write(f"gru-s{seed}", "SSSSSSSSSS", memory="gru", seed=seed)
        write(f"full-s{seed}", "SSSSSSSSSS", full=True, seed=seed)
        text = said(compare_runs([tmp_path / "runs"], report=tmp_path / "out"))
        enough = seed + 1 >= MIN_RUNS
        assert ("significant" in text) == enough
        assert ("claim nothing" in text) == (not enough)
        assert ("significant" in (tmp_path / "out" / "report.html").read_text()) == enough


def test_a_single_full_sensor_run_is_too_few_too(write: Write, tmp_path: Path) -> None:
    for seed in range(MIN_RUNS):
        write(f"none-s{seed}", "CCCC", seed=seed)
        write(f"gru-s{seed}", "SSSC", memory="gru", seed=seed)
    write("full-s0", "SSSS", full=True)
    notes = "\n".join(note.text for note in compare_runs([tmp_path / "runs"]).tables[0].notes)
    assert f"Fewer than {MIN_RUNS} training runs for none (full sensors)" in notes


def test_only_the_same_episodes_are_compared(write: Write, tmp_path: Path) -> None:
    write("a", "SSSC")
    write("b", "SSSCC", memory="gru")  # more episodes
    write("c", "SSSC", memory="gru", stream="eval")  # other seeds
    write("d", "SSSC", memory="gru", scenario="occluded-intersection")
    write("e", "SCSC", memory="lstm")
    tables = compare_runs([tmp_path / "runs"]).tables
    labels = sorted(sorted(row.label for row in table.rows) for table in tables)
    assert labels == [["gru"], ["gru"], ["gru"], ["lstm", "none"]]


def test_what_is_left_out_says_why(write: Write, study: Path) -> None:
    older = write("other-version", "SSSSSSSSSS", memory="lstm")
    (suite,) = older.glob("evaluations/*/suite.json")
    write_json_file(suite, {**json.loads(suite.read_text()), "hash": "0" * 64})
    broken = write("truncated", "SSSSSSSSSS", memory="lstm")
    (file,) = broken.glob("evaluations/*/episodes.parquet")
    file.write_bytes(file.read_bytes()[:200])
    part = write("incomplete", "SSSSSSSSSS", memory="lstm")
    (file,) = part.glob("evaluations/*/episodes.parquet")
    write_table(file, EPISODE_COLUMNS, read_table(file, EPISODE_COLUMNS)[:7])
    foreign = write("foreign", "SSSSSSSSSS", memory="lstm")
    (suite,) = foreign.glob("evaluations/*/suite.json")
    write_json_file(suite, {"format": "something"})
    write_json_file(study / "unfinished" / "config.json", {"memory": "gru"})
    comparison = compare_runs([study])
    why = {Path(what).relative_to(study).parts[0]: r for what, r in comparison.collection.excluded}
    assert set(why) == {"other-version", "truncated", "incomplete", "foreign", "unfinished"}
    assert "another version" in why["other-version"]
    assert "truncated or no Parquet file" in why["truncated"]
    assert "incomplete" in why["incomplete"]
    assert "no suite" in why["foreign"]
    assert "drivemem evaluate" in why["unfinished"]
    assert "lstm" not in [row.label for row in comparison.tables[0].rows]


def test_as_many_of_one_version_as_of_another_keeps_the_first(write: Write, tmp_path: Path) -> None:
    for version, name in enumerate("abcde"):
        folder = write(name, "SSCC", memory="gru", seed=version)
        (suite,) = folder.glob("evaluations/*/suite.json")
        write_json_file(suite, {**json.loads(suite.read_text()), "hash": str(9 - version)})
    comparison = compare_runs([tmp_path / "runs"])
    (kept,) = comparison.collection.groups
    assert [one.run.name for one in kept] == ["a"]
    assert len(comparison.collection.excluded) == 4


def test_other_sensors_are_another_table_with_the_same_upper_bound(
    write: Write, tmp_path: Path
) -> None:
    write("full", "SSSS", full=True)
    for reach in (20.0, 30.0):
        write(f"gru-{reach:.0f}", "SSCC", memory="gru", sensors={"range_m": reach})
    tables = compare_runs([tmp_path / "runs"]).tables
    assert sorted(table.title for table in tables) == [
        "exit-recall-easy-v0, range_m=20.0", "exit-recall-easy-v0, range_m=30.0"
    ]  # fmt: skip
    labels = [[row.label for row in table.rows] for table in tables]
    assert labels == [["none (full sensors)", "gru"]] * 2


def test_a_run_counts_once_however_it_is_named(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    once = compare_runs([study])
    twice = compare_runs(["runs", study, "runs/gru-*", str(study / "gru-*"), "runs/../runs/gru-s0"])
    assert [(r.label, r.runs) for r in twice.tables[0].rows] == [
        (r.label, r.runs) for r in once.tables[0].rows
    ]


def test_a_copy_of_a_run_is_no_second_run(study: Path) -> None:
    shutil.copytree(study / "gru-s0", study / "gru-s0-copy")
    comparison = compare_runs([study])
    assert row(comparison, "gru").runs == 2
    why = [r for what, r in comparison.collection.excluded if "gru-s0-copy" in what]
    assert len(why) == 2 and all("gru-s0" in r and "same" in r for r in why)


def test_runs_of_other_settings_are_other_agents(write: Write, tmp_path: Path) -> None:
    write("a", "SSSC", memory="gru", seed=0)
    write("b", "SSSC", memory="gru", seed=1, settings={"num_workers": 1})
    write("c", "SSCC", memory="gru", seed=2, settings={"gamma": 0.9})
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert [(row.label, row.runs) for row in table.rows] == [
        ("gru (gamma=0.99)", 2), ("gru (gamma=0.9)", 1)
    ]  # fmt: skip


def test_a_run_from_before_a_setting_came_is_the_same_agent(write: Write, tmp_path: Path) -> None:
    for seed in range(2):
        write(f"gru-{seed}", "SSSC", memory="gru", seed=seed)
    file = tmp_path / "runs" / "gru-0" / "config.json"
    older = json.loads(file.read_text())
    del older["privileged_view"]
    file.write_text(json.dumps(older))
    (row,) = compare_runs([tmp_path / "runs"]).tables[0].rows
    assert row.label == "gru" and len(row.members) == 2


def test_globs_and_odd_folder_names(write: Write, tmp_path: Path) -> None:
    write("r[1]", "SSSC", memory="gru")
    write("r1", "CCCC", memory="lstm")
    assert row(compare_runs([tmp_path / "runs" / "r[1]"]), "gru").success.estimate == 0.75
    assert len(compare_runs([str(tmp_path / "runs" / "r*")]).tables[0].rows) == 2


def test_nothing_to_compare_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match=r"nowhere does not exist"):
        compare_runs([tmp_path / "nowhere"])
    with pytest.raises(DrivememError, match="does not exist"):
        compare_runs([str(tmp_path / "no*")])
    with pytest.raises(DrivememError, match="no evaluations below"):
        compare_runs([tmp_path])
    write_json_file(tmp_path / "a" / "config.json", {"memory": "gru"})
    with pytest.raises(DrivememError, match=r"1 runs are there: `drivemem evaluate` them"):
        compare_runs([tmp_path])


def test_a_report_named_as_a_file_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match=r"names a file: give .*out$"):
        compare_runs([study], report=tmp_path / "out.html")
    assert not (tmp_path / "out.html").exists()


@pytest.mark.parametrize("baseline", ["memory", "memory=", "driver=", "", " "])
def test_a_baseline_of_another_form_is_refused(study: Path, baseline: str) -> None:
    with pytest.raises(DrivememError, match="give memory=NAME such as memory=none"):
        compare_runs([study], baseline=baseline)


@pytest.mark.parametrize("baseline", ["memory=lstm", "driver=idm", "gru (full sensors)", "grru"])
def test_a_baseline_that_is_not_there_is_refused_with_what_is(study: Path, baseline: str) -> None:
    with pytest.raises(DrivememError, match=r"one of constant:IDLE, gru, none, none \(full sens"):
        compare_runs([study], baseline=baseline)


def test_another_baseline(study: Path) -> None:
    comparison = compare_runs([study], baseline="memory=gru")
    assert versus(row(comparison, "none")).startswith("-0.450")
    assert row(comparison, "gru").versus is None
    assert "with gru" in comparison.tables[0].headline()


@pytest.mark.parametrize("baseline", ["driver=constant:IDLE", "constant:IDLE"])
def test_a_driver_is_a_baseline(study: Path, baseline: str) -> None:
    comparison = compare_runs([study], baseline=baseline)
    assert versus(row(comparison, "gru")).startswith("+0.650 [")
    assert versus(row(comparison, "none")).startswith("+0.200 [")
    (table,) = comparison.tables
    assert "with gru 75% of episodes succeed, with constant:IDLE 10%" in table.headline()
    assert table.gap is None and row(comparison, "gru").gap_closed is None


def test_a_single_run_is_a_baseline(study: Path) -> None:
    comparison = compare_runs([study], baseline=str(study / "gru-s1"))
    alone = row(comparison, "gru (run gru-s1)")
    assert comparison.tables[0].base is alone and alone.runs == 1
    assert versus(row(comparison, "gru")).startswith("-0.100")  # the other run
    assert row(comparison, "gru").runs == 1


def test_any_row_is_a_baseline(study: Path, write: Write) -> None:
    write("lstm", "SSSSSSSCCC", memory="lstm", settings={"gamma": 0.9})
    write("lstm2", "SSSSSSCCCC", memory="lstm", settings={"gamma": 0.8})
    base = compare_runs([study], baseline="lstm (gamma=0.8)").tables[0].base
    assert base is not None and base.success.estimate == 0.6


def test_agents_trained_for_longer_are_not_compared_unasked(write: Write, tmp_path: Path) -> None:
    write("none-a", "SCCCC", settings={"steps": 3_000})
    write("none-b", "SSSCC", settings={"steps": 100_000})
    write("gru", "SSSSC", memory="gru", settings={"steps": 100_000})
    write("lstm", "SSSSS", memory="lstm", settings={"steps": 200_000})
    write("full", "SSSSS", full=True, settings={"steps": 100_000})
    write("lstm", "SSCCC", memory="lstm", settings={"steps": 200_000}, lesion="span:1")
    comparison = compare_runs([tmp_path / "runs"])
    (table,) = comparison.tables
    assert table.base is row(comparison, "none (steps=100000)")
    assert table.chosen == "most agents were trained as it was"
    notes = {note.about: note.text for note in table.notes}
    assert "compared with none (steps=100000), since most agents" in notes[About.BASELINE]
    assert "none (steps=3000) (3,000 decisions, not 100,000 decisions)" in notes[About.UNLIKE]
    assert "lstm (200,000 decisions, not 100,000 decisions), " in notes[About.UNLIKE]
    assert "with memory (gru) 80%" in table.headline(), "not the lstm, which trained twice as long"
    assert versus(row(comparison, "gru")).startswith("+0.200")
    cut = row(comparison, "lstm / span:1")
    for one in (row(comparison, "lstm"), row(comparison, "none (steps=3000)"), cut):
        assert one.versus is None and one.gap_closed is None and one.improvement is None
    assert cut.versus_intact is not None, "the same runs had the same training"


def test_unequal_budgets_are_compared_when_asked_and_said(write: Write, tmp_path: Path) -> None:
    write("none", "SCCCC", settings={"steps": 3_000})
    write("gru", "SSSSC", memory="gru", settings={"steps": 100_000})
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert table.best() is None and "no agent to compare with none" in table.headline()
    comparison = compare_runs([tmp_path / "runs"], unequal=True)
    (table,) = comparison.tables
    assert versus(row(comparison, "gru")).startswith("+0.600")
    (note,) = (note.text for note in table.notes if note.about is About.UNLIKE)
    assert "as asked, although" in note and "gru (100,000 decisions, not 3,000 decisions)" in note


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"scenario": "hidden-crossing"}, "trained on hidden-crossing, not trained on exit-recall"),
        ({"sensors": {"range_m": 20.0}}, "sensors range_m=20.0, not the scenario's sensors"),
        ({"dials": ("exits_count=3",)}, "dials exits_count=3, not the scenario's dials"),
    ],
)
def test_agents_trained_on_something_else_are_not_compared_unasked(
    write: Write, tmp_path: Path, settings: dict[str, object], why: str
) -> None:
    write("none", "SCCCC")
    write("gru", "SSSSC", memory="gru", settings=settings)
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert [one.apart for one in table.rows] == [why, ""]


def test_the_rule_that_chooses_a_baseline_is_said(write: Write, tmp_path: Path) -> None:
    write("a", "SCCCC", settings={"gamma": 0.8})
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert table.chosen == "the only memoryless agent here"
    for seed in range(2):
        write(f"b{seed}", "SSCCC", settings={"gamma": 0.95}, seed=seed)
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert table.base is not None and table.base.label == "none (gamma=0.95)"
    assert table.chosen == "it has most runs"


def test_trials_of_a_search_stay_apart_unless_named(write: Write, tmp_path: Path) -> None:
    write("none", "SSCC")
    write("tune/none/trial-0", "SSSS", settings={"gamma": 0.9})
    write_json_file(tmp_path / "runs" / "tune" / "search.json", {})
    comparison = compare_runs([tmp_path / "runs"])
    assert [one.label for one in comparison.tables[0].rows] == ["none"]
    assert comparison.collection.excluded == [
        ((tmp_path / "runs" / "tune").as_posix(),
         "trials of a search for settings (1): name the folder itself to compare them"),
    ]  # fmt: skip
    both = compare_runs([tmp_path / "runs", tmp_path / "runs" / "tune"])
    assert len(both.tables[0].rows) == 2 and both.collection.excluded == []
    assert len(compare_runs([tmp_path / "runs/tune/none/trial-0"]).tables[0].rows) == 1


def test_the_headline_never_calls_a_memoryless_agent_one_with_memory(
    write: Write, tmp_path: Path
) -> None:
    write("none", "SSCCC")
    write("aux", "SSSSS", settings={"aux_coef": 1.0})
    write("gru", "SSSCC", memory="gru")
    write("gru", "SCCCC", memory="gru", lesion="span:1")
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert "with memory (gru) 60% of episodes succeed, without 40%" in table.headline()
    assert "under span:1 20% (1 training run each)" in table.headline()
    write("none1", "SSCCC", seed=1)
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert "(1 training run with memory, 2 without)" in table.headline()


def test_a_lesion_is_paired_with_the_same_runs_intact(study: Path) -> None:
    cut = row(compare_runs([study]), "gru / reset_every:1")
    assert cut.versus_intact is not None and cut.versus_intact.words.startswith("-0.300 [")
    assert "2 runs: too few to call" in cut.versus_intact.words


def test_p_values_of_several_agents_are_corrected(write: Write, tmp_path: Path) -> None:
    outcomes = {"none": "SCCCC", "gru": "SSSCC", "lstm": "SSSSC"}
    for memory, letters in outcomes.items():
        write(memory, letters * 4, memory=memory)
    comparison = compare_runs([tmp_path / "runs"])
    episodes = {name: [letter == "S" for letter in 4 * word] for name, word in outcomes.items()}
    raw = [mcnemar(episodes[name], episodes["none"]) for name in ("gru", "lstm")]
    for name, p in zip(("gru", "lstm"), holm(raw), strict=True):
        assert f"p = {p:.2g};" in versus(row(comparison, name))


def test_a_learned_memory_is_set_against_the_best_tracker(write: Write, tmp_path: Path) -> None:
    write("none", "SCCCC")
    write("none-hold", "SSSSC", tracker="hold_last")
    write("ghost", "SSCCC", memory="ghost", seed=None, tracker="constant_velocity")
    write("none-recall", "SSSSS", tracker="perfect_recall")  # told the truth: no rival
    write("gru", "SSSCC", memory="gru")
    (table,) = compare_runs([tmp_path / "runs"]).tables
    (note,) = (note.text for note in table.notes if note.about is About.TRACKER)
    assert "(gru) against the best engineered one (none behind hold_last): -0.200" in note
    assert "with memory (gru) 60%" in table.headline()  # an engineered memory was not learned


def test_gap_closed_is_the_share_of_the_recall_headroom_where_it_was_trained(
    write: Write, tmp_path: Path
) -> None:
    def outcomes(successes: int) -> str:
        return "S" * successes + "C" * (10 - successes)

    for seed in range(6):
        more = 1 if seed % 2 else -1
        write(f"none{seed}", outcomes(1 + more), seed=seed)
        write(f"recall{seed}", outcomes(6 + more), seed=seed, tracker="perfect_recall")
        write(f"full{seed}", outcomes(9 + more), seed=seed, full=True)
        write(f"gru{seed}", outcomes(4 + more), memory="gru", seed=seed)
        write(f"lstm{seed}", outcomes(7 + more), memory="lstm", seed=seed)
    comparison = compare_runs([tmp_path / "runs"])
    (table,) = comparison.tables
    assert table.gap is not None and table.headroom is not None and table.unseen is not None
    assert table.gap.estimate == pytest.approx(0.8)
    assert table.headroom.estimate == pytest.approx(0.5)
    assert table.unseen.estimate == pytest.approx(0.3)
    gru, lstm = (row(comparison, name).gap_closed for name in ("gru", "lstm"))
    assert gru is not None and gru.estimate == pytest.approx(0.3 / 0.5)
    assert lstm is not None and lstm.estimate == pytest.approx(0.6 / 0.5), "it inferred the rest"
    assert table.top is not None and table.top.gap_closed is None
    said = " ".join(note.text for note in table.notes if note.about is About.GAP)
    assert "recall headroom, none behind" in said and "unseen gap" in said
    assert "of the gap to perfect recall" in table.headline()


def test_without_recall_headroom_nothing_is_a_share_of_it(write: Write, tmp_path: Path) -> None:
    write("none", "SSSSC")
    write("recall", "SSSSC", tracker="perfect_recall")
    write("gru", "SSSSS", memory="gru")
    comparison = compare_runs([tmp_path / "runs"])
    said = " ".join(note.text for note in comparison.tables[0].notes)
    assert "The recall headroom is 0.000, below 0.05: nothing to close here." in said
    assert row(comparison, "gru").gap_closed is None and comparison.tables[0].top is None


def test_nobody_is_compared_with_perfect_recall(write: Write, tmp_path: Path) -> None:
    write("none-recall", "SSSSS", tracker="perfect_recall")
    write("gru", "SSSCC", memory="gru")
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert all(row.versus is None for row in table.rows)
    assert not [note for note in table.notes if note.about is About.TRACKER]


def test_over_all_scenarios_runs_are_resampled_within_each(write: Write, tmp_path: Path) -> None:
    for seed, (here, there) in enumerate([("SSSS", "CCCC"), ("SSSC", "SCCC"), ("SSSS", "CCCC")]):
        write(f"gru-a{seed}", here, memory="gru", seed=seed)
        write(f"gru-b{seed}", there, memory="gru", seed=seed, scenario="occluded-intersection")
        write(f"none-a{seed}", "SCCC", seed=seed)
        write(f"none-b{seed}", "CCCC", seed=seed, scenario="occluded-intersection")
    write("lstm", "SSSS", memory="lstm")  # met one scenario only
    tables = compare_runs([tmp_path / "runs"], report=tmp_path / "out").tables
    gru, none = overall(tables)
    assert (gru.label, gru.runs, none.label) == ("gru", 3, "none")
    assert gru.score.estimate == pytest.approx((11 / 12 + 1 / 12) / 2)
    assert gru.score.low > 0.3  # pooled over scenarios it would reach far lower
    assert gru.improvement == pytest.approx((1.0 + (3 * 1 + 6 * 0.5) / 9) / 2)
    assert none.improvement is None
    assert overall(tables[:1]) == []
    assert "Over all scenarios" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_broken_run_does_not_break_the_comparison(write: Write, tmp_path: Path) -> None:
    write("gru", "SSSC", memory="gru")
    broken = write("none", "SSCC")
    (broken / "config.json").write_text('{"memory": ')
    comparison = compare_runs([tmp_path / "runs"])
    assert [one.label for one in comparison.tables[0].rows] == ["gru"]
    ((what, why),) = comparison.collection.excluded
    assert "none" in what and "unreadable or truncated" in why


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("dials", 10**30), ("memory_kwargs", True), ("start_from", -1), ("sensors", "all"),
        ("seed", -1), ("teacher", {}), ("views", "far"),
    ],
)  # fmt: skip
def test_a_run_of_settings_that_none_can_have_is_left_out(
    write: Write, tmp_path: Path, setting: str, value: object
) -> None:
    write("gru", "SSSC", memory="gru")
    edited = write("none", "SSCC")
    stored = json.loads((edited / "config.json").read_text())
    write_json_file(edited / "config.json", {**stored, setting: value})
    comparison = compare_runs([tmp_path / "runs"])
    assert [one.label for one in comparison.tables[0].rows] == ["gru"]
    ((_, why),) = comparison.collection.excluded
    assert "config.json is damaged" in why and setting in why and "\n" not in why


def test_a_run_in_two_stages_is_not_the_agent_of_one_go(write: Write, tmp_path: Path) -> None:
    write("once", "SSSC", memory="gru", seed=0)
    staged = write("staged", "SSCC", memory="gru", seed=1)
    stages = [{"until": 500}, {"until": 1000}]
    write_json_file(staged / "manifest.json", {"status": "done", "stages": stages})
    (table,) = compare_runs([tmp_path / "runs"]).tables
    assert [row.label for row in table.rows] == ["gru", "gru (trained on after 500)"]


def test_a_setting_that_was_dropped_since_is_no_damage(write: Write, tmp_path: Path) -> None:
    old = write("gru", "SSSC", memory="gru")
    stored = json.loads((old / "config.json").read_text())
    write_json_file(old / "config.json", {**stored, "of_a_version_before": 1})
    assert compare_runs([tmp_path / "runs"]).collection.excluded == []


def test_a_sampled_row_is_no_agent_of_its_own(write: Write, tmp_path: Path) -> None:
    write("gru", "SSCC", memory="gru")
    write("none", "SCCC")
    drawn = write("drawn", "SSSS", memory="gru", deterministic=False)
    place = tmp_path / "runs" / "gru" / "evaluations" / "test-intact-sampled"
    shutil.move(drawn / "evaluations" / "test-intact", place)
    shutil.rmtree(drawn)
    comparison = compare_runs([tmp_path / "runs"])
    (table,) = comparison.tables
    assert [(one.label, one.kind) for one in table.rows] == [
        ("gru", "agent"), ("none", "agent"), ("gru (sampled)", "sampled"),
    ]  # fmt: skip
    best = table.best()
    assert best is not None and best.label == "gru"
    assert row(comparison, "gru (sampled)").versus is None
