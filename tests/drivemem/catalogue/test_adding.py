"""What an agent must pass to come into the zoo, and what is kept of it."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from drivemem.catalogue.adding import CUT, add
from drivemem.catalogue.command import training_command
from drivemem.cli import run_command
from drivemem.config import TrainConfig, build_config
from drivemem.errors import DrivememError
from drivemem.lesions import INTACT
from drivemem.runs import Run
from tests.drivemem.conftest import small


def test_the_command_says_only_what_differs() -> None:
    config = TrainConfig(scenario="parking-v0", full_sensors=True, steps=9)
    words = shlex.join(training_command(config))
    assert words == "drivemem train parking-v0 --memory gru --steps 9 --full-sensors"


@pytest.mark.parametrize("preset", [True, False])
def test_the_command_gives_the_configuration(
    preset: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drivemem.training.starting import started

    given: dict[str, Any] = {
        "scenario": "exit-recall",
        "memory": "lstm",
        "dials": ("exits_count=4",),
    }
    config = started(given, None, quiet=True) if preset else small(aux_coef=2.5)
    words = training_command(config)
    assert ("--preset" in words) is not preset
    made = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "drivemem.training.train.train",
        lambda found, *_, **__: made.append(found) or Run(tmp_path),
    )
    assert run_command("train", words[2:]) == 0
    assert made[0].hash() == config.hash()


@pytest.mark.parametrize("changes", [{"start_from": "runs/a"}, {"teacher": "oracle"}])
def test_agents_that_no_single_command_makes_are_refused(changes: dict[str, str]) -> None:
    config = build_config({"scenario": "exit-recall", **changes})
    with pytest.raises(DrivememError, match="a teacher, a run to start from"):
        training_command(config)


@pytest.mark.parametrize(
    ("name", "episodes", "says"),
    [
        ("hidden-crossing/gru", 300, "call it exit-recall/gru"),
        ("exit-recall/../gru", 300, "is no name"),
        ("exit-recall", 300, "is no name"),
        ("exit-recall/taken", 300, "is there already"),
        ("exit-recall/gru", 299, "at least 300"),
    ],
)
def test_what_may_not_be_added(
    run: Run, name: str, episodes: int, says: str, tmp_path: Path
) -> None:
    (tmp_path / "exit-recall" / "taken").mkdir(parents=True)
    with pytest.raises(DrivememError, match=says):
        add(run.folder, name, episodes=episodes, root=tmp_path)


def test_a_run_of_another_version_of_its_scenario_is_refused(run: Run, tmp_path: Path) -> None:
    old = Run(shutil.copytree(run.folder, tmp_path / "old"))
    facts = old.manifest() | {"scenario_hash": "0" * 64}
    old.manifest_file.write_text(json.dumps(facts))
    with pytest.raises(DrivememError, match="another version of exit-recall"):
        add(old.folder, "exit-recall/gru", root=tmp_path)


@pytest.mark.slow
def test_an_added_agent_is_a_run_less_its_training(run: Run, tmp_path: Path) -> None:
    before = sorted(run.folder.rglob("*"))
    made = add(run.folder, "exit-recall/gru", episodes=300, record=2, root=tmp_path)
    assert sorted(run.folder.rglob("*")) == before
    assert list(made.stated) == [INTACT, CUT]
    assert made.stated[INTACT].episodes == made.stated[CUT].episodes == 300
    kept = {path.name for path in made.run.folder.iterdir()}
    assert kept == {
        "config.json", "manifest.json", "model", "evaluations", "recordings", "probes",
    }  # fmt: skip
    assert {path.name for path in made.run.model.iterdir()} == {"agent.json", "model.safetensors"}
    assert made.command.startswith("drivemem train exit-recall --memory gru")
    for file in made.run.folder.rglob("*.json"):
        assert str(tmp_path) not in file.read_text()
