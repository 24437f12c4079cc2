"""What a run's settings make of training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

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


def test_the_entropy_bonus_stays_unless_told(tmp_path: Path) -> None:
    run = train(small(ent_coef=0.04), tmp_path / "run", quiet=True)
    assert set(logged(run, "train/ent_coef")) == {0.04}
