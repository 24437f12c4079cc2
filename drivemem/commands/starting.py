"""What commands that train begin with, the scenario's preset, and end with, a summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drivemem.config import TrainConfig
from drivemem.errors import DrivememError
from drivemem.training.presets import WORDS, Preset, find_preset, merged, preset_names, read_preset


def first_and_preset(words: list[str], name: str) -> tuple[str | None, str | None, list[str]]:
    """The positional word (or `--name WORD`), that of `--preset` (empty without one), the others.

    Args:
        words: of the command.
        name: of the option that the positional word may also be given as.
    """
    rest, wanted = list(words), None
    if "--preset" in rest:
        at = rest.index("--preset")
        wanted = rest[at + 1] if at + 1 < len(rest) and not rest[at + 1].startswith("-") else ""
        del rest[at : at + (2 if wanted else 1)]
    first = rest.pop(0) if rest and not rest[0].startswith("-") else None
    return first or option(rest, f"--{name}"), wanted, rest


def chosen_preset(scenario: str | None, wanted: str | None, rest: list[str]) -> Preset | None:
    """The preset to start from: a file, the scenario's own, or none."""
    if wanted == "none" or any(word in ("-h", "--help") for word in rest):
        return None
    if wanted:
        if not Path(wanted).exists():
            raise DrivememError(
                f"there is no file '{wanted}': --preset takes a TOML file or 'none'; without a "
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


def preset_settings(preset: Preset | None, rest: list[str]) -> dict[str, Any]:
    """What a preset says of the memory and of the encoder that words ask for."""
    if preset is None:
        return {}
    memory = option(rest, "--memory") or str(TrainConfig.model_fields["memory"].default)
    own, encoder = preset.of(memory), option(rest, "--encoder")
    kept = own if encoder is None else merged(own, {"encoder": encoder})
    return {name: kept[name] for name in own if name in kept}


def option(words: list[str], name: str) -> str | None:
    """The value of an option, if it is given."""
    for at, word in enumerate(words):
        if word == name and at + 1 < len(words):
            return words[at + 1]
        if word.startswith(f"{name}="):
            return word.removeprefix(f"{name}=")
    return None


def merged_words(config: TrainConfig, preset: dict[str, Any]) -> TrainConfig:
    """The configuration, its key=value words added to those of a preset."""
    given = {name: getattr(config, name) for name in WORDS}
    words = merged({name: preset.get(name, ()) for name in WORDS}, given)
    return config.model_copy(update={name: tuple(words[name]) for name in WORDS})


def used(preset: Preset, settings: dict[str, Any], config: TrainConfig) -> str:
    """Which preset was used, and what it chose.

    Args:
        preset: the preset.
        settings: of `preset_settings`.
        config: what became of them.
    """
    values = config.model_dump(mode="json")
    kept = [
        f"{key}={values[key] if not isinstance(values[key], list) else ' '.join(values[key])}"
        for key in settings
        if key != "scenario"
    ]
    return f"preset {preset.name}: {', '.join(kept)} (--preset none: without it)"


def summary(run: Any) -> Any:
    """A table of what training came to."""
    from rich.table import Table

    from drivemem.runs import read_metrics

    facts = run.manifest()
    last: dict[str, Any] = {}
    for line in read_metrics(run.metrics_file) if run.metrics_file.exists() else []:
        last |= {key: value for key, value in line.items() if value is not None}
    table = Table(title=run.name, show_header=False)
    table.add_row("backend", str(facts.get("backend")))
    table.add_row("steps", f"{facts.get('steps', 0):,}")
    table.add_row("steps/s", f"{facts.get('steps_per_s', 0):,.0f}")
    table.add_row("parameters", f"{facts.get('parameters', 0):,}")
    for key, label in (
        ("rollout/ep_rew_mean", "return (last 100 episodes)"),
        ("rollout/success_rate", "success (last 100 episodes)"),
    ):
        if key in last:
            table.add_row(label, f"{last[key]:z.3f}")
    return table
