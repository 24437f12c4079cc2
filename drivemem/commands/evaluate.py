"""`drivemem evaluate`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import UsageError
from drivemem.evaluation.config import EvaluateConfig

if TYPE_CHECKING:
    from drivemem.evaluation.results import Evaluations


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
    from drivemem.evaluation.results import Evaluations

    settings = {name: getattr(options.config, name) for name in EvaluateConfig.model_fields}
    sensors = options.config.sensors.model_dump()
    settings["sensors"] = {name: value for name, value in sensors.items() if value is not None}
    done = Evaluations()
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


def _show(done: Evaluations) -> None:
    from drivemem.output import console, show

    show(*done.as_tables())
    for one in done:
        kept = " (driven before; --again drives them anew)" if one.reused else ""
        kept = kept if one.stored else " (kept: it holds more; only the recording is new)"
        console().print(f"episodes: {one.folder / 'episodes.parquet'}{kept}", soft_wrap=True)
        if one.recording:
            console().print(
                f"recording: {one.recording}\nnext: drivemem replay {one.recording}",
                soft_wrap=True,
            )
    console().print(done.summary)
