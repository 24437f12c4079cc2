"""Whether a scenario runs on the compiled backend, found by building one world of it."""

from __future__ import annotations

from functools import lru_cache

from drivemem_envs.compiled.batch import CompiledWorlds
from drivemem_envs.compiled.export.supported import CompiledUnsupported
from drivemem_envs.scenario_spec import Scenario


@lru_cache(maxsize=64)
def _reason(description: str) -> str | None:
    """Why the scenario with this JSON description does not compile; None if it does."""
    try:
        CompiledWorlds(Scenario.model_validate_json(description), 1, 1).close()
    except CompiledUnsupported as error:
        return str(error)
    return None


def check(scenario: Scenario) -> None:
    """Raise unless a batch of a scenario's worlds can be built, whatever would refuse it.

    Raises:
        CompiledUnsupported: it cannot; the message says why.
    """
    reason = _reason(scenario.model_dump_json())
    if reason is not None:
        raise CompiledUnsupported(reason)
