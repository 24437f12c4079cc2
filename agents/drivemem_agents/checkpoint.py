"""Agents and the state of their training on disk: safetensors and JSON, never a pickle."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from gymnasium import spaces
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import FloatSchedule
from torch import Tensor

from drivemem_agents.algorithm import MemoryAlgorithm
from drivemem_agents.files import atomic_folder, read_json, write_json
from drivemem_agents.finite import first_non_finite
from drivemem_agents.ppo_settings import SCHEDULED, PolicySettings
from drivemem_agents.space_json import space_from_json, space_to_json

FORMAT = "drivemem-agent"
VERSION = 1

Agent = TypeVar("Agent", bound=MemoryAlgorithm)


AGENT_FILES = ("agent.json", "model.safetensors")
"""What `save_agent` writes; the first tells a folder of it from any other."""
TRAINING_FILES = ("state.json", "model.safetensors", "optimizer.safetensors", "rollout.safetensors")
"""What `write_training` writes; the first tells a folder of it from any other."""


class CheckpointError(ValueError):
    """An agent that cannot be read or written; the message says what is wrong in one line."""


def save_agent(model: MemoryAlgorithm, folder: Path) -> None:
    """Write what loading needs: `model.safetensors` and `agent.json`, atomically.

    Args:
        model: the agent.
        folder: made, or replaced where it is an agent's; what else is in it stays.

    Raises:
        CheckpointError: there is something else, which is left as it is; or weights that are not
            finite.
    """
    with _folder_of(AGENT_FILES, folder) as temporary:
        save_file(_weights(model), temporary / "model.safetensors")
        write_json(temporary / "agent.json", describe_agent(model))


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
        CheckpointError: missing, truncated or foreign files, or another architecture.
    """
    described = _read_json(folder / "agent.json")
    if described.get("format") != FORMAT or described.get("version") != VERSION:
        raise CheckpointError(
            f"{folder / 'agent.json'} is not a {FORMAT} of version {VERSION} "
            f"(it says {described.get('format')!r} version {described.get('version')!r})"
        )
    try:
        model = _build(kind, described, env, {"device": device, **kwargs})
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        message = str(error).splitlines()[0]
        raise CheckpointError(
            f"{folder / 'agent.json'} describes no valid agent: {message}"
        ) from error
    _load_weights(model, folder)
    return model


def _build(
    kind: type[Agent], described: dict[str, Any], env: GymEnv | None, changes: dict[str, Any]
) -> Agent:
    """The agent that `describe_agent` described, with fresh weights."""
    stored, policy = dict(described["settings"]), dict(described["policy"])
    for name in SCHEDULED:  # a function may start with what a number may not be, such as zero
        if stored.get(name) is not None:
            stored[name] = FloatSchedule(stored[name])
    stored |= {name: policy.pop(name) for name in PolicySettings.model_fields if name in policy}
    model = kind(
        "MemoryPolicy", None, **{**stored, **changes}, policy_kwargs=policy,
        _init_setup_model=False,
    )  # fmt: skip
    model.observation_space = space_from_json(described["observation_space"])
    model.action_space, model.n_envs = space_from_json(described["action_space"]), 1
    if env is not None:
        wrapped = model._wrap_env(env, model.verbose)
        _check_spaces(wrapped, model.observation_space, model.action_space)
        model.env, model.n_envs = wrapped, wrapped.num_envs
    model._setup_model()
    return model


def save_training(model: MemoryAlgorithm, folder: Path) -> None:
    """Write everything that going on exactly needs, atomically; call it between updates.

    Besides weights and optimiser these are counters, random states, the carried memory state and
    the last observation. The simulator's state is the caller's (see the environments' `restore`).

    Args:
        model: the agent.
        folder: made, or replaced where it is a checkpoint; what else is in it stays.

    Raises:
        CheckpointError: there is something else; it is left as it is.
    """
    with _folder_of(TRAINING_FILES, folder) as temporary:
        write_training(model, temporary)


@contextmanager
def _folder_of(files: tuple[str, ...], folder: Path) -> Iterator[Path]:
    """`atomic_folder`, refusals in this module's error."""
    try:
        with atomic_folder(folder, files) as temporary:
            yield temporary
    except FileExistsError as error:
        raise CheckpointError(error.strerror or str(error)) from error


def write_training(model: MemoryAlgorithm, folder: Path) -> None:
    """`save_training` into an existing folder, not atomic: for callers that add files of theirs."""
    save_file(_weights(model), folder / "model.safetensors")
    save_file(_optimizer_tensors(model), folder / "optimizer.safetensors")
    save_file(_contiguous(_carried(model)), folder / "rollout.safetensors")
    write_json(folder / "state.json", _counters(model))


def load_training(model: MemoryAlgorithm, folder: Path) -> None:
    """Bring a freshly built agent of the same settings to where `save_training` left off.

    Args:
        model: built with the same settings; changed in place.
        folder: what `save_training` wrote.

    Raises:
        CheckpointError: missing, truncated or foreign files, or another architecture.
    """
    counters = _read_json(folder / "state.json")
    _load_weights(model, folder)
    _load_optimizer(model, _read_tensors(folder / "optimizer.safetensors"), folder)
    tensors = _read_tensors(folder / "rollout.safetensors")
    try:
        _restore_carried(model, tensors)
        model.num_timesteps = int(counters["num_timesteps"])
        model._n_updates = int(counters["n_updates"])
        model._episode_num = int(counters["episode_num"])
        model._current_progress_remaining = float(counters["progress_remaining"])
        size = model._stats_window_size
        model.ep_info_buffer = deque(counters["episodes"], maxlen=size)
        model.ep_success_buffer = deque(counters["successes"], maxlen=size)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder} does not fit this agent: {error}") from error


