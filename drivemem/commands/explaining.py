"""`drivemem distill RUN --to machine|tree`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import UsageError
from drivemem.explaining.config import ExplainConfig, To


@dataclass
class Options:
    """Make a trained run readable: a finite-state machine of its memory, or a tree of its actions.

    Both are fitted to what the run did in half of the episodes, and judged on the other half: how
    often they would do the same, and how often they succeed when they drive.
    """

    to: To
    """machine: states of memory, and what leads from one to another; tree: actions by what is
    seen."""
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = ""
    """Folder of a trained run."""
    config: Annotated[ExplainConfig, tyro.conf.arg(name="")] = field(default_factory=ExplainConfig)


def explain(words: list[str]) -> int:
    """Make a run readable and print what came of it."""
    options = read_options(Options, "distill", words)
    if not options.run:
        raise UsageError("give the folder of a trained run")
    from drivemem.explaining.explain import explain as explained
    from drivemem.output import console, show

    settings = {name: getattr(options.config, name) for name in ExplainConfig.model_fields}
    found = explained(options.run, options.to, **settings)
    show(*found.as_tables())
    for file in found.files:
        console().print(f"wrote {file}", soft_wrap=True)
    return 0
