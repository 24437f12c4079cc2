"""The configuration of a training run: one frozen model, read from the command line or TOML."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)
from tyro.constructors import PrimitiveConstructorSpec

from drivemem.errors import DrivememError, one_line
from drivemem.settings import OneLineErrors, Words, parse_pairs
from drivemem_agents.imitation_settings import ImitationSettings
from drivemem_agents.ppo_settings import TrainingSettings
from drivemem_agents.settings import complaint
from drivemem_envs import registry
from drivemem_envs.sensing.missed import MISSED_WORDS, OptionalMissed
from drivemem_envs.sensing.sectors import SECTOR_WORDS, Sectors
from drivemem_envs.sensing.spec import Sensors, Slots, Tracker
from drivemem_envs.sensing.view_spec import View

if TYPE_CHECKING:
    from drivemem_envs import Scenario

PrivilegedView = Literal["actors", "grid"]
"""What a privileged critic is told of the truth."""


def _word(kind: Any, metavar: str) -> PrimitiveConstructorSpec[Any]:
    """How the command line takes a field that is a table in files: as one word."""

    def read(words: list[str]) -> Any:
        try:
            return TypeAdapter(kind).validate_python(words[0])
        except ValidationError as error:
            raise ValueError(complaint(error)) from None

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: not isinstance(value, str),
        str_from_instance=lambda value: [str(value)],
    )


_WORDS = {
    "sectors": Annotated[Sectors | None, _word(Sectors, SECTOR_WORDS)],
    "missed": Annotated[OptionalMissed, _word(OptionalMissed, MISSED_WORDS)],
}

_LATER = ("sectors", "missed")
"""Limits that came after runs whose identity was published."""

SensorChanges: Any = create_model(
    "SensorChanges",
    __config__=ConfigDict(frozen=True, extra="forbid"),
    __doc__="Changes to the scenario's sensors; what is not given stays as the scenario has it.",
    **{
        name: (
            _WORDS.get(name, field.annotation | None if field.annotation else Any),
            Field(default=None, description=field.description),
        )
        for name, field in Sensors.model_fields.items()
    },
)  # type: ignore[call-overload]


WITHOUT_EFFECT = ("checkpoint_every", "num_workers", "check_episodes")
"""Settings that change nothing of what is learnt."""


class RunSettings(BaseModel):
    """What a run trains on and for how long, whatever learns."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    scenario: str
    """Name of a scenario; `drivemem list scenarios` shows them."""
    steps: int = Field(default=1_000_000, ge=1)
    """Decisions to train for, over all worlds (1e6 is understood)."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of weights, exploration and training episodes."""
    start_from: str | None = None
    """Folder of a trained run whose weights training starts with (fine-tuning: transfer and
    forgetting)."""
    consolidation_coef: float = Field(default=0.0, ge=0)
    """Weight of the penalty on moving weights that the run of start_from relies on, so that it
    forgets less; 0: off."""
    full_sensors: bool = False
    """Train on the twin: the same scenario with full sensors."""
    sensors: SensorChanges = SensorChanges()
    """Changes to the scenario's sensors."""
    slots: Slots | None = None
    """Rows of the observation: sorted by distance, or fixed for the episode."""
    views: tuple[View, ...] | None = None
    """What the observation shows: rows, grid, lanes; default: what the scenario shows."""
    tracker: Tracker = "none"
    """What fills rows of hidden actors: an engineered memory before the learned one."""
    dials: Words = ()
    """The scenario's dials as key=value words, such as exits_count=5."""
    backend: Literal["auto", "compiled", "reference"] = "auto"
    """auto: compiled where the scenario supports it, else real highway-env in processes."""
    num_envs: int = Field(default=16, ge=1)
    """Worlds that are driven at once."""
    num_workers: int | None = None
    """Threads (compiled) or processes (reference); default: the machine's cores."""
    device: str = "auto"
    """auto, cpu or cuda; one that this machine lacks is refused."""
    checkpoint_every: int = Field(default=10, ge=1)
    """Updates between checkpoints."""


