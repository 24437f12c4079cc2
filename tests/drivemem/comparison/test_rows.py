"""What rows and the differences between them hold and say."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from drivemem.comparison import compare_runs
from drivemem.comparison.formats import interval_text
from drivemem.comparison.rows import Call, Difference
from drivemem.comparison.statistics import MIN_RUNS, Interval
from drivemem.lesions import lesions
from tests.drivemem.conftest import row

Write = Callable[..., Path]


def difference(low: float, high: float, runs: int, p: float) -> Difference:
    """About 0.3, between limits."""
    return Difference(0.3, Interval(0.3, low, high), p, runs, single=False, adjusted=p)


@pytest.mark.parametrize("count", range(1, MIN_RUNS))
@pytest.mark.parametrize("limits", [(0.2, 0.4), (-0.4, -0.2), (-0.1, 0.1), (-math.inf, math.inf)])
def test_too_few_runs_are_never_called_significant(count: int, limits: tuple[float, float]) -> None:
    found = difference(*limits, count, 1e-9)
    assert found.call is Call.TOO_FEW
    assert "significant" not in found.words
    assert f"{count} run" in found.words and f"at least {MIN_RUNS}" in found.words


@pytest.mark.parametrize(
    ("low", "high", "p", "call"),
    [
        (0.1, 0.5, 0.01, Call.BETTER),
        (-0.5, -0.1, 0.01, Call.WORSE),
        (-0.1, 0.3, 0.01, Call.UNSHOWN),
        (0.0, 0.0, 0.01, Call.UNSHOWN),
        (0.1, 0.5, 0.06, Call.UNSHOWN),
        (0.1, 0.5, math.nan, Call.UNSHOWN),
    ],
)
def test_a_call_needs_the_interval_and_the_test(
    low: float, high: float, p: float, call: Call
) -> None:
    found = difference(low, high, MIN_RUNS, p)
    assert found.call is call
    assert call in found.words
    assert ("the interval holds 0" in found.words) == (call is Call.UNSHOWN and p < 0.05)


def test_nothing_is_less_than_nothing_in_words() -> None:
    single = Difference(-1e-9, Interval(-1e-9, -math.inf, math.inf), 1.0, 1, True, 1.0)
    several = Difference(-1e-9, Interval(-1e-9, -1e-9, 0.1), 0.5, MIN_RUNS, False, 0.5)
    assert single.words.startswith("+0.000 on") and several.words.startswith("+0.000 [+0.000, ")
    assert interval_text(Interval(-0.0, -1e-9, 0.5)) == "0.000 [0.000, 0.500]"


def test_a_row_says_what_it_is_and_what_it_was_cut_from(study: Path) -> None:
    comparison = compare_runs([study])
    cut, intact = row(comparison, "gru / reset_every:1"), row(comparison, "gru")
    assert (cut.intact, cut.driver, cut.lesion, cut.tracker) == (
        "gru", "gru", "reset_every:1", "none"
    )  # fmt: skip
    assert cut.cut is lesions()["reset_every"] and cut.dose == 1.0
    assert (intact.intact, intact.lesion, intact.cut, intact.dose) == ("gru", "intact", None, None)
    full = row(comparison, "none (full sensors)")
    assert full.is_trained and full.driver == "none" and full.intact == full.label
    assert cut.versus_intact is not None and cut.versus_intact.call is Call.TOO_FEW


def test_of_agents_of_one_name_the_one_that_was_cut_is_found(write: Write, tmp_path: Path) -> None:
    write("a", "SSSC", memory="gru")
    write("b", "SSCC", memory="gru", settings={"gamma": 0.9})
    write("b", "SCCC", memory="gru", settings={"gamma": 0.9}, lesion="span:1")
    comparison = compare_runs([tmp_path / "runs"])
    cut = row(comparison, "gru (gamma=0.9) / span:1")
    assert cut.intact == "gru (gamma=0.9)"
    assert cut.versus_intact is not None and cut.versus_intact.estimate == pytest.approx(-0.25)


def test_a_lesion_unknown_here_has_a_row_without_a_dose(write: Write, tmp_path: Path) -> None:
    write("gru", "SSSC", memory="gru")
    write("gru", "SCCC", memory="gru", lesion="of_another_package:1")
    cut = row(compare_runs([tmp_path / "runs"]), "gru / of_another_package:1")
    assert (cut.cut, cut.dose, cut.intact) == (None, None, "gru")
    assert cut.versus_intact is not None
