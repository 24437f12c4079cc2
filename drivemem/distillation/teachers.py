"""Who teaches: the agent of a run, or a driver that knows what is hidden."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivemem.config import DistillConfig, TrainConfig
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import AgentDriver, PolicyDriver, ReferenceDriver
from drivemem.evaluation.external_drivers import MANUAL, resolve_driver
from drivemem.lesions import INTACT
from drivemem.runs import Run, open_run, run_folder
from drivemem_agents.checksums import digest
from drivemem_envs import Scenario


@dataclass(frozen=True)
class Teacher:
    """Someone who says what to do in the student's worlds."""

    label: str
    """How tables call it, such as `none (full sensors)`, or the driver's name."""
    scenario: Scenario
    """The student's scenario as the teacher sees it: its own sensors, tracker, rows and views."""
    driver: PolicyDriver | ReferenceDriver
    facts: dict[str, Any]
    """What the manifest says of it: whatever the student depends on."""


def teacher_run(name: str, beside: Path | None = None) -> Run | None:
    """The run that a teacher's name means; None: it is a driver's.

    Args:
        name: a folder, or the name of a driver.
        beside: of the student's run: a name alone may be that of a folder next to it, so that
            studies can be moved.
    """
    folder = run_folder(name)
    places = [folder] if beside is None else [beside.parent / name, folder]
    for place in places:
        if (place / "config.json").is_file():
            return Run(place)
    if "/" in name or Path(name).is_dir():
        return open_run(name)  # which says what is wrong with it
    return None


def where_it_teaches(name: str) -> dict[str, Any]:
    """Where a run was trained, as settings: a student learns there unless told otherwise."""
    run = Run(run_folder(name))
    if not run.config_file.is_file() or run.is_driver():
        return {}
    own = run.config()
    return {"scenario": own.scenario, **({"dials": own.dials} if own.dials else {})}


def open_teacher(config: DistillConfig, beside: Path | None = None) -> Teacher:
    """The teacher of a configuration.

    Args:
        config: of the student.
        beside: the folder of the student's run; see `teacher_run`.

    Raises:
        DrivememError: no such run or driver, a run without a trained agent, or one that cannot
            teach in the student's scenario.
    """
    run = teacher_run(config.teacher, beside)
    student = config.changed_scenario()
    if run is None:
        return _driver(config.teacher, student)
    if run.is_driver():
        return _driver(str(run.settings()["driver"]), student)
    if not run.has_agent():
        raise DrivememError(
            f"the teacher {run.folder} has no trained agent: train it to its end, or name another"
        )
    own = run.config()
    seen = own.model_copy(
        update={"scenario": config.scenario, "dials": config.dials}
    ).changed_scenario()
    facts = {
        "kind": "run",
        "name": config.teacher,
        "label": described(own),
        "settings": _identity(own),
        "weights": digest((run.model / "model.safetensors").read_bytes()),
        "scenario_hash": seen.hash(),
    }
    return Teacher(facts["label"], seen, AgentDriver(run.model, INTACT, True), facts)


def described(config: TrainConfig) -> str:
    """An agent in a few words: its memory and what it sees."""
    parts = [config.memory]
    if isinstance(config, DistillConfig):
        parts.append("distilled")
    if config.tracker != "none":
        parts.append(f"behind {config.tracker}")
    if config.full_sensors:
        parts.append("(full sensors)")
    return " ".join(parts)


def _identity(config: TrainConfig) -> str:
    """What two teachers have in common that differ in their seed alone."""
    plain = config.model_dump(mode="json", exclude={"seed", "teacher", "start_from"})
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]


def _driver(name: str, student: Scenario) -> Teacher:
    if name == MANUAL or name.startswith("sb3:"):
        raise DrivememError(
            f"{name} cannot teach: give a run of `drivemem train`, or a driver that answers for "
            "many worlds at once, such as oracle (`drivemem list drivers`)"
        )
    try:
        found = resolve_driver(name, student)
    except DrivememError as error:
        raise DrivememError(f"teacher '{name}' is no folder of a run, and {error}") from error
    facts = {
        "kind": "driver",
        "name": name,
        "label": found.name,
        "scenario_hash": found.scenario.hash(),
    }
    return Teacher(found.name, found.scenario, ReferenceDriver(found.driver), facts)
