"""The curve of a run survives full disks and torn lines, and garbage is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from drivemem.cli import run_command
from drivemem.comparison.figures import read_curve
from drivemem.errors import DrivememError
from drivemem.runs import Run, read_metrics
from drivemem.training.metrics import JsonLines
from drivemem.training.train import train
from tests.drivemem.conftest import small

FULL = Path("/dev/full")
GARBAGE = [b"\xff\xfe\x00garbage\n" * 9, b"[1, 2]\n" * 9, b"{}\n" * 9, b"\n" * 9]


@pytest.fixture
def unfinished(run: Run, tmp_path: Path) -> Run:
    """The trained run as it was at its last checkpoint before the end."""
    copy = Run(tmp_path / "copy")
    shutil.copytree(run.folder, copy.folder)
    shutil.rmtree(copy.model)
    end = copy.latest_checkpoint()
    assert end is not None
    shutil.rmtree(end)
    return copy


def steps(of: Run) -> list[float]:
    return [line["step"] for line in read_metrics(of.metrics_file)]


def test_a_torn_last_line_is_dropped_and_written_again(run: Run, unfinished: Run) -> None:
    whole = unfinished.metrics_file.read_bytes()
    unfinished.metrics_file.write_bytes(whole[:-20])
    assert len(steps(unfinished)) == len(steps(run)) - 1
    train(small(), unfinished.folder, resume=True, quiet=True)
    assert steps(unfinished) == steps(run)


def test_lost_lines_are_said(unfinished: Run, capsys: pytest.CaptureFixture[str]) -> None:
    unfinished.metrics_file.write_bytes(b'{"step": 1')
    train(small(), unfinished.folder, resume=True, quiet=True)
    assert "has 0 of the 2 updates before the checkpoint" in capsys.readouterr().err
    assert len(steps(unfinished)) == 2


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_one_clear_line(unfinished: Run, garbage: bytes) -> None:
    unfinished.metrics_file.write_bytes(garbage)
    with pytest.raises(DrivememError, match="is damaged: line 1 is ") as error:
        train(small(), unfinished.folder, resume=True, quiet=True)
    assert "\n" not in str(error.value)
    assert read_curve(unfinished.metrics_file) == ([], [])


def test_a_finished_run_with_a_damaged_curve_is_no_traceback(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = [
        "exit-recall", "--preset", "none", "--steps", "128", "--num-envs", "4", "--n-steps", "32",
        "--batch-size", "64", "--num-workers", "1", "--out", str(out), "--resume",
    ]  # fmt: skip
    assert run_command("train", words) == 0
    (out / "metrics.jsonl").write_bytes(GARBAGE[0])
    assert run_command("train", words) == 1
    assert "is damaged: line 1" in capsys.readouterr().err


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
def test_a_full_disk_is_one_clear_line() -> None:
    writer = JsonLines(FULL)
    with pytest.raises(DrivememError, match=r"cannot write /dev/full: No space .* --resume"):
        writer.write({"rollout/success_rate": 0.5}, {}, 1)
    writer.close()


def test_lines_are_numbers_or_nothing(tmp_path: Path) -> None:
    writer = JsonLines(tmp_path / "metrics.jsonl")
    writer.write({"a": float("nan"), "b": 2, "c": "words"}, {}, 7)
    writer.close()
    line = (tmp_path / "metrics.jsonl").read_text()
    assert json.loads(line) == {"step": 7, "a": None, "b": 2.0}
