"""Making a submission: of evaluated runs, or of a driver from elsewhere that drives for it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drivemem.backends import choose_backend
from drivemem.errors import DrivememError, one_line
from drivemem.evaluation.config import EvaluateConfig
from drivemem.evaluation.drivers import ReferenceDriver
from drivemem.evaluation.evaluate import drive
from drivemem.evaluation.jobs import Job, driver_job
from drivemem.runs import versions
from drivemem.submissions.config import SubmitConfig
from drivemem.submissions.files import (
    FILES,
    Submission,
    check_tracker,
    read_submission,
    write_submission,
)
from drivemem.submissions.manifest import Manifest
from drivemem.submissions.packing import packed
from drivemem.threads import limit_threads
from drivemem_agents.files import check_replaceable
from drivemem_agents.settings import documented_by
from drivemem_envs import registry

SUBMISSIONS = Path("submissions")


@documented_by(SubmitConfig)
def submit(runs: Sequence[str | Path] = (), *, quiet: bool = False, **settings: Any) -> Submission:
    """Write a submission: one agent on the test suite of one scenario, several training runs of it.

    Args:
        runs: folders of evaluated runs of one agent; else give `driver` and `scenario`.
        quiet: no progress.
        **settings: as listed below; `agent` and `by` are needed.

    Returns:
        The submission, read from its folder.

    Raises:
        DrivememError: something needed is missing or does not go together, an agent that is told
            what is hidden, runs that are not of one agent, or a folder that cannot be written.
    """
    limit_threads()
    config = SubmitConfig(**settings)
    _check(config, bool(runs))
    manifest, rows = packed(runs, config) if runs else _driven(config, quiet)
    folder = _folder(config, manifest.suite["scenario"])
    write_submission(folder, manifest, rows)
    return read_submission(folder)


_WITH_A_DRIVER = ("scenario", "seeds", "steps")
_OF_A_DRIVER = (
    "driver", *_WITH_A_DRIVER, "trained_on", "saw", "episodes", "backend", "num_envs",
    "num_workers", "trust",
)  # fmt: skip


def _check(config: SubmitConfig, runs: bool) -> None:
    """Refuse what is missing, or does not go together."""
    needed = ["agent", "by"] + ([] if runs else ["driver", *_WITH_A_DRIVER])
    missing = [name for name in needed if getattr(config, name) in (None, ())]
    if missing:
        raise DrivememError(
            f"a submission of {'runs' if runs else 'a driver'} needs {', '.join(missing)}"
            + ("" if runs else " (or give evaluated runs)" if "driver" in missing else "")
        )
    extra = [name for name in _OF_A_DRIVER if runs and name in config.model_fields_set]
    if extra:
        raise DrivememError(f"{', '.join(extra)}: of runs this is known; leave it out")
    if len(set(config.seeds)) < len(config.seeds):
        raise DrivememError(f"seeds are {config.seeds}: give each training run's once")
    if len(config.seeds) > 1 and "{seed}" not in str(config.driver):
        raise DrivememError(
            f"driver '{config.driver}' is the same for all {len(config.seeds)} seeds: write "
            "{seed} where the runs' files or arguments differ"
        )


def _folder(config: SubmitConfig, scenario: str) -> Path:
    name = f"{config.agent}-{scenario.removeprefix('drivemem/')}"
    return SUBMISSIONS / name if config.out is None else Path(config.out)


def _driven(config: SubmitConfig, quiet: bool) -> tuple[Manifest, list[dict[str, Any]]]:
    """The manifest, and the episodes of all training runs, which a driver drives now."""
    manifest: Manifest | None = None
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for seed in config.seeds:
            asked = EvaluateConfig(
                episodes=config.episodes, backend=config.backend, num_envs=config.num_envs,
                num_workers=config.num_workers, trust=config.trust,
                out=str(Path(temporary) / f"{config.agent}-s{seed}"),
            )  # fmt: skip
            driver = str(config.driver).replace("{seed}", str(seed))
            job = driver_job(driver, str(config.scenario), asked)
            _refuse_who_knows(job)
            manifest = manifest or _manifest(config, job)
            driven = drive(job, asked, quiet)
            own = {
                "driver": config.agent, "run": manifest.run_name(seed), "train_seed": seed,
                "tracker": manifest.tracker,
            }  # fmt: skip
            rows += [{**row, **own} for row in driven.rows]
    assert manifest is not None  # there is at least one seed
    return manifest, rows


def _manifest(config: SubmitConfig, job: Job) -> Manifest:
    """What is known before anything is driven, so that what is wrong is said at once."""
    kind = str(config.driver).partition(":")[0]
    folder = _folder(config, job.suite.scenario.name)
    with one_line(ValueError, FileExistsError):
        check_replaceable(folder, FILES)
        trained_on = registry.scenario(config.trained_on or str(config.scenario))
        return Manifest.checked(
            {
                "agent": config.agent, "by": config.by, "trained": config.trained,
                "steps": config.steps, "trained_on": trained_on.name.removeprefix("drivemem/"),
                "saw": config.saw, "seeds": config.seeds, "parameters": None,
                "interface": kind if kind in ("sb3", "onnx") else "driver",
                "tracker": job.identity.tracker, "versions": versions(),
                "backend": choose_backend(config.backend, job.suite.scenario),
                "suite": job.suite.to_json(),
            }
        )  # fmt: skip


def _refuse_who_knows(job: Job) -> None:
    """Refuse a driver that is told more than observations.

    Raises:
        DrivememError: it drives with full sensors, behind the truth, or is given the worlds.
    """
    who = job.identity
    if who.full_sensors:
        raise DrivememError(
            f"driver '{who.driver}' sees all of {job.suite.scenario.name}: a submission is of an "
            "agent that sees what the scenario's sensors show, where they hide something"
        )
    if isinstance(job.driver, ReferenceDriver) and job.driver.meets_worlds:
        raise DrivememError(
            f"driver '{who.driver}' has meet(), by which it is given the worlds: a submission is "
            "of an agent that acts on observations alone"
        )
    check_tracker(who.driver, who.tracker)
