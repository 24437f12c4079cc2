"""`drivemem train`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from drivemem.commands.parsing import read_options
from drivemem.config import TrainConfig, build_config
from drivemem.errors import DrivememError, UsageError
from drivemem.runs import RUNS
from drivemem.training.presets import WORDS, Preset, find_preset, merged, preset_names, read_preset


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
    scenario, wanted, rest = _scenario_and_preset(words)
    preset = _preset(scenario, wanted, rest)
    base = {} if preset is None else preset.of(_memory(rest))
    first = build_config({"scenario": "", **base, **({"scenario": scenario} if scenario else {})})
    options = read_options(Options, "train", rest, Options(config=first))
    config = merged_words(options.config, base)
    if not config.scenario:
        raise UsageError("name a scenario; `drivemem list scenarios` shows them")
    from drivemem.progress import console
    from drivemem.training.train import train

    if preset is not None:
        console().print(_used(preset, config), markup=False, soft_wrap=True)
    out = options.out or str(RUNS / config.run_name())
    try:
        done = train(config, out, resume=options.resume)
    except KeyboardInterrupt:
        command = " ".join(["drivemem train", *words])
        again = command if "--resume" in words else f"{command} --resume"
        print(f"\ninterrupted; go on with: {again}", file=sys.stderr)
        return 1
    console().print(_summary(done))
    console().print(f"run: {done.folder}\nnext: drivemem evaluate {done.folder}")
    return 0


def _scenario_and_preset(words: list[str]) -> tuple[str | None, str | None, list[str]]:
    """The positional scenario, `--preset WORD` (empty without a word), and the other words."""
    rest, wanted = list(words), None
    if "--preset" in rest:
        at = rest.index("--preset")
        wanted = rest[at + 1] if at + 1 < len(rest) and not rest[at + 1].startswith("-") else ""
        del rest[at : at + (2 if wanted else 1)]
    scenario = rest.pop(0) if rest and not rest[0].startswith("-") else None
    return scenario or _option(rest, "--scenario"), wanted, rest


def _preset(scenario: str | None, wanted: str | None, rest: list[str]) -> Preset | None:
    """The preset to start from: a file, the scenario's own, or none."""
    if wanted == "none" or any(word in ("-h", "--help") for word in rest):
        return None
    if wanted:
        if not Path(wanted).exists():
            raise DrivememError(
                f"there is no file '{wanted}': --preset takes a TOML file or 'none'; without a "
                f"word it is the scenario's own (there are: {', '.join(preset_names())})"
            )
        return read_preset(Path(wanted))
    found = None if scenario is None else find_preset(scenario)
    if wanted is not None and found is None:
        raise DrivememError(
            f"scenario '{scenario}' has no preset (there are: {', '.join(preset_names())}); give "
            "a TOML file, or leave --preset out"
        )
    return found


def _memory(rest: list[str]) -> str:
    """The memory that was asked for."""
    return _option(rest, "--memory") or str(TrainConfig.model_fields["memory"].default)


def _option(words: list[str], name: str) -> str | None:
    """The value of an option, if it is given."""
    for at, word in enumerate(words):
        if word == name and at + 1 < len(words):
            return words[at + 1]
        if word.startswith(f"{name}="):
            return word.removeprefix(f"{name}=")
    return None


def merged_words(config: TrainConfig, preset: dict[str, Any]) -> TrainConfig:
    """The configuration, its key=value words added to those of a preset."""
    given = {name: getattr(config, name) for name in WORDS}
    words = merged({name: preset.get(name, ()) for name in WORDS}, given)
    return config.model_copy(update={name: tuple(words[name]) for name in WORDS})


def _used(preset: Preset, config: TrainConfig) -> str:
    """Which preset was used, and what it chose."""
    values = config.model_dump(mode="json")
    kept = [
        f"{key}={values[key] if not isinstance(values[key], list) else ' '.join(values[key])}"
        for key in preset.of(config.memory)
        if key != "scenario"
    ]
    return f"preset {preset.name}: {', '.join(kept)} (--preset none: without it)"


def _summary(run: Any) -> Any:
    from rich.table import Table

    from drivemem.runs import read_metrics

    facts = run.manifest()
    last: dict[str, Any] = {}
    for line in read_metrics(run.metrics_file) if run.metrics_file.exists() else []:
        last |= {key: value for key, value in line.items() if value is not None}
    table = Table(title=run.name, show_header=False)
    table.add_row("backend", str(facts.get("backend")))
    table.add_row("steps", f"{facts.get('steps', 0):,}")
    table.add_row("steps/s", f"{facts.get('steps_per_s', 0):,.0f}")
    table.add_row("parameters", f"{facts.get('parameters', 0):,}")
    for key, label in (
        ("rollout/ep_rew_mean", "return (last 100 episodes)"),
        ("rollout/success_rate", "success (last 100 episodes)"),
    ):
        if key in last:
            table.add_row(label, f"{last[key]:z.3f}")
    return table