def describe_agent(model: MemoryAlgorithm) -> dict[str, Any]:
    """What `agent.json` holds: spaces, policy settings, training settings, sizes."""
    settings = model.settings.model_dump(exclude=set(PolicySettings.model_fields))
    return {
        "format": FORMAT,
        "version": VERSION,
        "observation_space": space_to_json(model.observation_space),
        "action_space": space_to_json(model.action_space),
        "policy": model.policy.settings,
        "settings": settings,
        "parameters": sum(p.numel() for p in model.policy.parameters()),
        "memory_state_bytes": model.policy.memory.state_bytes(),
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


def _optimizer_tensors(model: MemoryAlgorithm) -> dict[str, Tensor]:
    tensors = {}
    for index, slots in model.policy.optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            tensors[f"{index}.{name}"] = torch.as_tensor(value)
    return _contiguous(tensors)


def _load_optimizer(model: MemoryAlgorithm, tensors: dict[str, Tensor], folder: Path) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    optimizer = model.policy.optimizer
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for name, value in tensors.items():
        index, slot = name.split(".", 1)
        fits = index.isdigit() and int(index) < len(weights)
        if not fits or (value.dim() and value.shape != weights[int(index)].shape):
            raise CheckpointError(f"{folder / 'optimizer.safetensors'} is of another architecture")
        state.setdefault(int(index), {})[slot] = value
    described = optimizer.state_dict()
    optimizer.load_state_dict({"state": state, "param_groups": described["param_groups"]})


def _carried(model: MemoryAlgorithm) -> dict[str, Tensor]:
    """Memory state, last observation, reward statistics and random states."""
    tensors = {f"state.{key}": value for key, value in model._state.items()}
    if model._last_obs is not None:
        last = model.policy.to_tensors(model._last_obs)
        raw = (
            model._last_obs
            if isinstance(model._last_obs, dict)
            else {next(iter(last)): model._last_obs}
        )
        tensors |= {f"observation.{key}": torch.as_tensor(value) for key, value in raw.items()}
        tensors["starts"] = torch.as_tensor(model._last_episode_starts)
    tensors |= {f"reward.{key}": value for key, value in model.reward_scaler.state_dict().items()}
    tensors["random.torch"] = torch.get_rng_state()
    if model.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(model.device)
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    tensors["random.numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
    tensors["random.numpy_rest"] = torch.tensor([position, has_gauss, cached], dtype=torch.float64)
    return tensors


def _restore_carried(model: MemoryAlgorithm, tensors: dict[str, Tensor]) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    model._state = {key: value.to(model.device) for key, value in part("state.").items()}
    model.reward_scaler.load_state_dict(part("reward."))
    if "starts" in tensors:
        observation = {key: value.numpy() for key, value in part("observation.").items()}
        is_dict = isinstance(model.observation_space, spaces.Dict)
        model._last_obs = observation if is_dict else next(iter(observation.values()))
        model._last_episode_starts = tensors["starts"].numpy()
    torch.set_rng_state(tensors["random.torch"])
    if model.device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], model.device)
    position, has_gauss, cached = tensors["random.numpy_rest"].tolist()
    keys = tensors["random.numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, int(position), int(has_gauss), cached))


def _counters(model: MemoryAlgorithm) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return value.item() if isinstance(value, np.generic) else value

    return {
        "format": "drivemem-training",
        "version": VERSION,
        "num_timesteps": model.num_timesteps,
        "n_updates": model._n_updates,
        "episode_num": model._episode_num,
        "progress_remaining": model._current_progress_remaining,
        "episodes": [
            {key: plain(value) for key, value in episode.items() if np.isscalar(value)}
            for episode in model.ep_info_buffer or ()
        ],
        "successes": [bool(success) for success in model.ep_success_buffer or ()],
    }


def _weights(model: MemoryAlgorithm) -> dict[str, Tensor]:
    """The policy's weights, which must be finite to be worth keeping."""
    tensors = _contiguous(model.policy.state_dict())
    name = first_non_finite(tensors)
    if name is not None:
        raise CheckpointError(
            f"the agent is not written: its {name} is not finite; go back to one saved before"
        )
    return tensors


def _load_weights(model: MemoryAlgorithm, folder: Path) -> None:
    tensors = _read_tensors(folder / "model.safetensors")
    name = first_non_finite(tensors)
    if name is not None:
        raise CheckpointError(
            f"{folder / 'model.safetensors'}: {name} is not finite, so the agent cannot act: "
            "take one saved before, or train it again"
        )
    try:
        model.policy.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        lines = str(error).splitlines()
        detail = " ".join(line.strip() for line in lines[1:3])
        raise CheckpointError(
            f"{folder / 'model.safetensors'} is of another architecture: {detail}"
        ) from error


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies that share no memory, as safetensors needs them."""
    return {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing: is {path.parent} an agent's folder?") from error
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing: is {path.parent} an agent's folder?") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file: {error}") from error
    return tensors
