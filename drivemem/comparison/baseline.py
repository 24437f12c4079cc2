"""Baselines: whom others are compared with, as a user names them, and whether two are alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from drivemem.comparison.collect import StoredEvaluation, bare
from drivemem.errors import DrivememError
from drivemem.runs import run_folder
from drivemem_envs.sensing import TRACKERS

MEMORYLESS = "none"
DEFAULT = f"memory={MEMORYLESS}"

_NOUNS = {"memory": "{} agent", "driver": "driver {}", "run": "run {}", "label": "agent '{}'"}


@dataclass(frozen=True)
class Baseline:
    """What others are compared with: all agents of a memory, a driver, one run, or a row."""

    kind: Literal["memory", "driver", "run", "label"]
    value: str
    """Name of the memory or driver, folder of the run, or what tables call the row."""

    @classmethod
    def parse(cls, text: str) -> Baseline:
        """A baseline as a user writes it.

        Args:
            text: `memory=NAME`, `driver=NAME`, a run's folder, or what a table calls an agent.

        Raises:
            DrivememError: nothing is named.
        """
        key, equals, name = text.partition("=")
        if equals and name and key in ("memory", "driver"):
            return cls(key, name)  # type: ignore[arg-type]
        if not name and (equals or not text.strip() or text in ("memory", "driver")):
            raise DrivememError(
                f"baseline is '{text}': give memory=NAME such as {DEFAULT}, driver=NAME, a run's "
                "folder, or what the table calls an agent"
            )
        folder = run_folder(text)
        if (folder / "config.json").is_file():
            return cls("run", folder.as_posix())
        return cls("label", text)

    @property
    def noun(self) -> str:
        """What it is, without an article: memoryless agent, driver idm, run runs/a."""
        if (self.kind, self.value) == ("memory", MEMORYLESS):
            return "memoryless agent"
        return _NOUNS[self.kind].format(self.value)

    def is_run(self, one: StoredEvaluation) -> bool:
        """Whether an evaluation is of the single run that this names."""
        return self.kind == "run" and one.run.folder.resolve() == Path(self.value).resolve()

    def names(self, one: StoredEvaluation, label: str) -> bool:
        """Whether it names an evaluation, intact and with its most likely actions.

        Args:
            one: the evaluation.
            label: what its table calls it.
        """
        if self.kind in ("memory", "driver") and one.is_submitted:
            return False
        if self.kind == "memory":
            helped = one.first["full_sensors"] or one.is_taught
            plain = one.first["tracker"] == "none" and not helped
            return not one.is_driver and one.first["driver"] == self.value and plain
        if self.kind == "driver":
            return one.is_driver and one.first["driver"] == self.value
        if self.kind == "run" and not self.is_run(one):
            return False
        if self.kind == "label" and self.value not in (label, one.agent(), one.name):
            return False
        tracker = str(one.first["tracker"])
        if is_only_for_measuring(tracker):
            raise DrivememError(
                f"baseline '{self.value}' sees through {tracker}, which shows the truth and "
                "is only for measuring: name an agent whose sensors a car could have"
            )
        return True


def is_only_for_measuring(tracker: str) -> bool:
    """Whether who sees through a tracker shows what could be had, and competes with nobody."""
    return tracker in TRACKERS and TRACKERS[tracker].only_for_measuring


def unlike(one: StoredEvaluation, other: StoredEvaluation) -> str:
    """In what two agents were trained otherwise, so that memory alone does not tell them apart.

    Settings of learning and of memory are the agent's own; how long it trained and on what are
    not. Sensors are told apart only where both agents have limited ones, and nothing of drivers.

    Returns:
        Such as `3,000 decisions, not 100,000`; nothing if they are alike.
    """
    if one.is_driver or other.is_driver:
        return ""
    mine, theirs = _training(one), _training(other)
    if one.first["full_sensors"] or other.first["full_sensors"]:
        del mine["sensors"], theirs["sensors"]
    found = [(mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]]
    return "; ".join(f"{own}, not {base}" for own, base in found)


def decisions(one: StoredEvaluation) -> int:
    """How many decisions it was trained for; 0 for a driver."""
    steps = one.settings.get("steps")
    return int(steps) if isinstance(steps, int | float) and not one.is_driver else 0


def _training(one: StoredEvaluation) -> dict[str, str]:
    """How long and on what an agent was trained, in words."""
    first = one.settings.get("first_trained_on")
    before = "" if first is None else f"first {bare(str(first))}, then "
    return {
        "steps": f"{decisions(one):,} decisions",
        "scenario": f"trained on {before}{one.trained_on}",
        "sensors": _words("sensors", one.settings.get("sensors")),
        "dials": _words("dials", one.settings.get("dials")),
    }


def _words(what: str, given: Any) -> str:
    """Settings as key=value words, sorted; `the scenario's sensors` where none was changed."""
    if isinstance(given, dict):
        given = [f"{key}={value}" for key, value in given.items() if value is not None]
    words = " ".join(sorted(map(str, given or ())))
    return f"{what} {words}" if words else f"the scenario's {what}"
