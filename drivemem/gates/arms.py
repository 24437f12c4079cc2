"""What the gates of a scenario train and drive, as a study: memoryless agents, and an oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivemem.errors import DrivememError, one_line
from drivemem.evaluation.external_drivers import resolve_driver
from drivemem.gates.verdicts import FULL, NONE, ORACLE, RECALL, SHORTCUTS, TAUGHT, Gate
from drivemem.studies.resolve import resolve_settings
from drivemem.studies.spec import Study, study_from
from drivemem_envs import Scenario, registry
from drivemem_envs.names import LEVELS
from drivemem_envs.sensing import TRACKERS

ORACLES = ("oracle", "planner")
"""Drivers that are told the truth: by the scenario's own rule if it has one, else by a plan."""
_FRAMES = "frame_stack"
AGENTS: dict[str, dict[str, Any]] = {
    FULL: {"memory": "none", "full_sensors": True},
    NONE: {"memory": "none"},
    RECALL: {"memory": "none", "tracker": RECALL},
    _FRAMES: {"memory": _FRAMES},
    **{
        name: {"memory": "none", "tracker": name}
        for name, facts in TRACKERS.items()
        if name != "none" and not facts.only_for_measuring
    },
}
"""Settings of the agents that are trained by themselves, by arm."""
_TAUGHT = {"memory": "none", "teacher": RECALL, "check_episodes": 0}
"""Those of the one that is taught; the second half of its decisions is PPO."""
_VARIED = {
    "seed", "scenario", "memory_kwargs", "finetune_steps", *_TAUGHT,
    *(key for one in AGENTS.values() for key in one),
}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """What the gates of a scenario may cost."""

    seeds: int = 3
    """Training runs of each agent."""
    episodes: int = 300
    """Of the test suite, for each run."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of training that win over the scenario's preset, `steps` among them."""
    preset: str | None = None
    """A TOML file in place of the scenario's own preset; `none`: no preset."""


def gates_study(scenario: Scenario, budget: Budget, oracle: str | None) -> Study:
    """The study that has all that the gates ask for.

    Args:
        scenario: as it is registered.
        budget: what it may cost.
        oracle: the driver that is told the truth; None: there is none.

    Raises:
        DrivememError: settings that are unknown, out of range, or what the gates vary.
    """
    for name in budget.settings:
        if name in _VARIED:
            raise DrivememError(
                f"{name} is what the gates vary: leave it out of --set (settings of one memory "
                "stand in a preset, under [memories.NAME])"
            )
    if budget.seeds < 1:
        raise DrivememError(f"seeds is {budget.seeds}; give at least 1")
    entry: dict[str, Any] = {"scenario": scenario.name}
    if budget.preset is not None:
        entry |= {"preset": False if budget.preset == "none" else budget.preset}
        entry |= _with_level(scenario.name)
    plain: dict[str, Any] = {
        "name": f"gates-{scenario.name}",
        "claims": f"Whether {scenario.name} may judge memories.",
        "seeds": budget.seeds,
        "order": ["agent", "seed", "scenario"],
        "train": dict(budget.settings),
        "scenarios": {scenario.name: entry},
        "agents": AGENTS,
        "evaluation": {
            "episodes": budget.episodes,
            "drivers": [] if oracle is None else [oracle],
        },
    }
    alone = study_from(plain, "gates")
    steps = resolve_settings(alone, scenario.name, NONE, None, [])["settings"]["steps"]
    taught = {**_TAUGHT, "finetune_steps": steps // 2}
    return study_from({**plain, "agents": {**AGENTS, TAUGHT: taught}}, "gates")


def arms_of(gate: Gate, oracle: str | None) -> list[str]:
    """The study's agents and drivers that a gate compares."""
    found = []
    for need in gate.needs:
        if need == ORACLE:
            found += [] if oracle is None else [oracle]
        elif need == SHORTCUTS:
            found += [name for name in AGENTS if name not in (FULL, NONE, RECALL)]
        else:
            found.append(need)
    return found


def find_oracle(scenario: Scenario, names: Sequence[str] = ORACLES) -> tuple[str | None, str]:
    """The first driver that can be told the truth here; else None, and why there is none."""
    reasons = []
    for name in names:
        try:
            resolve_driver(name, scenario)
        except DrivememError as error:
            reasons.append(str(error))
        else:
            return name, ""
    return None, "; ".join(reasons)


def find_scenario(name: str) -> Scenario:
    """A scenario by name.

    Raises:
        DrivememError: there is none; the message names the nearest.
    """
    with one_line(ValueError):
        return registry.scenario(name)


def _with_level(name: str) -> dict[str, str]:
    """A scenario's name without its level, and the level, by which a preset file is read."""
    stem = name.rpartition("-v")[0]
    for level in LEVELS:
        if stem.endswith(f"-{level}"):
            return {"scenario": stem.removesuffix(f"-{level}"), "level": level}
    return {}
