"""Studies: a matrix of scenarios, agents, seeds and lesions, run and reported as one thing.

A study is a TOML file (docs/studies.md); what has been run is seen in its folder, nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drivemem.studies.plan import Cell, Plan
    from drivemem.studies.spec import Study

__all__ = ["Cell", "Plan", "Study", "load_study", "make_plan", "run_local"]


def __getattr__(name: str) -> object:
    """Import on first use, so that commands which need none of it start fast."""
    from importlib import import_module

    homes = {
        "Cell": "plan", "Plan": "plan", "make_plan": "plan", "Study": "spec", "load_study": "spec",
        "run_local": "local",
    }  # fmt: skip
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{homes[name]}"), name)
