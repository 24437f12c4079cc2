"""From a study's tables to the whole settings of one agent on one scenario."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from drivemem.config import TrainConfig, build_config
from drivemem.errors import DrivememError, first_line, one_line
from drivemem.evaluation.external_drivers import spaces_of
from drivemem.settings import as_words, parse_pairs
from drivemem.studies.spec import ScenarioEntry, Study
from drivemem.training.presets import Preset, find_preset, merged, read_preset
from drivemem_envs import registry
from drivemem_envs.names import LEVELS


def resolve_settings(
    study: Study, scenario: str, agent: str, stored: dict[str, Any] | None, notes: list[str]
) -> dict[str, Any]:
    """All settings of an agent on a scenario, its seed apart.

    From weak to strong: defaults, preset, [train], the scenario's, the agent's, overrides.

    Args:
        study: the study.
        scenario: its name in the study.
        agent: its name in the study.
        stored: what an earlier call came to; kept if the file asks for the same.
        notes: gets a line where a preset has changed since.

    Raises:
        DrivememError: unknown names, settings that do not fit, or no width that matches.
    """
    entry, asked = study.scenarios[scenario], _asked(study, scenario, agent)
    memory = asked["settings"].get("memory", TrainConfig.model_fields["memory"].default)
    preset = _preset(entry)
    base = {} if preset is None else preset.of(memory)
    settings = merged(base, asked["settings"], {"scenario": _registered(entry.full_name)})
    if asked["match_parameters"]:
        settings = _matched(settings, asked["match_parameters"], asked["match_width"], agent)
    config = build_config(settings)
    settings = config.model_dump(mode="json", exclude={"seed"})
    if stored is not None and stored.get("asked") == asked and "settings" in stored:
        kept = build_config(stored["settings"])  # settings that came since have their defaults
        before = kept.model_dump(mode="json", exclude={"seed"})
        names = [key for key, value in settings.items() if before[key] != value]
        if names:
            notes.append(
                f"{scenario}/{agent}: the preset or a default has changed since this study was "
                f"begun ({', '.join(names)}); it keeps its own settings"
            )
        config, settings = kept, before
    return {
        "asked": asked, "settings": settings,
        "preset": None if preset is None else preset.name,
        "scenario_hash": config.changed_scenario().hash(),
    }  # fmt: skip


def scenario_of(study: Study, name: str) -> tuple[Any, dict[str, Any]]:
    """A study's scenario as reference drivers meet it, and the settings that changed it."""
    entry = study.scenarios[name]
    preset = _preset(entry)
    settings = merged({} if preset is None else preset.settings, study.train, entry.settings)
    kept: dict[str, Any] = {k: v for k, v in settings.items() if k in ("sensors", "dials")}
    config = build_config({**kept, "scenario": _registered(entry.full_name)})
    return config.changed_scenario(), kept


def _asked(study: Study, scenario: str, agent: str) -> dict[str, Any]:
    """What the file says of one agent on one scenario."""
    who = study.agents[agent]
    layers = [study.train, study.scenarios[scenario].settings, who.settings]
    for override in study.overrides:
        if scenario in (override.scenarios or (scenario,)) and agent in (
            override.agents or (agent,)
        ):
            layers.append(override.settings)
    match = study.match_parameters if who.match_parameters is None else who.match_parameters
    settings = merged(*layers)
    plain = {
        key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()
    }
    return {"settings": plain, "match_parameters": match or 0, "match_width": who.match_width}


def _preset(entry: ScenarioEntry) -> Preset | None:
    if isinstance(entry.preset, str):
        return read_preset(Path(entry.preset), entry.level or LEVELS[0])
    return find_preset(entry.full_name) if entry.preset else None


def _matched(settings: dict[str, Any], target: int, width: str, agent: str) -> dict[str, Any]:
    """The settings with a width that gives the memory about `target` weights."""
    config = build_config(settings)
    try:
        found = _width(config.memory, config.memory_kwargs, _features(config), target, width)
    except ValueError as error:
        raise DrivememError(
            f"agent {agent}: {first_line(error)}; or set match_parameters = 0 for it"
        ) from error
    return {**settings, **as_words({"memory_kwargs": found})}


@lru_cache
def _width(
    memory: str, words: tuple[str, ...], features: int, target: int, width: str
) -> dict[str, Any]:
    from drivemem_agents.matching import match_parameters

    kwargs = parse_pairs(words, "memory_kwargs")
    return match_parameters(memory, features, target, kwargs, width=width)


def _features(config: TrainConfig) -> int:
    """D, what goes into the memory."""
    from drivemem_agents.encoders import make_encoder
    from drivemem_agents.heads import described_size

    observation, action = spaces_of(config.changed_scenario())
    encoder = make_encoder(
        config.encoder, observation, parse_pairs(config.encoder_kwargs, "encoder_kwargs")
    )
    return encoder.output_size + (described_size(action) if config.observe_previous_action else 0)


@lru_cache
def _registered(name: str) -> str:
    """The full name of a scenario, so that one scenario has one name in all results."""
    with one_line(ValueError):
        return registry.scenario(name).name
