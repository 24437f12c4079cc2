"""Learning from a teacher: one student, one scenario, one seed, in a folder like any other run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from drivemem.config import DistillConfig
from drivemem.distillation.check import check
from drivemem.distillation.teachers import open_teacher, where_it_teaches
from drivemem.distillation.worlds import TaughtVecEnv, TeachersWorlds
from drivemem.errors import DrivememError
from drivemem.runs import RUNS, Run
from drivemem.training.starting import refuse_changes, started
from drivemem.training.train import begin, build_model, make_worlds, train
from drivemem_agents import MemoryPPO
from drivemem_agents.dagger import MemoryDAgger
from drivemem_agents.imitation_settings import ImitationSettings
from drivemem_agents.settings import documented_by


@documented_by(DistillConfig)
def distill(
    teacher: str | Path | DistillConfig,
    out: str | Path | None = None,
    *,
    preset: str | Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    callback: BaseCallback | None = None,
    log: Sequence[str] | None = None,
    **settings: Any,
) -> Run:
    """Teach a student what a teacher does, on the student's own rollouts; or go on with it.

    The student is an agent like any other afterwards: `evaluate`, `compare`, `probe` and `replay`
    take its run. What it did not learn is measured in the end and written to `distillation.json`;
    see `distillation.check`.

    With a teacher's name, settings start from the scenario's preset, as `drivemem distill` does;
    what is given wins.

    Args:
        teacher: folder of a run, or a driver (with `scenario`); or a whole configuration, which is
            taken as it is.
        out: the run's folder; default `runs/<name>`.
        preset: a TOML file in place of the scenario's own preset; `none`: the defaults below.
        resume: go on from the last checkpoint (the same call again).
        quiet: no progress on the terminal.
        callback: a further SB3 callback.
        log: where metrics are shown besides, as for `drivemem.train`.
        **settings: as listed below, such as `memory="gru"`.

    Returns:
        The student's run.

    Raises:
        DrivememError: as `drivemem.train`; no such teacher, one that is not trained, has changed
            since the run was begun, or cannot act in these worlds.
        KeyboardInterrupt: after Ctrl-C; the run stays resumable.
    """
    if isinstance(teacher, DistillConfig):
        config = teacher
        refuse_changes(config, preset, settings)
    else:
        config = _started(str(teacher), preset, quiet, settings)
    run = Run(Path(out) if out is not None else RUNS / config.run_name())
    _refuse_another_teacher(run, config)
    train(
        config, run.folder, resume=resume, quiet=quiet, callback=callback, log=log,
        build=partial(_build, run.folder),
    )  # fmt: skip
    if config.check_episodes and not run.distillation.exists():
        check(run, config, quiet)
    return run


def _started(
    teacher: str, preset: str | Path | None, quiet: bool, settings: dict[str, Any]
) -> DistillConfig:
    own = where_it_teaches(teacher)
    if "scenario" not in settings and not own:
        raise DrivememError(f"{teacher} is a driver: say with scenario='...' where it teaches")
    scenario = settings.get("scenario", own.get("scenario"))
    given = {**settings, "scenario": scenario, "teacher": teacher}
    config = started(given, preset, quiet, own if scenario == own.get("scenario") else None)
    assert isinstance(config, DistillConfig)
    return config


def _build(folder: Path, config: DistillConfig) -> tuple[MemoryPPO, TaughtVecEnv]:
    """The untrained student and its worlds, with the teacher's beside them."""
    student, teacher = config.changed_scenario(), open_teacher(config, folder)
    backend = begin(config, student, teacher.scenario)
    worlds = make_worlds(config, student, backend)
    theirs = make_worlds(config, teacher.scenario, backend)
    try:
        env = TaughtVecEnv(config, worlds, TeachersWorlds(teacher, theirs))
    except BaseException:
        worlds.close()
        theirs.close()
        raise
    imitation = ImitationSettings(
        **{name: getattr(config, name) for name in ImitationSettings.model_fields}
    )
    return build_model(config, env, MemoryDAgger, imitation=imitation), env


def _refuse_another_teacher(run: Run, config: DistillConfig) -> None:
    """Refuse to go on with a teacher who is no longer the one that the run was begun with."""
    before = run.manifest().get("teacher")
    if not run.config_file.exists() or before is None or run.has_agent():
        return
    now = open_teacher(config, run.folder).facts
    changed = [key for key in ("weights", "scenario_hash") if before.get(key) != now.get(key)]
    if changed:
        raise DrivememError(
            f"{run.folder} was begun with another teacher: the {changed[0].replace('_', ' ')} of "
            f"{config.teacher} changed since; begin anew with another --out"
        )
