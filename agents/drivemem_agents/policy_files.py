"""Policies on disk: their class by name, and their weights; nothing is imported or unpickled."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TypeVar

from stable_baselines3.common.utils import FloatSchedule, get_device
from torch import nn

from drivemem_agents.checksums import VERSION, sealed
from drivemem_agents.devices import check_device
from drivemem_agents.files import write_json
from drivemem_agents.sealed_files import (
    CheckpointError,
    check_description,
    folder_of,
    load_weights,
    read_description,
    write_weights,
)
from drivemem_agents.space_json import space_from_json, space_to_json

FORMAT = "drivemem-policy"
FILES = ("policy.json", "model.safetensors")
"""What `save_policy` writes; the first tells a folder of it from any other."""

Policy = TypeVar("Policy", bound=nn.Module)


def describe_policy(policy: Any, extra: dict[str, Any], base: type) -> dict[str, Any]:
    """Spaces, settings, class and further arguments of a policy.

    Args:
        policy: a MemoryPolicy.
        extra: arguments of its class beyond MemoryPolicy's.
        base: the class that needs no mention.
    """
    described: dict[str, Any] = {
        "observation_space": space_to_json(policy.observation_space),
        "action_space": space_to_json(policy.action_space),
        "policy": policy.settings,
    }
    if type(policy) is not base:
        described["policy_class"] = f"{type(policy).__module__}:{type(policy).__qualname__}"
    if extra:
        kept = {name: value for name, value in extra.items() if _is_plain(value)}
        described["policy_kwargs"] = kept
        described["policy_kwargs_lost"] = sorted(set(extra) - set(kept))
    return described


def described_class(described: dict[str, Any], base: type[Policy]) -> type[Policy]:
    """The class that a description names, if something has imported it already.

    Reading an agent never imports a module that a file names: that would run code.

    Raises:
        ValueError: not imported, or no subclass of `base`.
    """
    name = described.get("policy_class")
    if name is None:
        return base
    module, _, path = str(name).partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ValueError(
            f"its policy's class is {name}, which is no imported {base.__name__}: import {module} "
            "first, or give the class, as in load(path, policy=...)"
        )
    return found


def described_extras(described: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Further arguments of the policy's class: those stored, replaced by those given.

    Raises:
        ValueError: one that no file could hold is not given.
    """
    missing = sorted(set(described.get("policy_kwargs_lost", ())) - set(given))
    if missing:
        raise ValueError(
            f"no file could hold its policy's {', '.join(missing)}: give it again, as in "
            f"load(path, policy_kwargs={{'{missing[0]}': ...}})"
        )
    return {**described.get("policy_kwargs", {}), **given}


def save_policy(policy: Any, folder: Path, base: type) -> None:
    """Write a policy alone: `policy.json` and `model.safetensors`, atomically.

    Raises:
        CheckpointError: there is something else, which is left as it is; or weights that are not
            finite.
    """
    with folder_of(FILES, folder) as temporary:
        write_weights(temporary / FILES[1], policy)
        described = {
            "format": FORMAT,
            "version": VERSION,
            **describe_policy(policy, policy.extra_arguments(), base),
        }
        write_json(temporary / FILES[0], sealed(described, temporary, [FILES[1]]))


def load_policy(kind: type[Policy], folder: Path, device: Any, base: type[Policy]) -> Policy:
    """A policy that `save_policy` wrote, or that of a whole agent.

    Args:
        kind: its class; `base` stands for the class that the files name.
        folder: where it is.
        device: of the policy.
        base: MemoryPolicy.

    Raises:
        CheckpointError: missing, truncated, changed or foreign files, or another architecture.
        ValueError: no such device.
    """
    check_device(device)
    of_agent = not (folder / FILES[0]).exists() and (folder / "agent.json").exists()
    path = folder / ("agent.json" if of_agent else FILES[0])
    described = read_description(path, "drivemem-agent" if of_agent else FORMAT)
    try:
        build: Any = described_class(described, base) if kind is base else kind
        policy: Policy = build(
            space_from_json(described["observation_space"]),
            space_from_json(described["action_space"]),
            FloatSchedule(0.0),
            **described["policy"],
            **described_extras(described, {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        message = str(error).splitlines()[0]
        raise CheckpointError(f"{path} describes no valid policy: {message}") from error
    load_weights(policy, folder / FILES[1], described)
    check_description(path, described)
    return policy.to(get_device(device))


def _is_plain(value: Any) -> bool:
    """Whether JSON gives the value back as it is."""
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError):
        return False
