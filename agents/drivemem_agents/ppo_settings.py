"""The settings of MemoryPPO: each one's name, type, range, default and explanation, stated once.

Arguments, help texts, the command line's options, stored agents and the documentation read this.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, create_model

from drivemem_agents.settings import Settings

Critic = Literal["shared", "separate", "privileged"]
Precision = Literal["float32", "bf16"]
StateInit = Literal["stored", "zero", "burn_in", "recompute"]

SCHEDULED = ("learning_rate", "clip_range", "clip_range_vf", "ent_coef")
"""Settings that MemoryPPO also takes as functions of the remaining progress (1 to 0)."""


class TrainingSettings(Settings):
    """What every way of training chooses: options of a command line as well as arguments."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    memory: str = "gru"
    """Name of a memory; `drivemem list memories` shows them."""
    encoder: str = "vector"
    """Name of an encoder: what turns one frame into what the memory reads."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Adam's learning rate at the start."""
    n_steps: int = Field(default=128, ge=1)
    """Decisions of each world between updates."""
    batch_size: int = Field(default=512, ge=1)
    """Decisions per minibatch: a multiple of bptt_steps (else n_steps) for a memory with state."""
    n_epochs: int = Field(default=4, ge=1)
    """Passes over each rollout."""
    bptt_steps: int | None = Field(default=None, ge=1)
    """Decisions that gradients flow back through; default n_steps."""
    state_init: StateInit = "stored"
    """Where the memory state at the start of a training chunk comes from: stored while acting,
    zero, burn_in (the burn_in_steps before the chunk, from zero state, with the present weights)
    or recompute (from the rollout's start, with the present weights)."""
    burn_in_steps: int = Field(default=16, ge=1)
    """Decisions run before a chunk to warm its memory state, with state_init burn_in."""
    gamma: float = Field(default=0.99, gt=0, le=1)
    """Discount factor."""
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    """Bias-variance trade-off of generalised advantage estimation."""
    clip_range: float = Field(default=0.2, gt=0)
    """PPO's clip range."""
    clip_range_vf: float | None = Field(default=None, gt=0)
    """Clip range of the change in values; default: not clipped."""
    ent_coef: float = Field(default=0.01, ge=0)
    """Weight of the entropy bonus."""
    vf_coef: float = Field(default=0.5, ge=0)
    """Weight of the value loss."""
    max_grad_norm: float = Field(default=0.5, gt=0)
    """Gradients are scaled down to this norm."""
    target_kl: float | None = Field(default=None, gt=0)
    """End a rollout's epochs when the policy has moved this far: when the approximate KL
    divergence passes 1.5 times this."""
    critic: Critic = "shared"
    """Whether the value estimate shares the memory, has its own, or sees the truth (training)."""
    observe_previous_action: bool = False
    """Whether the memory also reads the action taken one decision before."""
    aux_coef: float = Field(default=0.0, ge=0)
    """Weight of the auxiliary loss: predict what is hidden from the memory (training only)."""
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
    precision: Precision = "float32"
    """bf16: encoder and heads in bfloat16 while training."""
    compile: bool = False
    """Run encoder and heads through torch.compile (needs a C++ compiler on CPU)."""


class PPOSettings(TrainingSettings):
    """All that MemoryPPO takes: `TrainingSettings`, and what only Python sets."""

    memory_kwargs: dict[str, Any] | None = None
    """The memory's settings by name."""
    encoder_kwargs: dict[str, Any] | None = None
    """The encoder's settings by name."""
    normalize_advantage: bool = True
    """Scale advantages in each minibatch."""
    squash: bool = True
    """Squash continuous actions by tanh into their bounds."""
    observe_previous_reward: bool = False
    """Whether the memory also reads the reward of the action before; then whoever drives the agent
    must report rewards with `policy.tell_rewards` (SB3's `evaluate_policy` does not)."""
    memory_horizon_steps: int | None = Field(default=None, ge=0)
    """For how many steps a scenario hides what must be remembered, if known; a warning is given
    when gradients cannot reach that far."""


_OF_POLICY = (
    "memory", "memory_kwargs", "encoder", "encoder_kwargs", "critic", "dropout", "weight_decay",
    "normalize_observations", "squash", "observe_previous_action", "observe_previous_reward",
    "precision", "compile",
)  # fmt: skip

PolicySettings: type[Settings] = create_model(
    "PolicySettings",
    __base__=Settings,
    __doc__="Those settings of MemoryPPO that its policy obeys; the others are the algorithm's.",
    **{
        name: (field.annotation, field)
        for name, field in PPOSettings.model_fields.items()
        if name in _OF_POLICY
    },
)  # type: ignore[call-overload]
