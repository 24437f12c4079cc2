"""What training starts from: the scenario's preset, and what is given, which wins.

The command line and `drivemem.train` both start here, so that they train the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drivemem.config import TrainConfig, build_config
from drivemem.errors import DrivememError
from drivemem.output import console
from drivemem.training.presets import Preset, find_preset, merged, preset_names, read_preset


def chosen_preset(scenario: str | None, wanted: str | Path | None) -> Preset | None:
    """The preset to start from: a file, the scenario's own, or none.

    Args:
        scenario: the scenario's name, if it is known.
        wanted: path of a TOML file; `none`: no preset; None: the scenario's own, if it has one;
            empty: its own, which must be there.

    Raises:
        DrivememError: no such file or preset, or a broken one.
    """
    if wanted == "none":
        return None
    if wanted:
        if not Path(wanted).exists():
            raise DrivememError(
                f"there is no file '{wanted}': a preset is a TOML file or 'none'; without a "
                f"word it is the scenario's own (there are: {', '.join(preset_names())})"
            )
        return read_preset(Path(wanted))
    found = None if scenario is None else find_preset(scenario)
    if wanted is not None and found is None:
        raise DrivememError(
            f"scenario '{scenario}' has no preset (there are: {', '.join(preset_names())}); give "
            "a TOML file, or leave --preset out"
        )
    return found


def preset_settings(preset: Preset | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a preset says of the memory and of the encoder that are given, or of the default ones.

    Args:
        preset: the preset, if there is one.
        given: settings, of which `memory` and `encoder` choose.
    """
    if preset is None:
        return {}
    own = preset.of(given.get("memory", TrainConfig.model_fields["memory"].default))
    kept = merged(own, {"encoder": given["encoder"]}) if "encoder" in given else own
    return {name: kept[name] for name in own if name in kept}


def started(
    given: dict[str, Any],
    wanted: str | Path | None,
    quiet: bool,
    own: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """The configuration that settings given from Python make of the preset's; says which that is.

    Args:
        given: the scenario and the settings that win; with a `teacher` it becomes a
            `DistillConfig`.
        wanted: see `chosen_preset`.
        quiet: say nothing.
        own: settings between the two, such as those of a teacher.

    Raises:
        DrivememError: no such preset, unknown settings (with the nearest) or values out of range.
    """
    checked = build_config(given)
    plain = {name: getattr(checked, name) for name in given}
    if "sensors" in plain:
        plain["sensors"] = checked.sensors.model_dump(exclude_unset=True)
    preset = chosen_preset(checked.scenario, wanted)
    base = {**preset_settings(preset, plain), **(own or {})}
    config = build_config(merged(base, plain))
    if preset is not None and not quiet:
        line = used(preset, base, config, "preset='none'")
        console().print(line, soft_wrap=True)
    return config


def refuse_changes(config: TrainConfig, preset: Any, settings: Mapping[str, Any]) -> None:
    """Refuse settings or a preset beside a whole configuration, which is taken as it is.

    Raises:
        DrivememError: there are some.
    """
    beside = [*settings, *(["preset"] if preset is not None else [])]
    if beside:
        raise DrivememError(
            f"a {type(config).__name__} is taken as it is, but {', '.join(beside)} came beside it: "
            "put all settings into it, or give a name in its place and all settings beside that"
        )


def used(preset: Preset, settings: Mapping[str, Any], config: TrainConfig, without: str) -> str:
    """Which preset was used, and what it chose.

    Args:
        preset: the preset.
        settings: of `preset_settings`.
        config: what became of them.
        without: what asks for none.
    """
    values = config.model_dump(mode="json")
    kept = [
        f"{key}={values[key] if not isinstance(values[key], list) else ' '.join(values[key])}"
        for key in settings
        if key != "scenario"
    ]
    return f"preset {preset.name}: {', '.join(kept)} ({without}: without it)"
