"""`drivemem submit`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from drivemem.commands.parsing import read_options
from drivemem.submissions.config import SubmitConfig
from drivemem.tables import Table

if TYPE_CHECKING:
    from drivemem.submissions.files import Submission


@dataclass
class Options:
    """Write a submission: what one agent's training runs did on a scenario's test suite.

    Of evaluated runs, or of a driver from elsewhere, which drives now (docs/benchmark.md).
    """

    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Folders of evaluated runs of one agent."""
    config: Annotated[SubmitConfig, tyro.conf.arg(name="")] = field(default_factory=SubmitConfig)


def run(words: list[str]) -> int:
    """Submit, and say what was written."""
    options = read_options(Options, "submit", words)
    from drivemem.output import console, show
    from drivemem.submissions.submit import submit

    config = options.config
    default = SubmitConfig()
    given: dict[str, Any] = {
        name: getattr(config, name)
        for name in SubmitConfig.model_fields
        if getattr(config, name) != getattr(default, name)
    }
    made = submit(options.runs, **given)
    said = made.manifest
    console().print(said.told())
    console().print(f"suite {said.suite['hash'][:16]} of {said.suite['scenario']}")
    show(_ended(made))
    console().print(f"written: {made.folder}", soft_wrap=True)
    return 0


def _ended(made: Submission) -> Table:
    """How the episodes of each training run ended, in shares."""
    counts = {
        made.manifest.run_name(seed): Counter(row["outcome"] for row in made.episodes(seed))
        for seed in made.manifest.seeds
    }
    known = [name for name, _ in sum(counts.values(), Counter()).most_common()]
    shares = {
        run: {name: ended[name] / ended.total() for name in known} for run, ended in counts.items()
    }
    rows = [(run, *(f"{share:.3f}" for share in of.values())) for run, of in shares.items()]
    records = [{"run": run, **of} for run, of in shares.items()]
    return Table(("run", *known), rows, records=records)
