"""`drivemem train`."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field
from typing import Annotated, Any

import tyro

from drivemem.commands.parsing import read_options
from drivemem.config import TrainConfig, build_config, config_from_toml
from drivemem.errors import DrivememError
from drivemem.runs import RUNS


@dataclass
class Options:
    """Train an agent on a scenario; interrupted runs go on with --resume."""

    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(
        default_factory=lambda: TrainConfig(scenario="")
    )
    out: str | None = None
    """The run's folder; default runs/<scenario>-<memory>-s<seed>."""
    resume: bool = False
    """Go on with the run in that folder (the same command again)."""


def run(words: list[str]) -> int:
    """Train and print a summary."""
    warnings.filterwarnings("ignore", message=".*out of date.*")
    settings, rest = _scenario_and_file(words)
    default = Options(config=build_config({"scenario": "", **settings}))
    options = read_options(Options, "train", rest, default)
    config = options.config
    if not config.scenario:
        print(
            "drivemem train: name a scenario; `drivemem list scenarios` shows them", file=sys.stderr
        )
        return 2
    from drivemem.progress import console
    from drivemem.training import train

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


def _scenario_and_file(words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The positional scenario and `--preset FILE`, and the other words."""
    from pathlib import Path

    settings: dict[str, Any] = {}
    rest = list(words)
    if "--preset" in rest:
        at = rest.index("--preset")
        if at + 1 == len(rest):
            raise DrivememError("--preset needs a TOML file")
        settings = config_from_toml(Path(rest[at + 1]))
        del rest[at : at + 2]
    if rest and not rest[0].startswith("-"):
        settings["scenario"] = rest.pop(0)
    return settings, rest


def _summary(run: Any) -> Any:
    from rich.table import Table

    from drivemem.runs import read_json

    facts = read_json(run.folder / "manifest.json")
    last: dict[str, Any] = {}
    import json

    for line in run.metrics_file.read_text(encoding="utf-8").splitlines():
        last |= {key: value for key, value in json.loads(line).items() if value is not None}
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
            table.add_row(label, f"{last[key]:.3f}")
    return table
