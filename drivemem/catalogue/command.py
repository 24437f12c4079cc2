"""The command that trains a configuration, as short as the scenario's preset allows."""

from __future__ import annotations

from typing import Any

from drivemem.config import WITHOUT_EFFECT, DistillConfig, TrainConfig, build_config
from drivemem.errors import DrivememError
from drivemem.training.presets import WORDS, merged
from drivemem.training.starting import chosen_preset, preset_settings, started

_CHOOSE = ("scenario", "memory", "encoder")
"""Settings that choose what a preset says."""
_APART = ("scenario", "sensors", *WITHOUT_EFFECT)


def training_command(config: TrainConfig) -> list[str]:
    """The words of the `drivemem train` that gives a configuration, checked to give that.

    Raises:
        DrivememError: it learnt from a teacher, went on from another run, or has other sensors than
            its scenario: no such command is written for those.
    """
    changed = config.sensors.model_dump(exclude_none=True)
    if isinstance(config, DistillConfig) or config.start_from is not None or changed:
        raise DrivememError(
            "the zoo takes agents that one `drivemem train` makes: this one had a teacher, a run "
            "to start from, or sensors of its own"
        )
    for preset in (None, "none"):
        given = _given(config, preset)
        made = started(dict(given), preset, quiet=True)
        if made.hash() == config.hash():
            words = [word for name, value in given.items() for word in _words(name, value)]
            tail = [] if preset is None else ["--preset", preset]
            return ["drivemem", "train", config.scenario, *words, *tail]
    raise DrivememError(f"no `drivemem train {config.scenario}` gives this configuration")


def _given(config: TrainConfig, preset: str | None) -> dict[str, Any]:
    """The settings in which a configuration differs from what training would start from."""
    chosen = {name: getattr(config, name) for name in _CHOOSE}
    base = preset_settings(chosen_preset(config.scenario, preset), chosen)
    first = build_config(merged(base, chosen))
    plain = build_config({"scenario": config.scenario, **base})
    given: dict[str, Any] = {"scenario": config.scenario, "memory": config.memory}
    if config.encoder != plain.encoder:
        given["encoder"] = config.encoder
    for name in type(config).model_fields:
        value, before = getattr(config, name), getattr(first, name)
        if name in _APART or value == before:
            continue
        given[name] = (
            tuple(word for word in value if word not in before) if name in WORDS else value
        )
    return given


def _words(name: str, value: Any) -> list[str]:
    """A setting as words of the command line."""
    option = name.replace("_", "-")
    if name == "scenario":
        return []
    if isinstance(value, bool):
        return [f"--{'' if value else 'no-'}{option}"]
    values = value if isinstance(value, tuple) else (value,)
    return [f"--{option}", *map(str, values)]
