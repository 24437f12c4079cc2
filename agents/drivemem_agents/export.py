"""Trained policies as ONNX files: one acting step, with the memory state as inputs and outputs.

Whoever drives feeds each step's `next_state.*` outputs back as the next step's `state.*` inputs.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn

from drivemem_agents.memory import State
from drivemem_agents.observations import SOLE
from drivemem_agents.policy import MemoryPolicy
from drivemem_agents.previous_inputs import PREVIOUS

_BATCH = 2  # of the example that is traced; the file's batch is free


class ExportError(Exception):
    """A policy that cannot be exported; the message says why, and what can be done."""


@dataclass(frozen=True)
class Interface:
    """Names of an exported file's inputs and outputs, in order; all have leading dimension B.

    Inputs: the observation's parts as the environment gives them, `episode_start` (B,) bool,
    `action_masks` (B, n) bool and `previous_reward` (B,) float32 where the policy reads them, and
    `state.<name>`. Where an episode starts, the state given is ignored: any finite numbers do.
    Outputs: `action`, as the environment takes it (the most likely one), `parameters` of its
    distribution (log-probabilities, or means and log standard deviations) and
    `next_state.<name>`.
    """

    observation: tuple[str, ...]
    optional: tuple[str, ...]
    state: tuple[str, ...]

    @property
    def inputs(self) -> list[str]:
        """Names of all inputs."""
        carried = [f"state.{name}" for name in self.state]
        return [*self.observation, "episode_start", *self.optional, *carried]

    @property
    def outputs(self) -> list[str]:
        """Names of all outputs."""
        return ["action", "parameters", *(f"next_state.{name}" for name in self.state)]


class _ActingStep(nn.Module):
    """The policy's deterministic step as a function of tensors alone."""

    def __init__(self, policy: MemoryPolicy, interface: Interface) -> None:
        super().__init__()
        self.policy, self.interface = policy, interface

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Inputs and outputs as `Interface` orders them."""
        policy = self.policy
        given = dict(zip(self.interface.inputs, tensors, strict=True))
        parts = {key: given[key] for key in self.interface.observation}
        whole = parts if isinstance(policy.observation_space, spaces.Dict) else parts[SOLE]
        observation, starts = policy.to_tensors(whole), given["episode_start"]
        state: State = {name: given[f"state.{name}"] for name in self.interface.state}
        if PREVIOUS in state:
            if policy.previous.reward:
                actions = state[PREVIOUS][:, :-1]
                reward = given["previous_reward"].unsqueeze(1)
                state = {**state, PREVIOUS: torch.cat([actions, reward], dim=1)}
            observation |= policy.previous.reset(state, starts)
        # What only the critic carries is needed by nothing that is put out.
        state = {**policy.initial_state(starts.shape[0]), **state}
        act = policy.act(observation, state, starts, True, given.get("action_masks"))
        carried = act.state
        if PREVIOUS in carried:  # the reward's place holds no number until it is told
            carried = {**carried, PREVIOUS: carried[PREVIOUS].nan_to_num()}
        action = policy.action_head.in_space(act.actions)
        return action, act.parameters, *(carried[name] for name in self.interface.state)


def export_onnx(
    policy: MemoryPolicy, path: str | Path, *, action_masks: bool | None = None
) -> Interface:
    """Write one acting step of a policy as an ONNX file (extra `onnx`).

    Args:
        policy: on any device; not changed.
        path: of the file.
        action_masks: whether the file takes masks of available actions; None: where the policy
            learned with them, for without them it drives worse.

    Returns:
        The names of the file's inputs and outputs.

    Raises:
        ExportError: the extra is missing, or ONNX cannot express a part of the policy.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ExportError(
            f"exporting needs {' and '.join(missing)}: install drivemem's extra `onnx`"
        )
    # A copy of a compiled module is not compiled, which the exporter could not read.
    policy = copy.deepcopy(policy).cpu().eval()
    masked = bool(policy.settings["masked"]) if action_masks is None else action_masks
    interface = _interface(policy, masked)
    example = _example(policy, interface)
    try:
        program = _traced(_ActingStep(policy, interface).eval(), example, interface)
    except ExportError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ExportError(
            f"ONNX cannot express a step of memory '{policy.settings['memory']}' with encoder "
            f"'{policy.settings['encoder']}' ({reason[0]}): its `step` may use tensor operations "
            "only, without branches on their values"
        ) from error
    program.save(str(path))
    return interface


def _traced(step: nn.Module, example: tuple[Tensor, ...], interface: Interface) -> Any:
    """The exporter's program of one step, for any batch."""
    batch = torch.export.Dim("batch")
    with _quiet():
        program = torch.onnx.export(
            step,
            example,
            input_names=interface.inputs,
            output_names=interface.outputs,
            dynamic_shapes=(tuple({0: batch} for _ in example),),
            opset_version=18,
            dynamo=True,
            verbose=False,
        )
    fixed = [
        str(given.name)
        for given in program.model.graph.inputs  # type: ignore[union-attr]
        if isinstance(given.shape[0], int)  # type: ignore[index]
    ]
    if fixed:  # the exporter falls back to this without a word
        raise ExportError(
            f"the batch of {', '.join(fixed)} would be fixed at {_BATCH}: use `x.shape[0]`, not "
            "`len(x)` or `int(...)`, in the memory's and the encoder's step"
        )
    return program


def _interface(policy: MemoryPolicy, action_masks: bool) -> Interface:
    space = policy.observation_space
    optional = ["action_masks"] if action_masks else []
    if policy.previous.reward:
        optional.append("previous_reward")
    return Interface(
        tuple(sorted(space.spaces)) if isinstance(space, spaces.Dict) else (SOLE,),
        tuple(optional),
        tuple(name for name in policy.initial_state(1) if not policy.is_critics(name)),
    )


def _example(policy: MemoryPolicy, interface: Interface) -> tuple[Tensor, ...]:
    """Tensors of the inputs' types and shapes."""
    space = policy.observation_space
    parts = space.spaces if isinstance(space, spaces.Dict) else {SOLE: space}
    state = policy.initial_state(_BATCH)
    tensors = []
    for name in interface.observation:
        shown = torch.as_tensor(parts[name].sample())
        tensors.append(shown.expand(_BATCH, *shown.shape).clone())
    tensors.append(torch.tensor([True, False]))
    for name in interface.optional:
        if name == "action_masks":
            width = sum(getattr(policy.action_head, "choices", []))
            if not width:
                raise ExportError("action_masks=True, but the actions are not discrete")
            tensors.append(torch.ones(_BATCH, width, dtype=torch.bool))
        else:
            tensors.append(torch.zeros(_BATCH))
    return (*tensors, *(state[name].clone() for name in interface.state))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress to itself for a while."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
