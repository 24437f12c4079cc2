"""A device that was asked for is had, or refused with those there are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from drivemem.backends import check_device
from drivemem.cli import run_command
from drivemem.errors import DrivememError
from drivemem.evaluation.loading import load
from drivemem.runs import Run


def with_cuda(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize("device", ["mps", "bogus", "2**3", "", "cuda", "cuda:0", "CPU", "cpu:1"])
def test_what_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    with_cuda(monkeypatch, 0)
    with pytest.raises(DrivememError, match=r"give one of auto, cpu$"):
        check_device(device)


def test_what_is_there_is_had(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cuda(monkeypatch, 2)
    for device in ("auto", "cpu", "cuda", "cuda:1"):
        assert check_device(device) == device
    with pytest.raises(DrivememError, match=r"give one of auto, cpu, cuda, cuda:0, cuda:1$"):
        check_device("cuda:2")


def test_training_and_loading_ask_first(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_cuda(monkeypatch, 0)
    words = ["exit-recall", "--device", "cuda", "--out", str(tmp_path / "run")]
    assert run_command("train", words) == 1
    said = capsys.readouterr().err
    assert "device 'cuda' is not to be had (torch finds no CUDA here): give one of auto" in said
    assert said.count("\n") == 1 and not (tmp_path / "run").exists()
    with pytest.raises(DrivememError, match="device 'mps'"):
        load(run.folder, device="mps")
