"""Metrics are shown elsewhere too where that is asked for, and training never depends on it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import drivemem
from drivemem.cli import run_command
from drivemem.errors import DrivememError
from drivemem.runs import Run, read_metrics
from drivemem.training.mirrors import LOG, WANDB_ID, chosen, logging_to

SMALL: dict[str, Any] = {
    "memory": "none", "steps": 256, "num_envs": 4, "n_steps": 32, "batch_size": 64,
    "n_epochs": 1, "preset": "none", "quiet": True,
}  # fmt: skip


class FakeWandb:
    """Stands for the package: keeps what it is told."""

    def __init__(self, broken: bool = False) -> None:
        self.runs: list[dict[str, Any]] = []
        self.lines: list[dict[str, float]] = []
        self.finished = 0
        self._broken = broken

    def init(self, **options: Any) -> Any:
        self.runs.append(options)
        return SimpleNamespace(
            define_metric=lambda *words, **options: None, log=self._log, finish=self._finish
        )

    def _log(self, line: dict[str, float]) -> None:
        if self._broken:
            raise RuntimeError("no connection")
        self.lines.append(line)

    def _finish(self) -> None:
        self.finished += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    found = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", found)
    return found


def test_weights_and_biases_is_told_what_metrics_jsonl_holds(
    tmp_path: Path, fake: FakeWandb
) -> None:
    run = drivemem.train("exit-recall", tmp_path / "run", log=["wandb"], **SMALL)
    rows = read_metrics(run.metrics_file)
    assert [line["step"] for line in fake.lines] == [row["step"] for row in rows]
    for line, row in zip(fake.lines, rows, strict=True):
        assert {k: v for k, v in line.items() if v == v} == {
            k: v for k, v in row.items() if v is not None
        }
    (options,) = fake.runs
    assert options["name"] == "run" and options["project"] == "drivemem"
    assert options["config"] == json.loads(run.config_file.read_text()) and fake.finished == 1
    assert not (run.folder / "tensorboard").exists()


def test_a_run_that_goes_on_is_the_same_run_there(tmp_path: Path, fake: FakeWandb) -> None:
    for steps in (256, 512):
        drivemem.train(
            "exit-recall", tmp_path / "run", log=["wandb"], resume=True, **{**SMALL, "steps": steps}
        )
    other = drivemem.train("exit-recall", tmp_path / "other", log=["wandb"], **SMALL)
    ids = [options["id"] for options in fake.runs]
    assert ids[0] == ids[1] != ids[2]
    assert ids[2] == (other.folder / WANDB_ID).read_text().strip()


def test_what_it_cannot_take_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", FakeWandb(broken=True))
    run = drivemem.train("exit-recall", tmp_path / "run", log=["wandb"], **SMALL)
    assert run.has_agent() and len(read_metrics(run.metrics_file)) == 2
    said = capsys.readouterr().err
    assert said.count("Weights & Biases takes no more (no connection)") == 1


def test_without_the_package_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(DrivememError, match="Weights & Biases is not installed"):
        drivemem.train("exit-recall", tmp_path / "run", log=["wandb"], **SMALL)


@pytest.mark.parametrize("words", [["train", "exit-recall"], ["study", "experiments/x.toml"]])
def test_an_unknown_log_is_named_before_anything_is_written(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if words[0] == "study":
        words = ["study", str(tmp_path / "x.toml")]
        (tmp_path / "x.toml").write_text("seeds = 1\n[scenarios.exit-recall]\n[agents.none]\n")
    out = tmp_path / "out"
    assert run_command(words[0], [*words[1:], "--out", str(out), "--log", "wand"]) == 1
    assert "log 'wand' is unknown; did you mean 'wandb'?" in capsys.readouterr().err
    assert not (out / "config.json").exists() and not list(out.glob("*/config.json"))


def test_names_come_from_the_environment_where_none_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(LOG, raising=False)
    assert chosen(None) == ["tensorboard"]
    monkeypatch.setenv(LOG, "wandb, tensorboard,wandb")
    assert chosen(None) == ["wandb", "tensorboard"] and chosen([]) == [] == chosen(["none"])
    with logging_to(["tensorboard"]):
        assert chosen(None) == ["tensorboard"]
        with logging_to([]):
            assert chosen(None) == []
    assert chosen(None) == ["wandb", "tensorboard"]


def test_the_package_itself_off_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = drivemem.train("exit-recall", tmp_path / "run", log=["wandb"], **SMALL)
    assert Run(run.folder).has_agent()
    assert list((run.folder / "wandb").glob("offline-run-*/*.wandb"))
