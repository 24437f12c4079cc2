"""`drivemem evaluate`."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import tyro

from drivemem.commands.parsing import read_options
from drivemem.config import SensorChanges


@dataclass
class Options:
    """Drive a fixed suite of episodes, the same for every driver."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Folders of trained runs."""
    driver: str | None = None
    """In place of runs: a reference driver (`drivemem list drivers`), a module:factory of your
    own, or sb3:ALGORITHM:FILE."""
    scenario: str | None = None
    """The scenario: needed with --driver; for runs, another than they were trained on."""
    episodes: int = 500
    """How many episodes."""
    suite: str = "test"
    """test, eval, train (episodes that the run was trained on), or the path of a suite.json."""
    lesion: str = "intact"
    """Cut memory: name:argument, several with commas (span:1,2,4); `drivemem list lesions`."""
    sampled: bool = False
    """Draw actions from the policy in place of the most likely."""
    record: str = "0"
    """Record the first N episodes for replay; or all, failures, or disagreements:OTHER_RUN."""
    backend: Literal["auto", "compiled", "reference"] = "auto"
    """auto: compiled where the scenario supports it."""
    num_envs: int | None = None
    """Worlds driven at once; default: 64 compiled, 16 reference."""
    num_workers: int | None = None
    """Threads (compiled) or processes (reference); default: the machine's cores."""
    full_sensors: bool = False
    """Evaluate on the twin: the same episodes with full sensors."""
    dials: tuple[str, ...] = ()
    """Changes of the scenario's dials as key=value words, such as exits_count=5."""
    again: bool = False
    """Drive anew what is there already; else finished evaluations are kept, and one that was
    interrupted goes on."""
    trust: bool = False
    """Load sb3: files, which run code that is stored in them."""
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
    done: list[Any] = []
    try:
        for path in options.runs or (None,):
            done += _evaluate(path, options)
    except KeyboardInterrupt:
        print("\ninterrupted; repeat the command for the rest", file=sys.stderr)
        return 1
    finally:
        if done:
            _show(done)
    return 0


def _evaluate(path: str | None, options: Options) -> list[Any]:
    from drivemem.evaluation.evaluate import evaluate

    sensors = {k: v for k, v in options.sensors.model_dump().items() if v is not None}
    return list(
        evaluate(
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
            full_sensors=options.full_sensors,
            sensors=sensors or None,
            dials=options.dials,
            trust=options.trust,
            again=options.again,
            out=options.out,
        )
    )


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
        table = Table(*columns, title=title)
        for one in group:
            other = 1.0 - one.rate("success") - one.rate("collision")
            table.add_row(
                one.identity.run, one.identity.lesion, one.backend, f"{one.rate('success'):.3f}",
                f"{one.rate('collision'):.3f}", f"{other:.3f}", f"{one.mean('return'):.3f}",
                f"{one.mean('mean_speed'):.1f}",
            )  # fmt: skip
        console().print(table)
    for one in done:
        kept = " (driven before; --again drives them anew)" if one.reused else ""
        console().print(f"episodes: {one.folder / 'episodes.parquet'}{kept}", soft_wrap=True)
        if one.recording:
            console().print(
                f"recording: {one.recording}\nnext: drivemem replay {one.recording}",
                soft_wrap=True,
            )
