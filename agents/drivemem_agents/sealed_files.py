"""A folder of safetensors files and one JSON description that knows their checksums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from drivemem_agents.checksums import SEAL, VERSION, changed_file, digest, is_description_whole
from drivemem_agents.files import atomic_folder, read_json
from drivemem_agents.finite import first_non_finite


class CheckpointError(ValueError):
    """An agent that cannot be read or written; the message says what is wrong in one line."""


@contextmanager
def folder_of(files: Sequence[str], folder: Path) -> Iterator[Path]:
    """`atomic_folder`, whose errors are `CheckpointError`s in one line."""
    try:
        with atomic_folder(folder, files) as temporary:
            yield temporary
    except FileExistsError as error:
        raise CheckpointError(error.strerror or str(error)) from error
    except OSError as error:
        raise CheckpointError(f"cannot write {folder}: {error.strerror or error}") from error


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors, as copies that share no memory, as safetensors needs them.

    Raises:
        CheckpointError: they cannot be written, as where a disk is full.
    """
    copies = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    try:
        save_file(copies, path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write {path.name}: {error}") from error


def write_weights(path: Path, module: nn.Module) -> None:
    """Write a module's weights.

    Raises:
        CheckpointError: they are not finite.
    """
    tensors = module.state_dict()
    name = first_non_finite(tensors)
    if name is not None:
        raise CheckpointError(
            f"the agent is not written: its {name} is not finite; go back to one saved before"
        )
    write_tensors(path, tensors)


def read_description(path: Path, format_name: str) -> dict[str, Any]:
    """A description of a kind; its own checksum is `check_description`'s.

    Raises:
        CheckpointError: missing, truncated, of another kind or without checksums.
    """
    try:
        described = read_json(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing: is {path.parent} an agent's folder?") from error
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    version = described.get("version")
    if described.get("format") != format_name or version not in (1, VERSION):
        raise CheckpointError(
            f"{path} is not a {format_name} of version 1 or {VERSION} "
            f"(it says {described.get('format')!r} version {version!r})"
        )
    if version == VERSION and not isinstance(described.get(SEAL), dict):
        raise CheckpointError(f"{path} is damaged: its checksums are gone; take another copy")
    return described


def check_description(path: Path, described: dict[str, Any]) -> None:
    """Refuse a description that is not what was written.

    Raises:
        CheckpointError: it has changed.
    """
    if not is_description_whole(described):
        raise CheckpointError(
            f"{path} has changed since it was written (its checksum differs): take another copy"
        )


def check_files(folder: Path, described: dict[str, Any]) -> None:
    """Refuse a folder whose files are not what was written.

    Raises:
        CheckpointError: one of those that the description has a checksum of has changed, is
            missing, or cannot be read.
    """
    try:
        name = changed_file(described, folder)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be read: {error}") from error
    if name is not None:
        raise CheckpointError(
            f"{folder / name} is missing or has changed since it was written (its checksum "
            "differs): take another copy"
        )


def read_tensors(path: Path, described: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors of a file.

    Args:
        path: the file.
        described: the description beside it.

    Raises:
        CheckpointError: missing, truncated, or not what was written.
    """
    try:
        data = path.read_bytes()
        tensors: dict[str, Tensor] = load(data)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing: is {path.parent} an agent's folder?") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file: {error}") from error
    if described["version"] == VERSION and described[SEAL].get(path.name) != digest(data):
        raise CheckpointError(
            f"{path} has changed since it was written (its checksum differs): take another copy"
        )
    return tensors


def load_weights(module: nn.Module, path: Path, described: dict[str, Any]) -> None:
    """Give a module the weights of a file.

    Raises:
        CheckpointError: as `read_tensors`; weights that are not finite or of another architecture.
    """
    tensors = read_tensors(path, described)
    name = first_non_finite(tensors)
    if name is not None:
        raise CheckpointError(
            f"{path}: {name} is not finite, so the agent cannot act: take one saved before, or "
            "train it again"
        )
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        detail = " ".join(line.strip() for line in str(error).splitlines()[1:3])
        raise CheckpointError(f"{path} is of another architecture: {detail}") from error
