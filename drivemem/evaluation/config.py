"""What an evaluation is asked for: one frozen model, from Python, the command line or a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, field_validator

from drivemem.config import SensorChanges
from drivemem.errors import one_line
from drivemem.lesions import INTACT
from drivemem.settings import OneLineErrors, Words, parse_pairs
from drivemem_agents.settings import Settings

if TYPE_CHECKING:
    from drivemem_envs import Scenario

Backend = Literal["auto", "compiled", "reference"]


class EvaluateConfig(OneLineErrors, Settings):
    """How drivers are evaluated.

    An agent meets the scenario, sensors and dials that it was trained with, unless told otherwise
    (so one trained with full sensors is the upper bound of the same episodes).
    """

    model_config = ConfigDict(coerce_numbers_to_str=True, use_attribute_docstrings=True)

    driver: str | None = None
    """In place of runs: a driver of `drivemem list drivers`, a module:factory[:ARGUMENT] of your
    own, sb3:ALGORITHM:FILE or onnx:FILE."""
    scenario: str | None = None
    """The scenario: needed with --driver; for runs, another than they were trained on."""
    episodes: int = 500
    """How many episodes (of the suite's stream)."""
    suite: str = "test"
    """test, eval, train (episodes that the run was trained on), or the path of a suite.json."""
    lesion: str = INTACT
    """Cut memory: name:argument, several with commas (span:1,2,4); `drivemem list lesions`."""
    sampled: bool = False
    """Draw actions from the policy in place of the most likely."""
    record: str = "0"
    """Record the first N episodes for replay; or all, failures, or disagreements:OTHER_RUN (those
    that one of the two ends well and the other does not)."""
    backend: Backend = "auto"
    """auto: compiled where the scenario supports it."""
    num_envs: int | None = None
    """Worlds driven at once; default: 64 compiled, 16 reference."""
    num_workers: int | None = None
    """Threads (compiled) or processes (reference); default: the machine's cores."""
    full_sensors: bool = False
    """Evaluate on the twin: the same episodes with full sensors."""
    dials: Words = ()
    """Changes of the scenario's dials as key=value words, such as exits_count=5."""
    again: bool = False
    """Drive anew what is there already; else finished evaluations are kept, and one that was
    interrupted goes on."""
    trust: bool = False
    """Load sb3: files, which run code that is stored in them."""
    sensors: SensorChanges = SensorChanges()
    """Changes to the scenario's sensors."""
    out: str | None = None
    """Where a reference driver's results go; default runs/<scenario>-<driver>."""

    @field_validator("suite", "out", "record", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_validator("sensors", mode="before")
    @classmethod
    def _none_changes_nothing(cls, value: Any) -> Any:
        return {} if value is None else value

    def changed(self, scenario: Scenario) -> Scenario:
        """A scenario as it is evaluated: on its twin, with other sensors or dials.

        Raises:
            DrivememError: unknown keys or values out of range.
        """
        sensors = self.sensors.model_dump(exclude_unset=True)
        met = scenario.twin() if self.full_sensors else scenario
        dials = parse_pairs(self.dials, "--dials")
        with one_line(ValueError):
            return met.with_(sensors=sensors or None, config=dials or None)


def evaluate_config(**settings: Any) -> EvaluateConfig:
    """A configuration from keywords.

    Raises:
        DrivememError: unknown settings (with the nearest) or values out of range.
    """
    return EvaluateConfig(**settings)
