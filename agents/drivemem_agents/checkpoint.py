"""Agents and the state of their training on disk: safetensors and JSON, never a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from gymnasium import spaces
from pydantic import ValidationError
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule
from stable_baselines3.common.vec_env import unwrap_vec_normalize

from drivemem_agents.algorithm import MemoryAlgorithm
from drivemem_agents.checksums import VERSION, sealed
from drivemem_agents.files import write_json
from drivemem_agents.policy import MemoryPolicy
from drivemem_agents.policy_files import describe_policy, described_class, described_extras
from drivemem_agents.ppo_settings import SCHEDULED, PolicySettings
from drivemem_agents.sealed_files import (
    CheckpointError as CheckpointError,
)
from drivemem_agents.sealed_files import (
    check_description,
    check_files,
    folder_of,
    load_weights,
    read_description,
    read_tensors,
    write_tensors,
    write_weights,
)
from drivemem_agents.setting_attributes import checked_settings
from drivemem_agents.space_json import space_from_json, space_to_json
from drivemem_agents.training_state import (
    carried_tensors,
    counters,
    optimizer_tensors,
    part_of,
    restore_carried,
    restore_counters,
    restore_optimizer,
)

FORMAT = "drivemem-agent"
TRAINING_FORMAT = "drivemem-training"

AGENT_FILES = ("agent.json", "model.safetensors", "training.safetensors")
"""What `save_agent` may write; the first tells a folder of it from any other."""
TRAINING_FILES = ("state.json", "model.safetensors", "optimizer.safetensors", "rollout.safetensors")
"""What `write_training` writes; the first tells a folder of it from any other."""
_RUN_ARGUMENTS = ("seed", "verbose", "tensorboard_log", "stats_window_size")
_NO_SETTINGS = (*_RUN_ARGUMENTS, "policy", "policy_kwargs")

Agent = TypeVar("Agent", bound=MemoryAlgorithm)


def save_agent(model: MemoryAlgorithm, folder: Path, training: bool = False) -> None:
    """Write what loading needs: `model.safetensors` and `agent.json`, atomically.

    Args:
        model: the agent.
        folder: made, or replaced where it is an agent's; what else is in it stays.
        training: also write what SB3 keeps so that a loaded agent learns on: counters, seed,
            schedules, the optimiser's state and the statistics of rewards.

    Raises:
        CheckpointError: there is something else, which is left as it is; or weights that are not
            finite.
    """
    with folder_of(AGENT_FILES, folder) as temporary:
        described, files = describe_agent(model), ["model.safetensors"]
        write_weights(temporary / "model.safetensors", model.policy)
        if training:
            described["training"] = _describe_training(model)
            files.append("training.safetensors")
            optimizer = optimizer_tensors(model).items()
            rewards = model.reward_scaler.moments.state_dict().items()
            write_tensors(
                temporary / "training.safetensors",
                {f"optimizer.{key}": value for key, value in optimizer}
                | {f"reward.{key}": value for key, value in rewards},
            )
        write_json(temporary / "agent.json", sealed(described, temporary, files))


def load_agent(
    kind: type[Agent],
    folder: Path,
    env: GymEnv | None = None,
    device: str = "auto",
    **kwargs: Any,
) -> Agent:
    """Read an agent that `save_agent` wrote; see `MemoryPPO.load`.

    Args:
        kind: class of the agent.
        folder: where it is.
        env: environment to go on training in; its spaces must be the agent's.
        device: "auto", "cpu", "cuda".
        kwargs: settings that replace the stored ones.

    Raises:
        CheckpointError: missing, truncated, changed or foreign files, or another architecture.
        ValueError: unknown settings, or values out of range.
    """
    checked_settings({k: v for k, v in kwargs.items() if k not in _NO_SETTINGS})
    path = folder / "agent.json"
    described = read_description(path, FORMAT)
    try:
        model = _build(kind, described, env, {"device": device, **kwargs})
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        message = str(error).splitlines()[0]
        raise CheckpointError(f"{path} describes no valid agent: {message}") from error
    load_weights(model.policy, folder / "model.safetensors", described)
    check_description(path, described)
    if "training" in described:
        tensors = read_tensors(folder / "training.safetensors", described)
        try:
            restore_counters(model, described["training"])
            model.reward_scaler.moments.load_state_dict(part_of(tensors, "reward."))
            restore_optimizer(model, part_of(tensors, "optimizer."))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{folder} does not fit this agent: {error}") from error
    return model


def load_parameters(model: MemoryAlgorithm, folder: Path) -> None:
    """Give an agent the weights, and the optimiser's state if it is there, of a saved one.

    Raises:
        CheckpointError: missing, truncated, changed or foreign files, or another architecture.
    """
    path = folder / "agent.json"
    described = read_description(path, FORMAT)
    check_description(path, described)
    tensors = {}
    if "training" in described:
        tensors = read_tensors(folder / "training.safetensors", described)
    load_weights(model.policy, folder / "model.safetensors", described)
    try:
        restore_optimizer(model, part_of(tensors, "optimizer."))
    except ValueError as error:
        raise CheckpointError(f"{folder} does not fit this agent: {error}") from error


def _build(
    kind: type[Agent], described: dict[str, Any], env: GymEnv | None, changes: dict[str, Any]
) -> Agent:
    """The agent that `describe_agent` described, with fresh weights."""
    changes = dict(changes)
    chosen, given = changes.pop("policy", None), changes.pop("policy_kwargs", None) or {}
    if chosen is None or isinstance(chosen, str):
        chosen = described_class(described, MemoryPolicy)
    stored, policy = dict(described["settings"]), dict(described["policy"])
    training = _table(described, "training")
    schedules = _table(training, "schedules")
    for name in SCHEDULED:  # a function may start with what a number may not be, such as zero
        if stored.get(name) is not None:
            stored[name] = _schedule(name, stored[name], schedules.get(name))
    stored |= {name: policy.pop(name) for name in PolicySettings.model_fields if name in policy}
    stored |= {name: training[name] for name in _RUN_ARGUMENTS if name in training}
    model = kind(
        chosen, None, **{**stored, **changes},
        policy_kwargs={**policy, **described_extras(described, given)}, _init_setup_model=False,
    )  # fmt: skip
    model.lost_schedules = {
        name: getattr(model.settings, name)
        for name, line in schedules.items()
        if line is None and name not in changes
    }
    model.observation_space = space_from_json(described["observation_space"])
    model.action_space = space_from_json(described["action_space"])
    model.n_envs = int(training.get("n_envs", 1))
    if env is not None:
        wrapped = model._wrap_env(env, model.verbose)
        _check_spaces(wrapped, model.observation_space, model.action_space)
        model.env, model.n_envs = wrapped, wrapped.num_envs
        model._vec_normalize_env = unwrap_vec_normalize(wrapped)
    model._setup_model()
    return model


def _table(described: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of a description; {} where it is not there.

    Raises:
        ValueError: it is no table.
    """
    part = described.get(name, {})
    if not isinstance(part, dict):
        raise ValueError(f"'{name}' is {part!r:.60}, no table of settings")
    return part


