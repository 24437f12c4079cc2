"""What making a run readable is asked for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from drivemem.evaluation.config import Backend
from drivemem.settings import OneLineErrors
from drivemem.tables import Shown, Table
from drivemem_agents.settings import Settings

To = Literal["machine", "tree"]


class ExplainConfig(OneLineErrors, Settings):
    """How a run is made readable."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    states: int = Field(default=16, ge=2, le=256)
    """States of the machine, at most."""
    depth: int | None = Field(default=None, ge=1, le=32)
    """Depth of the tree (default 5), or of those that choose the machine's next state (6)."""
    episodes: int = Field(default=400, ge=4, le=100_000)
    """Episodes driven: one half is learnt from, the other judges."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the clustering."""
    backend: Backend = "auto"
    """auto: compiled where the scenario supports it."""
    num_workers: int | None = None
    """Threads (compiled) or processes (reference); default: the machine's cores."""


@dataclass(frozen=True)
class Explanation(Shown):
    """What a run was made into, and how true that is to it, on episodes it was not made from."""

    folder: Path
    to: To
    agreement: float
    """Share of the agent's decisions for which it names the same action."""
    commonest: float
    """The same of always naming the agent's commonest action, with which to compare that."""
    success: float
    """Of what was made, when it drives."""
    agents_success: float
    """Of the agent, on the same episodes."""
    size: int
    """States of a machine, leaves of a tree."""
    told_bits: float | None = None
    """What a machine's states tell of the hidden fact while it is hidden; None: there is none."""
    fact_bits: float | None = None
    """The most that there is to tell."""
    branches: int | None = None
    """How many different facts there is a state for that knows it while it is hidden."""
    facts: int | None = None
    """How many different facts there are."""
    files: tuple[Path, ...] = ()

    def as_tables(self) -> list[Table]:
        """How true it is to the run."""
        rows = [
            ("states" if self.to == "machine" else "leaves", str(self.size)),
            ("the same action as the run", f"{self.agreement:.3f}"),
            ("always the run's commonest action", f"{self.commonest:.3f}"),
            (f"success of the {self.to}", f"{self.success:.3f}"),
            ("success of the run", f"{self.agents_success:.3f}"),
        ]
        if self.told_bits is not None:
            told = f"{self.told_bits:.2f} of {self.fact_bits:.2f}"
            own = f"{self.branches} of {self.facts}"
            rows.append(("what its states tell of what is hidden, bits", told))
            rows.append(("hidden facts that have states of their own", own))
        columns = (f"{self.folder.parent.name} as a {self.to}, unseen episodes", "")
        return [Table(columns, rows, records=[vars(self)])]
