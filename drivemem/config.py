"""The configuration of a training run: one frozen model, read from the command line or TOML."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from drivemem.errors import DrivememError
from drivemem.settings import parse_pairs
from drivemem_envs.sensing.spec import Sensors, Slots, Tracker

PrivilegedView = Literal["actors", "grid"]
"""What a privileged critic is told of the truth."""

SensorChanges: Any = create_model(
    "SensorChanges",
    __config__=ConfigDict(frozen=True, extra="forbid"),
    __doc__="Changes to the scenario's sensors; what is not given stays as the scenario has it.",
    **{
        name: (field.annotation | None if field.annotation is not None else Any, None)
        for name, field in Sensors.model_fields.items()
    },
)  # type: ignore[call-overload]


class TrainConfig(BaseModel):
    """Everything that a run depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    """Name of a scenario; `drivemem list scenarios` shows them."""
    memory: str = "gru"
    """Name of a memory; `drivemem list memories` shows them."""
    memory_kwargs: tuple[str, ...] = ()
    """The memory's settings as key=value words, such as hidden_size=64 gate_bias=50."""
    steps: int = Field(default=1_000_000, ge=1)
    """Decisions to train for, over all worlds (1e6 is understood)."""
    seed: int = Field(default=0, ge=0)
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
    tracker: Tracker = "none"
    """What fills rows of hidden actors: an engineered memory before the learned one."""
    dials: tuple[str, ...] = ()
    """The scenario's dials as key=value words, such as exits_count=5."""
    backend: Literal["auto", "compiled", "reference"] = "auto"
    """auto: compiled where the scenario supports it, else real highway-env in processes."""
    num_envs: int = Field(default=16, ge=1)
    """Worlds that are driven at once."""
    num_workers: int | None = None
    """Threads (compiled) or processes (reference); default: the machine's cores."""
    encoder: str = "vector"
    """Name of an encoder."""
    encoder_kwargs: tuple[str, ...] = ()
    """The encoder's settings as key=value words, such as widths=[128,64]."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Adam's learning rate at the start."""
    final_learning_rate_share: float = Field(default=0.1, ge=0, le=1)
    """Share of the learning rate left at the end of the run; it falls linearly."""
    n_steps: int = Field(default=128, ge=1)
    """Decisions of each world between updates."""
    batch_size: int = Field(default=512, ge=1)
    """Decisions per minibatch: a multiple of bptt_steps (else n_steps) for a memory with state."""
    n_epochs: int = Field(default=4, ge=1)
    """Passes over each rollout."""
    bptt_steps: int | None = None
    """Decisions that gradients flow back through; default n_steps."""
    state_init: Literal["stored", "zero", "burn_in", "recompute"] = "stored"
    """Where the memory state at the start of a training chunk comes from."""
    burn_in_steps: int = Field(default=16, ge=1)
    """Decisions run before a chunk to warm its memory state, with state_init burn_in."""
    gamma: float = Field(default=0.99, gt=0, le=1)
    """Discount factor."""
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    """Bias-variance trade-off of generalised advantage estimation."""
    clip_range: float = Field(default=0.2, gt=0)
    """PPO's clip range."""
    clip_range_vf: float | None = None
    """Clip range of the change in values; default: not clipped."""
    ent_coef: float = Field(default=0.01, ge=0)
    """Weight of the entropy bonus."""
    final_ent_coef_share: float = Field(default=1.0, ge=0, le=1)
    """Share of the entropy bonus left at the end of the run; it falls linearly."""
    vf_coef: float = Field(default=0.5, ge=0)
    """Weight of the value loss."""
    max_grad_norm: float = Field(default=0.5, gt=0)
    """Gradients are scaled down to this norm."""
    target_kl: float | None = None
    """End a rollout's epochs when the policy has moved this far."""
    critic: Literal["shared", "separate", "privileged"] = "shared"
    """Whether the value estimate shares the memory, has its own, or sees the truth (training)."""
    observe_previous_action: bool = False
    """Whether the memory also reads the action taken one decision before."""
    aux_coef: float = Field(default=0.0, ge=0)
    """Weight of the auxiliary loss: predict what is hidden from the memory (training only)."""
    privileged_view: PrivilegedView = "actors"
    """What auxiliary loss and privileged critic know of others: the nearest actors, or a grid."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout between memory and heads."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay."""
    l1_coef: float = Field(default=0.0, ge=0)
    """Weight of the sum of absolute weights."""
    normalize_observations: bool = False
    """Scale observations by running statistics."""
    normalize_rewards: bool = False
    """Scale rewards by running statistics."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16: encoder and heads in bfloat16 while training."""
    compile: bool = False
    """Run encoder and heads through torch.compile (needs a C++ compiler on CPU)."""
    device: str = "auto"
    """auto, cpu or cuda."""
    checkpoint_every: int = Field(default=10, ge=1)
    """Updates between checkpoints."""

    def canonical(self) -> str:
        """The configuration as canonical JSON."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    def hash(self) -> str:
        """Identity of the run: SHA-256 of what the result depends on."""
        plain = self.model_dump(mode="json", exclude={"checkpoint_every", "num_workers"})
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def run_name(self) -> str:
        """Default name of the run's folder: scenario, memory, what differs, seed."""
        parts = [self.scenario.removeprefix("drivemem/"), self.memory]
        parts += ["full"] if self.full_sensors else []
        parts += [self.tracker] if self.tracker != "none" else []
        parts += ["aux"] if self.aux_coef > 0 else []
        parts += [f"from-{Path(self.start_from).name}"] if self.start_from else []
        return "-".join([*parts, f"s{self.seed}"])

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
            "config": parse_pairs(self.dials, "--dials") or None,
        }


def config_from_toml(path: Path) -> dict[str, Any]:
    """Settings from a TOML file.

    Raises:
        DrivememError: unreadable file.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise DrivememError(f"{path} cannot be read as TOML: {error}") from error


def build_config(settings: dict[str, Any]) -> TrainConfig:
    """A configuration from a dict.

    Raises:
        DrivememError: unknown keys (with the nearest) or values out of range.
    """
    import difflib

    for key in settings:
        if key not in TrainConfig.model_fields:
            near = difflib.get_close_matches(key, TrainConfig.model_fields, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise DrivememError(f"unknown setting '{key}'{hint}")
    try:
        return TrainConfig(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DrivememError(f"setting '{where}' is {first['input']!r}: {first['msg']}") from error
