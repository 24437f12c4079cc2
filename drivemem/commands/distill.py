"""`drivemem distill`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from drivemem.commands.groups import RUN, SEEN, GroupedOptions, rest
from drivemem.commands.parsing import read_options
from drivemem.commands.starting import (
    asked,
    first_and_preset,
    merged_words,
    option,
    wants_help,
)
from drivemem.config import DistillConfig, build_config
from drivemem.errors import UsageError
from drivemem.runs import RUNS
from drivemem.training.starting import chosen_preset, preset_settings, used
from drivemem_agents.imitation_settings import ImitationSettings

_GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "teaching": (
        "How the student learns from the teacher.",
        (*ImitationSettings.model_fields, "check_episodes"),
    ),
    "student": (
        "What the student is.",
        ("memory", "memory_kwargs", "encoder", "encoder_kwargs", "start_from"),
    ),
    "sensing": ("Where the student drives, and what it sees there.", SEEN),
    "run": ("How long, and on what.", RUN),
}
_GROUPS["learning"] = (
    "The optimiser, and PPO where --finetune-steps asks for it.", rest(DistillConfig, _GROUPS)
)  # fmt: skip


@dataclass(kw_only=True)
class _Place:
    out: str | None = None
    """The run's folder; default runs/<scenario>-<memory>-distilled-<teacher>-s<seed>."""
    preset: str | None = None
    """A TOML file in place of the scenario's own preset; none: without one."""
    resume: bool = False
    """Go on with the run in that folder (the same command again)."""
    log: tuple[str, ...] | None = None
    """Where metrics are shown besides: tensorboard, wandb (Weights & Biases, extra `wandb`), none;
    default: what DRIVEMEM_LOG names, else TensorBoard if it is installed."""


_ABOUT = """Teach a student what TEACHER does: drivemem distill TEACHER --memory gru.

TEACHER is the folder of a run (usually trained with --full-sensors), or a driver that knows what is
hidden (oracle, planner:..., with --scenario). The student learns on the episodes that it drives
itself, from what its own sensors leave; its run is evaluated and compared like any other. Settings
start from the scenario's preset, as for `drivemem train`.

With --to machine or --to tree TEACHER is a run that is made readable; see
`drivemem distill --to machine --help`.
"""
_GROUPED = GroupedOptions(DistillConfig, _GROUPS, _Place, _ABOUT)
Options = _GROUPED.options


def run(words: list[str]) -> int:
    """Teach a student and print what came of it."""
    if option(words, "--to") is not None:
        from drivemem.commands.explaining import explain

        return explain(words)
    teacher, wanted, rest = first_and_preset(words, "teacher")
    if teacher is None and not wants_help(rest):
        raise UsageError("name a teacher: the folder of a run, or a driver such as oracle")
    from drivemem.distillation.teachers import where_it_teaches

    taught = {} if teacher is None else where_it_teaches(teacher)
    scenario = option(rest, "--scenario") or taught.get("scenario")
    preset = None if wants_help(rest) else chosen_preset(scenario, wanted)
    base = preset_settings(preset, asked(rest))
    if scenario == taught.get("scenario"):
        base = {**base, **taught}
    first = build_config({**base, "teacher": teacher or "", "scenario": scenario or ""})
    config, options = _read(rest, first, base)
    if not config.scenario:
        raise UsageError(f"{teacher} is a driver: say with --scenario where it teaches")
    from drivemem.output import console

    if preset is not None:
        console().print(used(preset, base, config, "--preset none"), soft_wrap=True)
    return _distill(words, config, options)


def _read(words: list[str], first: Any, base: dict[str, Any]) -> tuple[DistillConfig, _Place]:
    """The configuration that the words make of the first one, and where it is to be."""
    options = read_options(Options, "distill TEACHER", words, _GROUPED.starting(first))
    config = DistillConfig(**_GROUPED.settings(options), teacher=first.teacher)
    merged = merged_words(config, base)
    assert isinstance(merged, DistillConfig)
    return merged, options


def _distill(words: list[str], config: DistillConfig, place: _Place) -> int:
    from drivemem.distillation.check import read_check
    from drivemem.distillation.distill import distill
    from drivemem.output import console, show

    try:
        out = place.out or str(RUNS / config.run_name())
        done = distill(config, out, resume=place.resume, log=place.log)
    except KeyboardInterrupt:
        command = " ".join(["drivemem distill", *words])
        again = command if "--resume" in words else f"{command} --resume"
        print(f"\ninterrupted; go on with: {again}", file=sys.stderr)
        return 1
    show(*done.as_tables())
    found = read_check(done)
    if found is not None:
        show(*found.as_tables())
        console().print(f"{found.words}.", soft_wrap=True)
    console().print(f"run: {done.folder}\nnext: drivemem evaluate {done.folder}")
    return 0
