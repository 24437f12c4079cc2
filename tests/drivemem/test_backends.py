"""A device that was asked for is had, or refused with those there are."""

from __future__ import annotations

import re
import warnings
from importlib import import_module
from pathlib import Path

import pytest
import torch

from drivemem.backends import check_device, choose_backend
from drivemem.cli import run_command
from drivemem.errors import DrivememError
from drivemem.evaluation.loading import load
from drivemem.runs import Run
from drivemem_envs import make_vec


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


OWN_REWARD = """
from highway_env.envs.highway_env import HighwayEnvFast
from drivemem_envs import Scenario

class World(HighwayEnvFast):
    def _reward(self, action):
        return 1.0

OWN = Scenario(name="own-v0", world="slow_world:World", config={"duration": 5})
"""


def test_the_reference_backend_says_why_and_what_it_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "slow_world.py").write_text(OWN_REWARD)
    monkeypatch.syspath_prepend(tmp_path)
    scenario = import_module("slow_world").OWN
    price = (
        r"own-v0 runs on the reference backend \(World has _reward of its own, which the compiled "
        r"backend does not reproduce\): about [1-9]\d* decisions/s for each process here, in place "
        r"of some 4,000 to 40,000 on the compiled one"
    )
    with pytest.warns(RuntimeWarning, match=price):
        assert make_vec(scenario, 2).backend == "reference"  # type: ignore[attr-defined]
    for _ in range(2):
        assert choose_backend("auto", scenario) == "reference"
    assert re.fullmatch(price + "\n", capsys.readouterr().out)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_vec(scenario, 2, backend="reference")
        assert choose_backend("reference", scenario) == "reference"
    assert not capsys.readouterr().out
