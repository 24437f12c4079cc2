"""A study resolved: every cell with its whole configuration, and where each of them stands."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from drivemem.config import TrainConfig, build_config
from drivemem.errors import DrivememError
from drivemem.evaluation.external_drivers import resolve_driver
from drivemem.lesions import INTACT, folder_name, parse_lesions
from drivemem.runs import NUMBER, RUNS, Run, check_kinds, read_json, write_json_file
from drivemem.studies.resolve import resolve_settings, scenario_of
from drivemem.studies.spec import AgentEntry, Study

FORMAT = "drivemem-study"
PLAN = "study.json"


@dataclass(frozen=True)
class Cell:
    """One run of a study: a trained agent, or a reference driver, on one scenario."""

    name: str
    """Of its folder, unique in the study."""
    scenario: str
    """Name in the study."""
    agent: str
    """Name in the study; for a reference driver the driver's."""
    seed: int | None
    """None for a reference driver."""
    config: dict[str, Any]
    """Of training; for a driver: scenario, driver, sensors, dials."""
    evaluations: tuple[dict[str, Any], ...]
    """Arguments of `evaluate`, one suite and lesion each."""
    probe: int = 0
    """Episodes to probe on."""
    scenario_hash: str = ""
    """Of the scenario as it is now."""

    @property
    def is_driver(self) -> bool:
        """Whether nothing is trained."""
        return self.seed is None

    @property
    def teacher(self) -> str | None:
        """What it learns from: another cell's name, a run's folder or a driver; or nothing."""
        found = self.config.get("teacher")
        return None if found is None or self.is_driver else str(found)

    @property
    def steps(self) -> int:
        """Decisions to train for."""
        return 0 if self.is_driver else int(self.config["steps"])

    def train_config(self) -> TrainConfig:
        """The configuration of training."""
        return build_config(self.config)

    def to_json(self) -> dict[str, Any]:
        """As `study.json` holds it."""
        return {**self.__dict__, "evaluations": list(self.evaluations)}


