"""Submissions of runs that were trained and evaluated here: their episodes, as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drivemem.config import WITHOUT_EFFECT, DistillConfig, TrainConfig
from drivemem.episodes import read_episodes
from drivemem.errors import DrivememError, one_line
from drivemem.lesions import INTACT
from drivemem.runs import Run, open_run, read_json, versions
from drivemem.submissions.config import SubmitConfig
from drivemem.submissions.files import EPISODES, SUITE, check_tracker
from drivemem.submissions.manifest import Manifest
from drivemem_envs import registry

_APART = {*WITHOUT_EFFECT, "seed", "device"}
"""Settings in which the runs of one agent may differ."""


def packed(
    paths: Sequence[str | Path], config: SubmitConfig
) -> tuple[Manifest, list[dict[str, Any]]]:
    """The manifest and the episodes of evaluated runs of one agent.

    Args:
        paths: the runs' folders.
        config: who submits it, and what it is called.

    Raises:
        DrivememError: runs that are not of one agent, not evaluated, or see what is hidden.
    """
    runs = [open_run(path) for path in paths]
    trained = [_trained(run) for run in runs]
    _refuse_others(runs, trained)
    rows = [read_episodes(_evaluation(run, EPISODES)) for run in runs]
    suite = _suite(runs)
    first, numbers = trained[0], {run.manifest().get("parameters") for run in runs}
    backends = {row["backend"] for part in rows for row in part}
    if len(backends) != 1:
        raise DrivememError(
            f"the runs were evaluated on {' and '.join(sorted(backends))}: evaluate them on one "
            "backend"
        )
    with one_line(ValueError):
        manifest = Manifest.checked(
            {
                "agent": config.agent, "by": config.by, "trained": config.trained,
                "steps": first.steps, "saw": _saw(first), "interface": "run",
                "trained_on": registry.scenario(first.scenario).name.removeprefix("drivemem/"),
                "seeds": [one.seed for one in trained],
                "parameters": numbers.pop() if len(numbers) == 1 else None,
                "tracker": first.tracker, "backend": backends.pop(),
                "versions": versions(), "suite": suite,
            }
        )  # fmt: skip
    return manifest, [
        {**row, "driver": config.agent, "run": manifest.run_name(one.seed)}
        for one, part in zip(trained, rows, strict=True)
        for row in part
    ]


def _trained(run: Run) -> TrainConfig:
    """A run's configuration, where it may be submitted."""
    if run.is_driver():
        raise DrivememError(f"{run.folder} is a driver's: submit it with --driver")
    config = run.config()
    if config.full_sensors:
        raise DrivememError(f"{run.folder} has full sensors: submit what the scenario's show")
    changed = config.sensors.model_dump(exclude_none=True) or config.dials
    if changed:
        raise DrivememError(
            f"{run.folder} was trained with changed sensors or dials ({changed}): submit what "
            "drives the scenario as it is"
        )
    check_tracker(str(run.folder), config.tracker)
    return config


def _refuse_others(runs: Sequence[Run], trained: Sequence[TrainConfig]) -> None:
    """Refuse runs that differ in more than their seed, or do not differ in it."""
    first = trained[0].model_dump()
    for run, config in zip(runs, trained, strict=True):
        settings = config.model_dump()
        found = [key for key in first if key not in _APART and settings.get(key) != first[key]]
        if found:
            raise DrivememError(
                f"{run.folder} differs from {runs[0].folder} in {', '.join(found)}: a submission "
                "is of one agent, whose runs differ in their seed alone"
            )
    seeds = [config.seed for config in trained]
    if len(set(seeds)) < len(seeds):
        raise DrivememError(f"the runs' seeds are {seeds}: give each once")


def _suite(runs: Sequence[Run]) -> dict[str, Any]:
    """The suite that all runs met."""
    files = [_evaluation(run, "suite.json") for run in runs]
    suites = [read_json(file) for file in files]
    for file, suite in zip(files, suites, strict=True):
        if suite.get("hash") != suites[0].get("hash"):
            raise DrivememError(
                f"{file} is another suite than {files[0]}: evaluate the runs on the same episodes"
            )
    return suites[0]


def _evaluation(run: Run, name: str) -> Path:
    """A file of a run's evaluation on the test suite, nothing cut."""
    file = run.folder / "evaluations" / f"{SUITE}-{INTACT}" / name
    if not file.is_file():
        raise DrivememError(f"{file} is missing: `drivemem evaluate {run.folder}` first")
    return file


def _saw(config: TrainConfig) -> str:
    """What an agent was given besides the observation while it was trained."""
    parts = []
    if config.aux_coef:
        parts.append("the true state as targets of an auxiliary loss")
    if config.critic == "privileged":
        parts.append("the true state in its critic")
    if isinstance(config, DistillConfig):
        parts.append(f"the actions of the teacher {Path(config.teacher).name}")
    return " and ".join(parts) + (" (in training)" if parts else "")
