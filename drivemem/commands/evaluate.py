"""`drivemem evaluate`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Annotated, Any

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import UsageError
from drivemem.evaluation.config import EvaluateConfig


@dataclass
class Options:
    """Drive a fixed suite of episodes, the same for every driver."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Folders of trained runs."""
    config: Annotated[EvaluateConfig, tyro.conf.arg(name="")] = field(
        default_factory=EvaluateConfig
    )


def run(words: list[str]) -> int:
    """Evaluate and print a table."""
    options = read_options(Options, "evaluate", words)
    if bool(options.runs) == bool(options.config.driver):
        raise UsageError("give runs, or --driver NAME --scenario NAME")
    from drivemem.evaluation.evaluate import evaluate

    settings = {name: getattr(options.config, name) for name in EvaluateConfig.model_fields}
    sensors = options.config.sensors.model_dump()
    settings["sensors"] = {name: value for name, value in sensors.items() if value is not None}
    done: list[Any] = []
    try:
        for path in options.runs or (None,):
            done += evaluate(path, **settings)
    except KeyboardInterrupt:
        print("\ninterrupted; repeat the command for the rest", file=sys.stderr)
        return 1
    finally:
        if done:
            _show(done)
    return 0


def _show(done: list[Any]) -> None:
    from rich.table import Table

    from drivemem.progress import console

    groups: dict[str, list[Any]] = {}
    for one in done:
        suite = one.suite
        title = f"{suite.scenario.name}, suite {suite.name} ({len(one.rows)} episodes)"
        groups.setdefault(title, []).append(one)
    columns = ["run", "lesion", "backend", "success", "collision", "other", "return", "speed m/s"]
    for title, group in groups.items():
        stated = group[0].suite.scenario.on_time_mps is not None
        table = Table(*columns, *(["on time"] if stated else []), title=title)
        for one in group:
            other = 1.0 - one.rate("success") - one.rate("collision")
            table.add_row(
                one.identity.run, one.identity.lesion, one.backend, f"{one.rate('success'):z.3f}",
                f"{one.rate('collision'):z.3f}", f"{other:z.3f}", f"{one.mean('return'):z.3f}",
                f"{one.mean('mean_speed'):.1f}",
                *([f"{one.mean('on_time'):z.3f}"] if stated else []),
            )  # fmt: skip
        console().print(table)
    for one in done:
        kept = " (driven before; --again drives them anew)" if one.reused else ""
        kept = kept if one.stored else " (kept: it holds more; only the recording is new)"
        console().print(f"episodes: {one.folder / 'episodes.parquet'}{kept}", soft_wrap=True)
        if one.recording:
            console().print(
                f"recording: {one.recording}\nnext: drivemem replay {one.recording}",
                soft_wrap=True,
            )
