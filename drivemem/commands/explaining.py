"""`drivemem distill RUN --to machine|tree`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

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

    settings = {name: getattr(options.config, name) for name in ExplainConfig.model_fields}
    _show(explained(options.run, options.to, **settings))
    return 0


def _show(found: Any) -> None:
    from rich.table import Table

    from drivemem.progress import console

    table = Table(f"{found.folder.parent.name} as a {found.to}, unseen episodes", "")
    table.add_row("states" if found.to == "machine" else "leaves", str(found.size))
    table.add_row("the same action as the run", f"{found.agreement:.3f}")
    table.add_row("always the run's commonest action", f"{found.commonest:.3f}")
    table.add_row(f"success of the {found.to}", f"{found.success:.3f}")
    table.add_row("success of the run", f"{found.agents_success:.3f}")
    if found.told_bits is not None:
        told = f"{found.told_bits:.2f} of {found.fact_bits:.2f}"
        table.add_row("what its states tell of what is hidden, bits", told)
        table.add_row(
            "hidden facts that have states of their own", f"{found.branches} of {found.facts}"
        )
    console().print(table)
    for file in found.files:
        console().print(f"wrote {file}", soft_wrap=True)
