"""`drivemem distill RUN --to machine|tree`: files, numbers, refusals."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from drivemem.cli import run_command
from drivemem.distillation.distill import distill
from drivemem.errors import DrivememError
from drivemem.explaining.explain import explain
from drivemem.runs import Run, read_json
from drivemem.training.train import train
from tests.drivemem.conftest import small
from tests.drivemem.distillation.conftest import lesson


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    """The trained run, to be written into."""
    shutil.copytree(run.folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_machine_is_written_with_its_picture_and_how_true_it_is(copy: Path) -> None:
    found = explain(copy, "machine", episodes=12, states=5, quiet=True)
    assert 0.0 <= found.agreement <= 1.0 and found.size <= 5 and found.facts == 3
    stored = read_json(copy / "machine" / "machine.json")
    assert stored["agreement"] == found.agreement
    shares = [state["share_of_time"] for state in stored["states"].values()]
    assert sum(shares) == pytest.approx(1.0)
    assert (copy / "machine" / "machine.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (copy / "machine" / "machine.svg").read_text()
    assert "at the beginning" in (copy / "machine" / "machine.txt").read_text()


def test_a_tree_is_printed_with_the_names_of_what_is_seen(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(copy), "--to", "tree", "--depth", "3", "--episodes", "12"]
    assert run_command("distill", words) == 0
    assert "success of the tree" in capsys.readouterr().out
    assert read_json(copy / "tree" / "tree.json")["depth"] == 3
    text = (copy / "tree" / "tree.txt").read_text()
    assert "IDLE" in text or "LANE_" in text


def test_a_memory_without_a_state_is_no_machine(tmp_path: Path) -> None:
    run = train(small(memory="none", memory_kwargs=(), steps=128), tmp_path / "run", quiet=True)
    with pytest.raises(DrivememError, match="carries no state"):
        explain(run.folder, "machine", quiet=True)


def test_continuous_actions_are_refused(tmp_path: Path) -> None:
    config = small(scenario="drivemem/racetrack-v0", memory="none", memory_kwargs=(), steps=128)
    run = train(config, tmp_path / "run", quiet=True)
    with pytest.raises(DrivememError, match="continuous actions"):
        explain(run.folder, "tree", quiet=True)


def test_unknown_settings_are_refused(copy: Path) -> None:
    with pytest.raises(DrivememError, match="did you mean 'states'"):
        explain(copy, "machine", stattes=3)


def test_without_a_run_it_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("distill", ["--to", "machine"]) == 2
    assert "give the folder of a trained run" in capsys.readouterr().err


@pytest.mark.slow
def test_the_machine_of_an_agent_that_recalls_has_a_branch_for_each_sign(tmp_path: Path) -> None:
    config = lesson(
        "oracle", memory_kwargs=("gate_bias=100",), num_envs=32, n_steps=64, batch_size=512,
        learning_rate=1.5e-3, steps=160_000, aux_coef=1.0,
    )  # fmt: skip
    run = distill(config, tmp_path / "gru", quiet=True)
    machine = explain(run.folder, "machine", quiet=True)
    assert machine.branches == machine.facts == 3
    assert machine.told_bits is not None and machine.fact_bits is not None
    assert machine.told_bits > 0.9 * machine.fact_bits
    assert machine.success > 0.9 * machine.agents_success > 0.85
    tree = explain(run.folder, "tree", quiet=True)
    assert tree.success < 0.55, "what is lost is what memory held"
