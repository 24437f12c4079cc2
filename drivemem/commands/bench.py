"""`drivemem bench`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import DrivememError

Part = Literal["simulation", "memories", "updates", "waiting", "training"]


@dataclass
class Options:
    """Measure the speed of this machine, beside named peers in the same run.

    Needs a checkout with the extra `dev`: the benchmarks and the peers are no part of the package.
    """

    only: Annotated[tuple[Part, ...], tyro.conf.arg(metavar="PART …")] = ()
    """simulation, memories, updates, waiting, training; none: all."""
    json: Path | None = None
    """Also write all rows to this file; without one: print them as JSON, and nothing else."""
    markdown: Path | None = None
    """Also write all tables to this file."""


def run(words: list[str]) -> int:
    """Measure and print tables."""
    options = read_options(Options, "bench", words)
    try:
        benchmarks = import_module("benchmarks.__main__")
    except ModuleNotFoundError as error:
        raise DrivememError(
            f"{error}: the benchmarks need a checkout installed with `make install`"
        ) from error
    from drivemem.output import keep
    from drivemem.tables import Table

    names = options.only or tuple(benchmarks.TITLES)
    found = benchmarks.measure_all(names)
    for name, rows in found.items():
        keep(Table((), (), title=benchmarks.TITLES[name], records=rows))
    benchmarks.write(found, options.json, options.markdown)
    return int(len(found) < len(names))