class TrainConfig(OneLineErrors, TrainingSettings, RunSettings):
    """Everything that a run depends on: `RunSettings`, PPO's settings, and what goes with them."""

    memory_kwargs: Words = ()
    """The memory's settings as key=value words, such as hidden_size=64 gate_bias=50."""
    encoder_kwargs: Words = ()
    """The encoder's settings as key=value words, such as widths=[128,64]."""
    final_learning_rate_share: float = Field(default=0.1, ge=0, le=1)
    """Share of the learning rate left at the end of the run; it falls linearly."""
    final_ent_coef_share: float = Field(default=1.0, ge=0, le=1)
    """Share of the entropy bonus left at the end of the run; it falls linearly."""
    privileged_view: PrivilegedView = "actors"
    """What auxiliary loss and privileged critic know of others: the nearest actors, or a grid."""

    def canonical(self) -> str:
        """The configuration as canonical JSON."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    def hash(self) -> str:
        """Identity of the run: SHA-256 of what the result depends on."""
        plain = self.model_dump(mode="json", exclude=set(WITHOUT_EFFECT))
        for name in _LATER:  # not given, they leave the identity of earlier runs as it was
            if plain["sensors"][name] is None:
                del plain["sensors"][name]
        if self.views is None:
            del plain["views"]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def run_name(self) -> str:
        """Default name of the run's folder: scenario, memory, what differs, seed."""
        parts = [self.scenario.removeprefix("drivemem/"), self.memory]
        parts += ["full"] if self.full_sensors else []
        parts += [self.tracker] if self.tracker != "none" else []
        parts += list(self.views or ())
        parts += ["aux"] if self.aux_coef > 0 else []
        parts += [f"from-{Path(self.start_from).name}"] if self.start_from else []
        parts += self._name_of_teacher()
        return "-".join([*parts, f"s{self.seed}"])

    def _name_of_teacher(self) -> list[str]:
        return []

    def scenario_changes(self) -> dict[str, Any]:
        """Arguments for `drivemem_envs.make_vec` besides the scenario's name."""
        changed = {
            key: value for key, value in self.sensors.model_dump().items() if value is not None
        }
        sensors = Sensors() if self.full_sensors else changed or None
        return {
            "sensors": sensors,
            "slots": self.slots,
            "tracker": self.tracker,
            "views": self.views,
            "config": parse_pairs(self.dials, "--dials") or None,
        }

    def changed_scenario(self) -> Scenario:
        """The scenario that is trained on, as the settings change it.

        Raises:
            DrivememError: unknown names, or values out of range.
        """
        with one_line(ValueError):
            return registry.scenario(self.scenario).with_(**self.scenario_changes())


class DistillConfig(TrainConfig, ImitationSettings):
    """Everything that a run depends on which learns from a teacher, and then perhaps by PPO.

    `steps` counts all decisions, those of fine-tuning too.
    """

    teacher: str
    """Folder of a run, or a driver such as oracle or planner:horizon_s=6."""
    check_episodes: int = Field(default=200, ge=0, le=100_000)
    """Unseen episodes that student and teacher drive in the end, to tell what was not learnt; 0:
    none."""

    @model_validator(mode="after")
    def _enough_steps(self) -> Self:
        if self.finetune_steps > self.steps:
            raise ValueError(
                f"finetune_steps is {self.finetune_steps}, more than all {self.steps} steps: the "
                "last ones of these are fine-tuning"
            )
        return self

    def _name_of_teacher(self) -> list[str]:
        own = self.scenario.removeprefix("drivemem/")
        name = re.sub(r"-s\d+$", "", Path(self.teacher).name.removeprefix(f"{own}-"))
        return ["distilled", re.sub(r"[^\w.+-]", "-", name)]


def config_from_toml(path: Path) -> dict[str, Any]:
    """Settings from a TOML file.

    Raises:
        DrivememError: unreadable file.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # broken TOML, or no UTF-8
        raise DrivememError(f"{path} cannot be read as TOML: {error}") from error
    except RecursionError as error:
        raise DrivememError(f"{path} cannot be read as TOML: nested too deeply") from error


def settings_of(path: Path) -> dict[str, Any]:
    """The settings of a run, from its `config.json` or a TOML file with the same keys.

    Raises:
        DrivememError: unreadable file, or one of a run that was taught or only driven.
    """
    if not path.is_file():
        raise DrivememError(f"there is no file '{path}': give the config.json of a run, or a TOML")
    if path.suffix == ".toml":
        found: Any = config_from_toml(path)
    else:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise DrivememError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise DrivememError(f"{path} holds {type(found).__name__}: settings are a table")
    for key, way in (("teacher", "drivemem distill"), ("driver", "drivemem evaluate --driver")):
        if key in found:
            raise DrivememError(f"{path} is of {key} '{found[key]}', not of training: use {way}")
    return found


def build_config(settings: dict[str, Any]) -> TrainConfig:
    """A configuration from a dict; with a `teacher` it is a `DistillConfig`.

    Raises:
        DrivememError: unknown keys (with the nearest) or values out of range.
    """
    return DistillConfig(**settings) if "teacher" in settings else TrainConfig(**settings)
