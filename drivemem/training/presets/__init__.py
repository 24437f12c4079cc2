"""Presets: tried settings of training for a scenario, as data with their provenance.

`<scenario>.toml` holds settings of `drivemem train`; `[memories.NAME]` those of one memory,
`[levels.NAME]` (which may hold memories too) those of one level; a table may name several, as
`[memories."gru, lstm"]` does. `same_as = "NAME"` starts from the preset beside it, whose levels are
weaker than the file's own plain settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from drivemem.config import TrainConfig, build_config, config_from_toml
from drivemem.errors import DrivememError, did_you_mean
from drivemem.settings import as_words
from drivemem_envs.names import LEVELS, by_level


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
    """The preset of a scenario at its level; None if there is none.

    Args:
        scenario: a name; `drivemem/` before it and the version behind it make no difference, and
            no level means the first. A twin has its scenario's preset.
    """
    stem, level, _ = by_level(scenario.removeprefix("drivemem/"))
    if stem not in preset_names():
        return None
    return read_preset(Path(str(files(__name__) / f"{stem}.toml")), LEVELS[level], stem)


def read_preset(path: Path, level: str | None = None, name: str | None = None) -> Preset:
    """A preset from a TOML file.

    Args:
        path: the file.
        level: of the scenario; its table's settings win.
        name: shown to people; default the path.

    Raises:
        DrivememError: unreadable, unknown settings, memories or levels, values out of range, or
            no preset of the name that it starts from.
    """
    from drivemem_agents.memory import memory_names

    name = name or path.as_posix()
    layers = _layers(path, f"preset {name}", level)
    if any(layer.of_level for layer in layers):
        name = f"{name} ({level})"
    settings: dict[str, Any] = {}
    memories: dict[str, dict[str, Any]] = {}
    for layer, place, _ in layers:
        known = memory_names()
        for memory, table in _tables(layer.pop("memories", {}), known, f"{place}: memory"):
            own = check_settings(as_words(table), f"{place} [memories.{memory}]")
            memories[memory] = merged(memories.get(memory, {}), own)
        settings = merged(settings, check_settings(as_words(layer), place))
    return Preset(name, settings, memories)


class _Layer(NamedTuple):
    """Settings of a preset file, or of a level in it."""

    settings: dict[str, Any]
    where: str
    """What to call them in an error."""
    of_level: bool = False


def _layers(
    path: Path, where: str, level: str | None, after: tuple[Path, ...] = ()
) -> list[_Layer]:
    """A preset's layers from weak to strong."""
    plain = config_from_toml(path)
    levels = _tables(plain.pop("levels", {}), LEVELS, f"{where}: level")
    layers = [_Layer(plain, where)]
    layers += [
        _Layer(dict(table), f"{where} [levels.{name}]", of_level=True)
        for name, table in levels
        if name == level
    ]
    base = plain.pop("same_as", None)
    if base is None:
        return layers
    known = {one.stem: one for one in path.parent.glob("*.toml")}
    taken = {path, *after}
    if not isinstance(base, str) or base not in known or known[base] in taken:
        names = ", ".join(sorted(name for name, one in known.items() if one not in taken))
        raise DrivememError(f"{where}: same_as is {base!r}; it can be one of: {names}")
    first = _layers(known[base], f"{where}, same_as {base}", level, (path, *after))
    return [*first, *layers]


def _tables(found: Any, known: Sequence[str], what: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Tables with their names, one for each of `"several, names"`; unknown names refused."""
    if not isinstance(found, Mapping) or not all(isinstance(t, Mapping) for t in found.values()):
        raise DrivememError(f"{what}: {found!r} is no table of tables")
    named = [(name.strip(), table) for names, table in found.items() for name in names.split(",")]
    for name, _ in named:
        if name not in known:
            raise DrivememError(f"{what} '{name}' is unknown{did_you_mean(name, known)}")
    return named


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
    """Settings in which later layers win; key=value words and sensors win key by key.

    Settings of an encoder are dropped where a later layer chooses another encoder.
    """
    result: dict[str, Any] = {}
    for layer in layers:
        if layer.get("encoder", _encoder(result)) != _encoder(result):
            result.pop("encoder_kwargs", None)
        for key, value in layer.items():
            before = result.get(key)
            if key == "sensors" and before:
                value = {**before, **value}
            elif key in WORDS and before:
                given = {word.partition("=")[0] for word in value}
                value = (*(w for w in before if w.partition("=")[0] not in given), *value)
            result[key] = value
    return result


def _encoder(settings: Mapping[str, Any]) -> Any:
    return settings.get("encoder", TrainConfig.model_fields["encoder"].default)


WORDS = tuple(
    name for name, field in TrainConfig.model_fields.items()
    if field.annotation == tuple[str, ...]
)  # fmt: skip
