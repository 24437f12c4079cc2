"""`drivemem replay` on what `drivemem evaluate --record` writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import drivemem
from drivemem.cli import run_command
from drivemem.evaluation.evaluate import evaluate
from drivemem.replays import replay
from drivemem_envs.compiled.exactness import exact_environment
from tests.drivemem.replays.conftest import record

SCENARIO = "occluded-intersection-v0"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for driver in ("constant:FASTER", "ghost"):
        evaluate(
            driver=driver, scenario=SCENARIO, episodes=3, record=2, backend="reference",
            num_envs=2, num_workers=1, out=folder / driver.partition(":")[0], quiet=True,
        )  # fmt: skip
    return folder


def test_what_evaluation_records_is_replayed_and_verified(runs: Path, tmp_path: Path) -> None:
    done = replay(runs / "constant", against=runs / "ghost", page=tmp_path / "p.html", verify=True)
    own = [found.identical for found in done.verifications if found.recorded_on_it]
    assert own == [True] * 4
    assert done.verified and done.page == tmp_path / "p.html"


def test_the_command_says_what_it_wrote(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "p.html"
    words = [str(runs / "constant"), "--against", str(runs / "ghost"), "--page", str(page)]
    assert run_command("replay", [*words, "--verify", "--episode", "1", "--verbose"]) == 0
    told = capsys.readouterr().out
    assert "constant, episode 1, reference backend: identical, bit for bit" in told
    assert "ghost, episode 1" in told and str(page) in told.replace("\n", "")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six episodes as the demo records them."""
    out = tmp_path_factory.mktemp("compiled") / "run"
    evaluate(
        driver="constant:LANE_LEFT", scenario="exit-recall", episodes=6, record=6, num_envs=2,
        backend="compiled", num_workers=1, out=out, quiet=True,
    )  # fmt: skip
    return out


@pytest.mark.skipif(not exact_environment(), reason="arithmetic is exact on x86 only")
def test_kernels_and_highway_env_agree_to_the_last_bit(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = replay(compiled, verify=True)
    assert [(one.backend, one.exact, one.identical) for one in done.verifications] == [
        *[("compiled", False, True)] * 6, *[("reference", True, True)] * 6
    ]  # fmt: skip
    assert run_command("replay", [str(compiled), "--verify"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "6 episodes driven again; compiled backend, which recorded: 6 bit for bit; reference "
        "backend in exact arithmetic: 6 bit for bit"
    ]


def test_without_a_process_of_exact_arithmetic_nothing_is_called_exact(
    compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "false")
    found = replay(compiled, verify=True, episode=0).verifications
    assert [(one.backend, one.exact, one.agrees) for one in found] == [
        ("compiled", False, True), ("reference", False, True)
    ]  # fmt: skip


def test_a_difference_is_exit_code_1(
    recorder: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = recorder(tmp_path / "r", "constant:FASTER", [6], seed=7)
    assert run_command("replay", [str(folder), "--verify"]) == 1
    assert "differs first at step 0" in capsys.readouterr().out


def test_a_missing_run_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command("replay", ["nowhere"]) == 1
    assert capsys.readouterr().err.startswith("drivemem replay: there is no run or recording")


def test_bad_usage_is_exit_code_2() -> None:
    with pytest.raises(SystemExit) as stopped:
        run_command("replay", [])
    assert stopped.value.code == 2


def test_compare_and_replay_can_be_called_again(
    study: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = record(tmp_path_factory.mktemp("recording"), "constant:IDLE", [3])
    for _ in range(2):
        assert len(drivemem.compare([study]).tables) == 1
        assert drivemem.replay(folder, page=folder / "page.html").page == folder / "page.html"