@dataclass(frozen=True)
class Plan:
    """A study's cells in the order in which they are run, and their folder."""

    study: Study
    folder: Path
    cells: tuple[Cell, ...]
    resolved: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By `scenario/agent`: what the file asked for, and what came of it."""
    notes: tuple[str, ...] = ()

    def hash(self) -> str:
        """SHA-256 of the resolved study."""
        return _digest(self._plain())

    def run(self, cell: Cell) -> Run:
        """The run folder of a cell."""
        return Run(self.folder / cell.name)

    def save(self) -> Path:
        """Write `study.json`, which workers and later calls read.

        Cells of earlier calls stay in it, also when this call runs only some of the study.
        """
        path = self.folder / PLAN
        before = _read(path) if path.exists() else {}
        cells = {**before.get("cells", {}), **self._plain()["cells"]}
        resolved = {**before.get("resolved", {}), **self.resolved}
        known = {**self._plain(), "cells": cells, "resolved": resolved}
        write_json_file(path, {**known, "hash": _digest(known)})
        return path

    def _plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT, "version": 1, "study": self.study.model_dump(mode="json"),
            "resolved": self.resolved, "cells": {cell.name: cell.to_json() for cell in self.cells},
        }  # fmt: skip


def _digest(plain: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Part:
    """Which cells of a study to run; None: all of an axis."""

    scenarios: Sequence[str] | None = None
    agents: Sequence[str] | None = None
    seeds: Sequence[int] | None = None

    def check(self, study: Study) -> None:
        """Refuse names that the study does not have.

        Raises:
            DrivememError: unknown scenario, agent or seed.
        """
        agents = [*study.agents, *study.evaluation.drivers]
        for what, given, known in (
            ("scenario", self.scenarios, list(study.scenarios)),
            ("agent", self.agents, agents),
            ("seed", self.seeds, list(study.every_seed())),
        ):
            for name in given or ():
                if name not in known:
                    names = ", ".join(map(str, known))
                    raise DrivememError(f"study {study.name} has no {what} '{name}' (has: {names})")

    def with_teachers(self, study: Study) -> Part:
        """The same and whom its agents learn from."""
        if self.agents is None:
            return self
        wanted = [agent for agent in self.agents if agent in study.agents]
        for agent in wanted:
            teacher = study.teacher_of(agent)
            if teacher is not None and teacher not in wanted:
                wanted.append(teacher)
        drivers = [agent for agent in self.agents if agent not in study.agents]
        return replace(self, agents=(*wanted, *drivers))

    def in_words(self) -> str:
        """Such as: agents gru, scenarios exit-recall-easy."""
        axes = {"agents": self.agents, "scenarios": self.scenarios, "seeds": self.seeds}
        given = {name: ", ".join(map(str, values)) for name, values in axes.items() if values}
        return "; ".join(f"{name} {values}" for name, values in given.items()) or "its agents"

    def has(self, scenario: str, agent: str, seed: int | None) -> bool:
        """Whether a cell belongs to it; drivers belong to every seed."""
        return (
            (self.scenarios is None or scenario in self.scenarios)
            and (self.agents is None or agent in self.agents)
            and (self.seeds is None or seed is None or seed in self.seeds)
        )


def make_plan(study: Study, out: str | Path | None = None, part: Part | None = None) -> Plan:
    """Resolve a study into cells.

    Settings that a study was resolved to once stay, for all its seeds, when presets change later.

    Args:
        study: of `load_study`.
        out: its folder; default `runs/<study>`.
        part: run only some cells.

    Raises:
        DrivememError: names that do not exist, settings that do not fit together, or a folder
            that holds another study.
    """
    folder = Path(out) if out is not None else RUNS / study.name
    part = part or Part()
    part.check(study)
    part = part.with_teachers(study)
    stored = _stored(folder, study)
    resolved: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    cells: list[Cell] = []
    axes: dict[str, tuple[Any, ...]] = {
        "seed": study.every_seed(),
        "scenario": tuple(study.scenarios),
        "agent": study.teachers_first(),
    }
    for values in itertools.product(*(axes[axis] for axis in study.order)):
        place = dict(zip(study.order, values, strict=True))
        scenario, agent, seed = place["scenario"], place["agent"], place["seed"]
        if not (study.has_run(scenario, agent, seed) and part.has(scenario, agent, seed)):
            continue
        key = f"{scenario}/{agent}"
        if key not in resolved:
            resolved[key] = resolve_settings(study, scenario, agent, stored.get(key), notes)
        cells.append(_trained_cell(study, scenario, agent, seed, resolved[key]))
    cells += _driver_cells(study, part, notes)
    if not cells:
        raise DrivememError(f"study {study.name} plans no run of {part.in_words()}")
    return Plan(study, folder, tuple(cells), resolved, tuple(notes))


def load_cell(folder: Path, name: str) -> Cell:
    """A cell of the stored study in a folder.

    Raises:
        DrivememError: no such cell there.
    """
    cells = _read(folder / PLAN).get("cells", {})
    if name not in cells:
        raise DrivememError(f"{folder / PLAN} has no cell '{name}'")
    if name.startswith(".") or "/" in name or "\\" in name:
        raise DrivememError(f"{folder / PLAN}: cell '{name}' is a path, where a name is due")
    where = f"{folder / PLAN}: cell '{name}'"
    check_kinds(
        cells[name],
        where,
        name=str,
        scenario=str,
        agent=str,
        config=dict,
        evaluations=list,
        probe=NUMBER,
        scenario_hash=str,
    )
    try:
        plain = cells[name]
        return Cell(**{**plain, "evaluations": tuple(plain["evaluations"])})
    except (KeyError, TypeError) as error:
        raise DrivememError(
            f"{where} is damaged: {error}; delete the file, and plan again"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    """A stored study.

    Raises:
        DrivememError: missing or damaged.
    """
    found = read_json(path, study=dict, resolved=dict, cells=dict)
    for key, one in found.get("resolved", {}).items():
        check_kinds(one, f"{path}: what {key} came to", asked=dict, settings=dict)
    return found


def _stored(folder: Path, study: Study) -> dict[str, dict[str, Any]]:
    """What an earlier call resolved."""
    path = folder / PLAN
    if not path.exists():
        return {}
    before = _read(path)
    if before.get("format") != FORMAT:
        raise DrivememError(f"{path} is no study (format {before.get('format')!r})")
    name = before.get("study", {}).get("name")
    if name != study.name:
        raise DrivememError(f"{folder} holds the study '{name}': choose another --out")
    stored: dict[str, dict[str, Any]] = before.get("resolved", {})
    return stored


def _cell_name(scenario: str, agent: str, seed: int) -> str:
    return f"{scenario}-{agent}-s{seed}"


def _trained_cell(
    study: Study, scenario: str, agent: str, seed: int, resolved: dict[str, Any]
) -> Cell:
    settings = {**resolved["settings"], "seed": seed}
    teacher = study.teacher_of(agent)
    if teacher is not None:  # the name of a folder beside its own, so that studies can be moved
        settings["teacher"] = _cell_name(scenario, teacher, seed)
    config = build_config(settings)
    return Cell(
        _cell_name(scenario, agent, seed), scenario, agent, seed, config.model_dump(mode="json"),
        tuple(_evaluations(study, study.agents[agent])), study.evaluation.probe,
        resolved["scenario_hash"],
    )  # fmt: skip


def _evaluations(study: Study, agent: AgentEntry) -> list[dict[str, Any]]:
    """Arguments of `evaluate`: every suite, greedy and sampled, whole; lesions greedy."""
    plan = study.evaluation
    lesions = plan.lesions if agent.lesions is None else agent.lesions
    found: list[dict[str, Any]] = []
    for suite, actions in itertools.product(plan.suites, plan.actions):
        shared = {"suite": suite, "episodes": plan.episodes, "sampled": actions == "sampled"}
        first = suite == plan.suites[0] and actions == plan.actions[0]
        found.append({**shared, "lesion": INTACT, "record": plan.record if first else 0})
        if actions == plan.actions[0] and suite != "train":
            each = [one for lesion in lesions for one in parse_lesions(lesion) if one != INTACT]
            found += [{**shared, "lesion": one, "record": 0} for one in each]
    return found


def _driver_cells(study: Study, part: Part, notes: list[str]) -> list[Cell]:
    cells = []
    plan = study.evaluation
    suites = [suite for suite in plan.suites if suite != "train"]
    for name in study.scenarios if plan.drivers else ():
        scenario, settings = scenario_of(study, name)
        drivers = [
            one
            for d in plan.drivers
            if part.has(name, d, None)
            for one in _each(d, scenario, notes)
        ]
        for driver in drivers:
            config = {
                "driver": driver, "scenario": scenario.name,
                "sensors": settings.get("sensors"), "dials": list(settings.get("dials", ())),
            }  # fmt: skip
            evaluations = tuple(
                {"suite": suite, "episodes": plan.episodes, "lesion": INTACT, "sampled": False,
                 "record": plan.record if suite == suites[0] else 0}
                for suite in suites
            )  # fmt: skip
            called = f"{name}-{folder_name(driver)}"
            cells.append(Cell(called, name, driver, None, config, evaluations, 0, scenario.hash()))
    return cells


def _each(driver: str, scenario: Any, notes: list[str]) -> list[str]:
    """`constant:*` as a driver for each action; none where a scenario has no such driver."""
    from drivemem_envs.drivers.constant import action_labels

    if driver == "constant:*":
        return [f"constant:{label}" for label in action_labels(scenario)]
    if driver == "oracle":
        try:
            resolve_driver(driver, scenario)
        except DrivememError as error:
            notes.append(str(error))
            return []
    return [driver]
