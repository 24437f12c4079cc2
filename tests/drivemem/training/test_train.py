"""What a run's settings make of training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from drivemem.errors import DrivememError
from drivemem.runs import Run
from drivemem.training.train import train
from tests.drivemem.conftest import small

UPDATES = 4


def logged(run: Run, name: str) -> list[float]:
    """A metric of each update but the last, whose metrics no rollout follows."""
    lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [row[name] for row in map(json.loads, lines) if name in row]


def test_rate_and_entropy_bonus_fall_linearly_to_their_shares(tmp_path: Path) -> None:
    config = small(
        learning_rate=1e-3, final_learning_rate_share=0.2, ent_coef=0.04, final_ent_coef_share=0.0
    )
    config = config.model_copy(update={"steps": UPDATES * config.num_envs * config.n_steps})
    run = train(config, tmp_path / "run", quiet=True)
    left = 1.0 - np.arange(1, UPDATES) / UPDATES
    rates = logged(run, "train/learning_rate")
    np.testing.assert_allclose(rates, 1e-3 * (0.2 + 0.8 * left))
    np.testing.assert_allclose(logged(run, "train/ent_coef"), 0.04 * left, atol=1e-12)


@pytest.mark.parametrize(
    "theirs", ["model/net.py", "checkpoints/7/notes.txt", "metrics.jsonl", "manifest.json"]
)
@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_with_files_of_ones_own_is_refused(
    tmp_path: Path, theirs: str, resume: bool
) -> None:
    file = tmp_path / theirs
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    with pytest.raises(DrivememError, match="training did not write it: move it away"):
        train(small(), tmp_path, resume=resume, quiet=True)
    assert file.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


def test_files_of_ones_own_beside_a_run_stay(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    (copy / "model" / "agent.json").unlink()
    (copy / "model" / "thesis.txt").write_text("mine")
    with pytest.raises(DrivememError, match=r"thesis\.txt is there, and training did not write"):
        train(small(), copy, resume=True, quiet=True)
    (copy / "model" / "thesis.txt").rename(copy / "thesis.txt")
    shutil.rmtree(copy / "checkpoints" / "512")  # of the end: the last updates are made again
    oldest = copy / "checkpoints" / "1"
    oldest.mkdir()
    for name in ("thesis.txt", "state.json"):
        (oldest / name).write_text("mine")
    train(small(checkpoint_every=1), copy, resume=True, quiet=True)
    assert (copy / "thesis.txt").read_text() == "mine"
    assert [file.name for file in oldest.iterdir()] == ["thesis.txt"]


def test_the_entropy_bonus_stays_unless_told(tmp_path: Path) -> None:
    run = train(small(ent_coef=0.04), tmp_path / "run", quiet=True)
    assert set(logged(run, "train/ent_coef")) == {0.04}


def test_numbers_that_are_not_finite_stop_training_and_the_checkpoint_stays(tmp_path: Path) -> None:
    config = small(checkpoint_every=1, learning_rate=1e30)
    config = config.model_copy(update={"steps": 8 * config.num_envs * config.n_steps})
    with pytest.raises(DrivememError, match=r"training stopped .* is (inf|nan)"):
        train(config, tmp_path / "run", quiet=True)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "running"
    assert not Run(tmp_path / "run").model.exists()
