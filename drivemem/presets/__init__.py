"""Presets: tried settings of training for a scenario, as data with their provenance.

`<scenario>.toml` holds settings of `drivemem train`; `[memories.NAME]` those of one memory. A
scenario's levels share a file unless a level has its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from drivemem.config import TrainConfig, build_config, config_from_toml
from drivemem.errors import DrivememError
from drivemem.settings import as_words

LEVELS = ("easy", "medium", "hard")


@dataclass(frozen=True)
class Preset:
    """Settings of training for one scenario."""

    name: str
    """Of the file, for people."""
    settings: dict[str, Any]
    """Settings for every memory."""
    memories: dict[str, dict[str, Any]]
    """Further settings by memory."""

    def of(self, memory: str) -> dict[str, Any]:
        """The settings of one memory."""
        return merged(self.settings, self.memories.get(memory, {}))


def preset_names() -> list[str]:
    """Scenarios that have a preset."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".toml")
    )


def find_preset(scenario: str) -> Preset | None:
    """The preset of a scenario or of its levels; None if there is none.

    Args:
        scenario: a name; `drivemem/` before it and the version behind it make no difference.
    """
    name = scenario.removeprefix("drivemem/")
    stem, _, version = name.rpartition("-v")
    name = stem if stem and version.isdigit() else name
    base, _, level = name.rpartition("-")
    known = preset_names()
    for candidate in (name, base if level in LEVELS else name):
        if candidate in known:
            return read_preset(Path(str(files(__name__) / f"{candidate}.toml")), candidate)
    return None


def read_preset(path: Path, name: str | None = None) -> Preset:
    """A preset from a TOML file.

    Args:
        path: the file.
        name: shown to people; default the path.

    Raises:
        DrivememError: unreadable, unknown settings or memories, values out of range.
    """
    from drivemem_agents.memory import memory_names

    plain = config_from_toml(path)
    memories = plain.pop("memories", {})
    where = f"preset {name or path}"
    if not isinstance(memories, Mapping):
        raise DrivememError(f"{where}: memories is {memories!r}; write tables [memories.NAME]")
    known = memory_names()
    for memory in memories:
        if memory not in known:
            near = difflib.get_close_matches(memory, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise DrivememError(f"{where}: unknown memory '{memory}'{hint}")
    return Preset(
        name or path.as_posix(),
        check_settings(as_words(plain), where),
        {
            memory: check_settings(as_words(table), f"{where} [memories.{memory}]")
            for memory, table in memories.items()
        },
    )


def check_settings(settings: dict[str, Any], where: str) -> dict[str, Any]:
    """Settings of training, checked.

    Raises:
        DrivememError: unknown keys (with the nearest) or values out of range.
    """
    try:
        build_config({"scenario": "", **settings})
    except DrivememError as error:
        raise DrivememError(f"{where}: {error}") from error
    return settings


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which later layers win; key=value words and sensors win key by key."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            before = result.get(key)
            if key == "sensors" and before:
                value = {**before, **value}
            elif key in WORDS and before:
                given = {word.partition("=")[0] for word in value}
                value = (*(w for w in before if w.partition("=")[0] not in given), *value)
            result[key] = value
    return result


WORDS = tuple(
    name for name, field in TrainConfig.model_fields.items()
    if field.annotation == tuple[str, ...]
)  # fmt: skip
