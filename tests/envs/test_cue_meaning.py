"""What a cue says: names by number, and what does not fit."""

from __future__ import annotations

import re

import pytest

from drivemem_envs.cue_meaning import CueMeaning, check_meaning, plain_meaning

LANES = tuple(("c", "d", number) for number in range(3))
EXITS = CueMeaning("sign", ("left", "middle", "right"), (LANES,))
GRAPH = {"c": {"d": [object()] * 3}}


@pytest.mark.parametrize(
    ("cue", "numbers", "words"),
    [
        ([0.0, 0.0, 1.0], (2,), "right"),
        ([0.0, 0.0, 0.0], (), ""),
        ([0.0, 0.4, 0.6], (), ""),
        ([], (), ""),
        ([0, 1, 0, 1, 0, 0], (1, 0), "middle, left"),
        ([0, 1, 0, 0, 0, 0], (), ""),
    ],
)
def test_a_cue_gives_names(cue: list[float], numbers: tuple[int, ...], words: str) -> None:
    assert EXITS.numbers(cue) == numbers
    assert EXITS.words(cue) == words


def test_a_cue_without_a_meaning_is_told_by_number() -> None:
    assert plain_meaning(3).words([0, 1, 0]) == "2 of 3"
    assert plain_meaning(0).words([]) == ""


def test_what_fits_is_taken() -> None:
    for meaning, size in (
        (EXITS, 3), (EXITS, 0), (CueMeaning("map", ("exit",), (LANES[:1],)), 0),
        (EXITS._replace(junctions=(LANES, LANES)), 6), (CueMeaning("sign", ("a", "b")), 2),
    ):  # fmt: skip
        assert check_meaning(meaning, size, GRAPH) is meaning


@pytest.mark.parametrize(
    ("meaning", "size", "why"),
    [
        (EXITS, 4, "has 3 names and 1 junctions for a cue of 4 numbers"),
        (CueMeaning("sign", ()), 3, "has 0 names"),
        (EXITS._replace(junctions=(LANES[:2],)), 3, "a junction of 2 lanes for 3 names"),
        (EXITS._replace(junctions=((*LANES[:2], ("c", "d", 3)),)), 3, "('c', 'd', 3)"),
        (EXITS._replace(junctions=((*LANES[:2], ("x", "d", 0)),)), 3, "which the road lacks"),
    ],
)
def test_what_does_not_fit_is_refused(meaning: CueMeaning, size: int, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        check_meaning(meaning, size, GRAPH)
