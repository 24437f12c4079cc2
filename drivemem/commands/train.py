"""`drivemem train`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options
from drivemem.commands.starting import asked, first_and_preset, merged_words, wants_help
from drivemem.config import TrainConfig, build_config
from drivemem.errors import UsageError
from drivemem.runs import RUNS
from drivemem.training.starting import chosen_preset, preset_settings, used


@dataclass
class Options:
    """Train an agent on a scenario; interrupted runs go on with --resume.

    Settings start from the scenario's preset if there is one; what is given here wins. --preset
    FILE starts from a TOML file, --preset none from the defaults below.
    """

    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(
        default_factory=lambda: TrainConfig(scenario="")
    )
    out: str | None = None
    """The run's folder; default runs/<scenario>-<memory>-s<seed>."""
    resume: bool = False
    """Go on with the run in that folder (the same command again)."""


def run(words: list[str]) -> int:
    """Train and print a summary."""
    scenario, wanted, rest = first_and_preset(words, "scenario")
    preset = None if wants_help(rest) else chosen_preset(scenario, wanted)
    base = preset_settings(preset, asked(rest))
    first = build_config({"scenario": "", **base, **({"scenario": scenario} if scenario else {})})
    options = read_options(Options, "train", rest, Options(config=first))
    config = merged_words(options.config, base)
    if not config.scenario:
        raise UsageError("name a scenario; `drivemem list scenarios` shows them")
    from drivemem.output import console, show
    from drivemem.training.train import train

    if preset is not None:
        console().print(used(preset, base, config, "--preset none"), soft_wrap=True)
    out = options.out or str(RUNS / config.run_name())
    try:
        done = train(config, out, resume=options.resume)
    except KeyboardInterrupt:
        command = " ".join(["drivemem train", *words])
        again = command if "--resume" in words else f"{command} --resume"
        print(f"\ninterrupted; go on with: {again}", file=sys.stderr)
        return 1
    show(*done.as_tables())
    console().print(f"run: {done.folder}\nnext: drivemem evaluate {done.folder}")
    return 0
