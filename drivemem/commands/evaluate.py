"""`drivemem evaluate`."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from drivemem.commands.parsing import read_options
from drivemem.config import SensorChanges


@dataclass
class Options:
    """Drive a fixed suite of episodes, the same for every driver."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Folders of trained runs."""
    driver: str | None = None
    """A reference driver in place of runs; `drivemem list drivers` shows them."""
    scenario: str | None = None
    """The scenario: needed with --driver; for runs, another than they were trained on."""
    episodes: int = 500
    """How many episodes."""
    suite: str = "test"
    """test, eval, or the path of a published suite.json."""
    lesion: str = "intact"
    """Cut memory: name:argument, several with commas (span:1,2,4); `drivemem list lesions`."""
    sampled: bool = False
    """Draw actions from the policy in place of the most likely."""
    record: str = "0"
    """Record the first N episodes for replay; or all, or failures."""
    backend: Literal["auto", "compiled", "reference"] = "auto"
    """auto: compiled where the scenario supports it."""
    num_envs: int = 16
    """Worlds driven at once."""
    num_workers: int | None = None
    """Threads (compiled) or processes (reference); default: the machine's cores."""
    sensors: SensorChanges = field(default_factory=SensorChanges)
    """Changes to the scenario's sensors."""
    out: str | None = None
    """Where a reference driver's results go; default runs/<scenario>-<driver>."""


def run(words: list[str]) -> int:
    """Evaluate and print a table."""
    warnings.filterwarnings("ignore", message=".*out of date.*")
    options = read_options(Options, "evaluate", words)
    if bool(options.runs) == bool(options.driver):
        print("drivemem evaluate: give runs, or --driver NAME --scenario NAME", file=sys.stderr)
        return 2
    from rich.table import Table

    from drivemem.evaluation import evaluate
    from drivemem.progress import console

    sensors = {k: v for k, v in options.sensors.model_dump().items() if v is not None}
    done = []
    for path in options.runs or (None,):
        done += evaluate(
            path,
            driver=options.driver,
            scenario=options.scenario,
            episodes=options.episodes,
            suite=options.suite,
            lesion=options.lesion,
            sampled=options.sampled,
            record=options.record,
            backend=options.backend,
            num_envs=options.num_envs,
            num_workers=options.num_workers,
            sensors=sensors or None,
            out=options.out,
        )
    first = done[0]
    title = f"{first.suite.scenario.name}, suite {first.suite.name} ({len(first.rows)} episodes)"
    columns = ["run", "lesion", "backend", "success", "collision", "other", "return", "speed m/s"]
    table = Table(*columns, title=title)
    for one in done:
        other = 1.0 - one.rate("success") - one.rate("collision")
        table.add_row(
            one.identity.run, one.identity.lesion, one.backend, f"{one.rate('success'):.3f}",
            f"{one.rate('collision'):.3f}", f"{other:.3f}", f"{one.mean('return'):.3f}",
            f"{one.mean('mean_speed'):.1f}",
        )  # fmt: skip
    console().print(table)
    for one in done:
        console().print(f"episodes: {one.folder / 'episodes.parquet'}")
        if one.recording:
            console().print(f"recording: {one.recording}\nnext: drivemem replay {one.recording}")
    return 0
