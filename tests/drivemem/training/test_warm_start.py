"""Training that starts from another run: weights taken over, held, refused if they do not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from drivemem.errors import DrivememError
from drivemem.runs import Run, read_json, write_json_file
from drivemem.training.train import train
from tests.drivemem.conftest import small


def drift(run: Run, start: Run) -> float:
    """Drift of a run's weights from those it started with, weighted by their importance."""
    importance = load_file(start.folder / "importance.safetensors")
    ours, theirs = (load_file(home.model / "model.safetensors") for home in (run, start))
    return float(sum((v * (ours[k] - theirs[k]) ** 2).sum() for k, v in importance.items()))


def test_training_starts_from_the_weights_of_another_run(run: Run, tmp_path: Path) -> None:
    tuned = train(
        small(start_from=str(run.folder), steps=128, learning_rate=1e-12),
        tmp_path / "t",
        quiet=True,
    )
    ours, theirs = (load_file(home.model / "model.safetensors") for home in (tuned, run))
    for name, weight in theirs.items():
        np.testing.assert_allclose(ours[name], weight, atol=1e-6)
    with pytest.raises(DrivememError, match="memory, sizes, observation and actions must be"):
        train(small(start_from=str(run.folder), memory_kwargs=()), tmp_path / "u", quiet=True)
    with pytest.raises(DrivememError, match="is no run"):
        train(small(start_from=str(tmp_path / "gone")), tmp_path / "v", quiet=True)


def test_consolidation_slows_the_drift_of_what_the_first_run_relies_on(
    run: Run, tmp_path: Path
) -> None:
    drifts = []
    for coef in (0.0, 10_000.0):
        config = small(
            start_from=str(run.folder), consolidation_coef=coef, dials=("truck_speed=5",)
        )
        drifts.append(drift(train(config, tmp_path / str(coef), quiet=True), run))
    assert 0.0 < drifts[1] < 0.5 * drifts[0]


def test_consolidation_needs_a_run_to_hold_on_to(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match="--start-from"):
        train(small(consolidation_coef=1.0), tmp_path / "a", quiet=True)
    old = tmp_path / "old"
    shutil.copytree(run.folder, old)
    (old / "importance.safetensors").unlink()
    with pytest.raises(DrivememError, match=r"train .*old again, or leave the penalty off"):
        train(small(start_from=str(old), consolidation_coef=1.0), tmp_path / "b", quiet=True)


def test_a_run_does_not_go_on_in_another_version_of_its_scenario(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    manifest = read_json(copy / "manifest.json")
    write_json_file(copy / "manifest.json", {**manifest, "scenario_hash": "0" * 64})
    with pytest.raises(DrivememError, match=r"another version of exit-recall .* train it anew"):
        train(small(), copy, resume=True, quiet=True)
