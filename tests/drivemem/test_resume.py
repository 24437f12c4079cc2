"""A run killed at any moment and resumed is the run that was never interrupted."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drivemem.errors import DrivememError
from drivemem.runs import Run
from drivemem.training import train

from .conftest import small

COMMAND = [
    sys.executable, "-m", "drivemem", "train", "exit-recall", "--memory", "gru", "--steps", "1024",
    "--num-envs", "4", "--n-steps", "32", "--batch-size", "64", "--num-workers", "1",
    "--checkpoint-every", "2", "--aux-coef", "1", "--normalize-observations",
]  # fmt: skip


def start(out: Path, *more: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*COMMAND, "--out", str(out), *more]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert start(whole).wait() == 0
    broken = tmp_path / "broken"
    chance = random.Random(0)
    for _ in range(2):  # after the next checkpoint, wait for a random moment and kill
        known = set((broken / "checkpoints").glob("*"))
        process = start(broken, "--resume")
        while process.poll() is None and set((broken / "checkpoints").glob("[0-9]*")) <= known:
            time.sleep(0.02)
        time.sleep(chance.uniform(0.0, 0.4))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
    assert start(broken, "--resume").wait() == 0
    assert weights(broken) == weights(whole)

    def curve(folder: Path) -> list[dict[str, float]]:
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        return [
            {k: v for k, v in json.loads(line).items() if not k.startswith("time/")}
            for line in lines
        ]

    assert curve(broken) == curve(whole)


def test_ctrl_c_leaves_a_resumable_run_and_says_how(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [*COMMAND, "--out", str(out)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    while process.poll() is None and not (out / "metrics.jsonl").exists():
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "go on with: drivemem train exit-recall" in errors and "--resume" in errors
    assert "Traceback" not in errors


def test_a_finished_run_is_not_trained_again(run: Run) -> None:
    before = (run.model / "model.safetensors").stat().st_mtime_ns
    assert train(small(), run.folder, resume=True, quiet=True).folder == run.folder
    assert (run.model / "model.safetensors").stat().st_mtime_ns == before


def test_an_existing_run_is_not_overwritten(run: Run) -> None:
    with pytest.raises(DrivememError, match=r"exists: add --resume .* or choose another --out"):
        train(small(), run.folder, quiet=True)


def test_resuming_with_other_settings_names_them(run: Run) -> None:
    with pytest.raises(DrivememError, match=r"other settings \(learning_rate, gamma\)"):
        train(small(gamma=0.5, learning_rate=1.0), run.folder, resume=True, quiet=True)


def test_a_truncated_checkpoint_says_what_to_do(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    shutil.rmtree(copy / "model")
    newest = max((copy / "checkpoints").iterdir(), key=lambda path: int(path.name))
    file = newest / "model.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DrivememError, match="delete that folder to resume from the one before"):
        train(small(), copy, resume=True, quiet=True)
    shutil.rmtree(newest)
    train(small(), copy, resume=True, quiet=True)
    assert weights(copy) == weights(run.folder)