def _schedule(name: str, value: Any, line: dict[str, Any] | None) -> Schedule:
    """A setting as a function of the remaining progress.

    Raises:
        ValueError: it is no number.
    """
    if line:
        return LinearSchedule(**line)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r:.60}, which is no number")
    return FloatSchedule(value)


def save_training(model: MemoryAlgorithm, folder: Path) -> None:
    """Write everything that going on exactly needs, atomically; call it between updates.

    Besides weights and optimiser these are counters, random states, the carried memory state and
    the last observation. The simulator's state is the caller's (see the environments' `restore`).

    Args:
        model: the agent.
        folder: made, or replaced where it is a checkpoint; what else is in it stays.

    Raises:
        CheckpointError: there is something else, which is left as it is; or weights that are not
            finite.
    """
    with folder_of(TRAINING_FILES, folder) as temporary:
        write_training(model, temporary)


def write_training(model: MemoryAlgorithm, folder: Path) -> None:
    """`save_training` into an existing folder, not atomic, for callers with files of their own.

    Files that are there already belong to the checkpoint: they get checksums like its own.
    """
    write_weights(folder / "model.safetensors", model.policy)
    write_tensors(folder / "optimizer.safetensors", optimizer_tensors(model))
    write_tensors(folder / "rollout.safetensors", carried_tensors(model))
    described = {"format": TRAINING_FORMAT, "version": VERSION, **counters(model)}
    files = [path.name for path in folder.iterdir()]
    write_json(folder / "state.json", sealed(described, folder, files))


def load_training(model: MemoryAlgorithm, folder: Path) -> None:
    """Bring a freshly built agent of the same settings to where `save_training` left off.

    Args:
        model: built with the same settings; changed in place.
        folder: what `save_training` wrote.

    Raises:
        CheckpointError: missing, truncated, changed or foreign files, or another architecture.
    """
    path = folder / "state.json"
    described = read_description(path, TRAINING_FORMAT)
    check_description(path, described)
    check_files(folder, described)
    optimizer = read_tensors(folder / "optimizer.safetensors", described)
    carried = read_tensors(folder / "rollout.safetensors", described)
    load_weights(model.policy, folder / "model.safetensors", described)
    try:
        restore_optimizer(model, optimizer)
        restore_carried(model, carried)
        restore_counters(model, described)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder} does not fit this agent: {error}") from error


def describe_agent(model: MemoryAlgorithm) -> dict[str, Any]:
    """What `agent.json` holds: spaces, policy settings, training settings, sizes."""
    settings = model.settings.model_dump(exclude=set(PolicySettings.model_fields))
    extra = {k: v for k, v in model.policy_kwargs.items() if k not in model.policy.settings}
    return {
        "format": FORMAT,
        "version": VERSION,
        **describe_policy(model.policy, extra, MemoryPolicy),
        "settings": settings,
        "parameters": sum(p.numel() for p in model.policy.parameters()),
        "memory_state_bytes": model.policy.memory.state_bytes(),
    }


def _describe_training(model: MemoryAlgorithm) -> dict[str, Any]:
    """What SB3 keeps of a run besides weights; of a schedule, what is no function's code."""
    schedules: dict[str, Any] = {name: None for name in model.lost_schedules}
    for name, schedule in model._schedules.items():
        function = schedule.value_schedule
        if isinstance(function, LinearSchedule):
            line = (function.start, function.end, function.end_fraction)
            schedules[name] = dict(
                zip(("start", "end", "end_fraction"), map(float, line), strict=True)
            )
        elif not isinstance(function, ConstantSchedule):
            schedules[name] = None
    log = model.tensorboard_log
    return {
        **counters(model),
        "n_envs": model.n_envs,
        "schedules": schedules,
        "seed": model.seed,
        "verbose": model.verbose,
        "tensorboard_log": None if log is None else str(log),
        "stats_window_size": model._stats_window_size,
    }


def _check_spaces(
    env: Any, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]
) -> None:
    for name, mine, theirs in (
        ("observation", observation_space, env.observation_space),
        ("action", action_space, env.action_space),
    ):
        if space_to_json(mine) != space_to_json(theirs):
            raise ValueError(f"the agent's {name} space is {mine}, the environment's {theirs}")
