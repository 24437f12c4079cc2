from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivemem import evaluate
from drivemem.errors import DrivememError
from drivemem.replays import ReplayResult, replay
from drivemem.replays.load import Trace, find_recording
from drivemem.replays.simulate import other_backend
from drivemem.replays.verify import summary, verify


@pytest.fixture
def trace(recording: Path) -> Trace:
    loaded = find_recording(recording)
    return loaded.trace(loaded.episodes[0])


def with_actors(trace: Trace, **columns: Any) -> Trace:
    return Trace(trace.row, trace.steps, {**trace.actors, **columns})


def test_a_recording_is_simulated_again_bit_for_bit(trace: Trace) -> None:
    found = verify(trace)
    assert found.identical and found.agrees
    assert "identical" in str(found)


def test_the_first_difference_is_named(trace: Trace) -> None:
    x = trace.actors["x"].copy()
    step, actor = 7, 2
    row = np.flatnonzero((trace.actors["step"] == step) & (trace.actors["id"] == actor))[0]
    x[row] += 0.01
    x[-1] += 5.0
    found = verify(with_actors(trace, x=x))
    assert not found.identical and not found.agrees
    assert (found.step, found.actor, found.column) == (step, actor, "x")
    assert found.recorded == pytest.approx((found.simulated or 0.0) + 0.01)
    assert f"step {step}, actor {actor}: x was recorded as" in str(found)


def test_another_action_shows_in_the_ego_first(trace: Trace) -> None:
    actions = trace.steps["action"].copy()
    actions[3] = "0"
    found = verify(Trace(trace.row, {**trace.steps, "action": actions}, trace.actors))
    # The brake is felt in the state after it.
    assert (found.step, found.actor) == (4, 0)


def test_another_seed_is_another_scene(trace: Trace) -> None:
    found = verify(Trace(replace(trace.row, seed=7), trace.steps, trace.actors))
    assert not found.agrees and found.step == 0


def test_an_actor_that_is_not_there_is_named(trace: Trace) -> None:
    ids = np.where(trace.actors["id"] == 3, 77, trace.actors["id"])
    found = verify(with_actors(trace, id=ids))
    assert found.step == 0 and "actor 3 was not recorded" in str(found)


def test_a_recording_that_stops_early_is_noticed(trace: Trace) -> None:
    kept = trace.actors["step"] < 10
    found = verify(with_actors(trace, **{name: c[kept] for name, c in trace.actors.items()}))
    assert found.step == 10 and "the recording ends" in str(found)


def test_rounded_rows_agree_without_being_identical(trace: Trace) -> None:
    found = verify(with_actors(trace, x=trace.actors["x"] + 1e-8))
    assert found.agrees
    other_digest = replace(trace.row, digest="0" * 64)
    found = verify(Trace(other_digest, trace.steps, trace.actors))
    assert found.agrees and not found.identical
    assert "not bit for bit" in str(found)


def test_a_summary_counts_each_backend_and_arithmetic(trace: Trace) -> None:
    same = verify(trace)
    near, far = replace(same, identical=False), replace(same, identical=False, agrees=False)
    exact = replace(same, backend="compiled", recorded_on_it=False, exact=True)
    assert summary([same, replace(near, episode=8), replace(far, episode=9), exact]) == (
        "3 episodes driven again; reference backend, which recorded: 1 bit for bit, 1 equal to "
        "within 1e-06, 1 different; compiled backend in exact arithmetic: 1 bit for bit"
    )


def test_an_unknown_scenario_is_one_line(trace: Trace) -> None:
    unknown = replace(trace.row, scenario="occluded-intersektion-v0")
    with pytest.raises(DrivememError, match="did you mean 'occluded-intersection-v0'"):
        verify(Trace(unknown, trace.steps, trace.actors))


def test_the_other_backend_informs_but_does_not_decide(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = Trace(replace(trace.row, backend="compiled"), trace.steps, trace.actors)
    assert other_backend(compiled.row) == "reference"
    found = verify(compiled, "reference")
    assert found.agrees and not found.recorded_on_it
    wrong = replace(found, agrees=False, identical=False)
    assert ReplayResult(verifications=[wrong]).verified
    assert not ReplayResult(verifications=[replace(wrong, recorded_on_it=True)]).verified
    monkeypatch.setattr("drivemem_envs.making.compiles", lambda scenario: "no")
    assert other_backend(trace.row) is None
    monkeypatch.setattr("drivemem_envs.making.compiles", lambda scenario: None)
    assert other_backend(trace.row) == "compiled"


@pytest.mark.parametrize("backend", ["compiled", "reference"])
def test_scenes_out_of_the_bank_are_verified_too(backend: str, tmp_path: Path) -> None:
    """Those are made ahead by highway-env's own reset: no kernel resets this world."""
    evaluate(
        driver="random", scenario="parking-v0", episodes=2, record="2", out=tmp_path / "run",
        backend=backend, quiet=True, num_workers=1,
    )  # fmt: skip
    found = replay(tmp_path / "run", verify=True).verifications
    assert len(found) == 4
    assert {one.backend for one in found} == {"compiled", "reference"}
    assert all(one.identical for one in found if one.recorded_on_it or one.exact)
    assert all(one.agrees for one in found)
