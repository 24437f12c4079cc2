"""`drivemem train`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from drivemem.commands.groups import RUN, SEEN, GroupedOptions, rest
from drivemem.commands.parsing import read_options
from drivemem.commands.starting import (
    asked,
    first_and_preset,
    merged_words,
    option,
    wants_help,
)
from drivemem.config import TrainConfig, build_config, settings_of
from drivemem.errors import UsageError
from drivemem.runs import RUNS
from drivemem.training.presets import merged
from drivemem.training.starting import chosen_preset, preset_settings, used

_GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "run": ("How long, and on what.", RUN),
    "sensing": ("Where the agent drives, and what it sees there.", SEEN),
    "agent": (
        "What the agent is.",
        (
            "memory", "memory_kwargs", "encoder", "encoder_kwargs", "critic",
            "observe_previous_action", "normalize_observations", "dropout", "start_from",
            "consolidation_coef",
        ),
    ),
}  # fmt: skip
_GROUPS["learning"] = ("PPO and its optimiser.", rest(TrainConfig, _GROUPS))


@dataclass(kw_only=True)
class _Place:
    out: str | None = None
    """The run's folder; default runs/<scenario>-<memory>-s<seed>."""
    preset: str | None = None
    """A TOML file in place of the scenario's own preset; none: without one."""
    config: str | None = None
    """Settings to start from in place of a preset, scenario included: the config.json of a run, or
    a TOML file with the same keys."""
    resume: bool = False
    """Go on with the run in that folder (the same command again); one that is done is trained on if
    --steps is more than it was trained for."""
    log: tuple[str, ...] | None = None
    """Where metrics are shown besides: tensorboard, wandb (Weights & Biases, extra `wandb`), none;
    default: what DRIVEMEM_LOG names, else TensorBoard if it is installed."""


_ABOUT = """Train an agent on SCENARIO: drivemem train exit-recall --memory gru.

SCENARIO is a name of `drivemem list scenarios`. Settings start from the scenario's preset if there
is one, or from --config; what is given here wins. Defaults are shown without any preset.
Interrupted runs go on with --resume.
"""
GROUPED = GroupedOptions(TrainConfig, _GROUPS, _Place, _ABOUT)
"""The command's options, and the configuration that they make."""
Options = GROUPED.options


def run(words: list[str]) -> int:
    """Train and print a summary."""
    scenario, wanted, further = first_and_preset(words, "scenario")
    given = option(further, "--config")
    if given is not None and wanted is not None:
        raise UsageError(
            "--config and --preset are both what settings start from: give one of them"
        )
    if given is None:
        preset = None if wants_help(further) else chosen_preset(scenario, wanted)
        base = preset_settings(preset, asked(further))
    else:
        preset, base = None, merged(settings_of(Path(given)), asked(further))
    first = build_config({"scenario": "", **base, **({"scenario": scenario} if scenario else {})})
    options = read_options(Options, "train SCENARIO", further, GROUPED.starting(first))
    config = merged_words(TrainConfig(**GROUPED.settings(options)), base)
    if not config.scenario:
        raise UsageError("name a scenario; `drivemem list scenarios` shows them")
    from drivemem.output import console, show
    from drivemem.training.train import train

    if preset is not None:
        console().print(used(preset, base, config, "--preset none"), soft_wrap=True)
    out = options.out or str(RUNS / config.run_name())
    try:
        done = train(config, out, resume=options.resume, log=options.log)
    except KeyboardInterrupt:
        command = " ".join(["drivemem train", *words])
        again = command if "--resume" in words else f"{command} --resume"
        print(f"\ninterrupted; go on with: {again}", file=sys.stderr)
        return 1
    show(*done.as_tables())
    console().print(f"run: {done.folder}\nnext: drivemem evaluate {done.folder}")
    return 0
