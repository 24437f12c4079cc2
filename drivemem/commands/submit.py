"""`drivemem submit`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Any

import tyro

from drivemem.commands.parsing import read_options
from drivemem.submissions.config import SubmitConfig


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
    from drivemem.progress import console
    from drivemem.submissions.submit import submit

    config = options.config
    default = SubmitConfig()
    given: dict[str, Any] = {
        name: getattr(config, name)
        for name in SubmitConfig.model_fields
        if getattr(config, name) != getattr(default, name)
    }
    made = submit(options.runs, **given)
    said, out = made.manifest, console()
    out.print(said.told(), markup=False, highlight=False)
    out.print(f"suite {said.suite['hash'][:16]} of {said.suite['scenario']}", highlight=False)
    for seed in said.seeds:
        rows = made.episodes(seed)
        ended = Counter(row["outcome"] for row in rows)
        shares = ", ".join(f"{name} {count / len(rows):.3f}" for name, count in ended.most_common())
        out.print(f"  {said.run_name(seed)}: {shares}", markup=False, highlight=False)
    out.print(f"written: {made.folder}", markup=False, highlight=False, soft_wrap=True)
    return 0
