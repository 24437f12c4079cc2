"""Every scenario in which the ego drives among traffic goes through the whole product.

Trained for two updates, evaluated with its memory intact and cut, its recording simulated again,
its memory probed. A new scenario is taken without being named here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from drivemem.episodes import read_table
from drivemem.evaluation.evaluate import evaluate
from drivemem.probes import probe
from drivemem.replays import replay
from drivemem.runs import Run
from drivemem.schemas import STEP_COLUMNS
from drivemem.training.train import train
from drivemem_envs import scenario
from drivemem_envs.names import SUITE
from tests.drivemem.conftest import small

# Scenarios with one decision go this way many times in other tests.
*OLDER, NEWEST = [name for name in SUITE if "provable" not in scenario(name).tags]
EACH = [NEWEST, *(pytest.param(name, marks=pytest.mark.slow) for name in OLDER)]


@pytest.fixture(scope="module", params=EACH)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = small(scenario=request.param, steps=128, num_envs=2)
    folder: Path = tmp_path_factory.mktemp(request.param) / "run"
    return train(settings, folder, quiet=True)


@pytest.fixture(scope="module")
def recording(run: Run) -> Path:
    return recorded(run)


def recorded(run: Run, **settings: str) -> Path:
    (found,) = evaluate(
        run.folder, episodes=2, record=2, num_envs=2, num_workers=1, quiet=True, **settings
    )
    assert found.recording is not None
    return found.recording


def test_its_episodes_can_be_simulated_again(recording: Path) -> None:
    found = replay(recording, verify=True)
    assert found.verified and len(found.verifications) >= 2


def test_its_memory_can_be_cut(run: Run, recording: Path) -> None:
    cut = recorded(run, lesion="reset_every:1")
    first, second = (
        read_table(place / "steps.parquet", STEP_COLUMNS) for place in (recording, cut)
    )
    # The first frame is the same; what the next ones are worth depends on what is remembered.
    assert first[0]["value"] == second[0]["value"]
    assert first[1]["value"] != second[1]["value"]


def test_its_memory_can_be_probed(run: Run) -> None:
    found = probe(run.folder, episodes=12, num_envs=4, num_workers=1, quiet=True)
    assert {score.input for score in found.scores} == {"observation", "frame stack", "memory"}
