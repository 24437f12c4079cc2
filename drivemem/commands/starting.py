"""What commands that train begin with, the scenario's preset, and end with, a summary."""

from __future__ import annotations

from typing import Any

from drivemem.config import TrainConfig
from drivemem.training.presets import WORDS, merged


def first_and_preset(words: list[str], name: str) -> tuple[str | None, str | None, list[str]]:
    """The positional word (or `--name WORD`), that of `--preset` (empty without one), the others.

    Args:
        words: of the command.
        name: of the option that the positional word may also be given as.
    """
    rest = [word for word in words if not word.startswith("--preset=")]
    wanted = option(words, "--preset") if len(rest) < len(words) else None
    if "--preset" in rest:
        at = rest.index("--preset")
        wanted = rest[at + 1] if at + 1 < len(rest) and not rest[at + 1].startswith("-") else ""
        del rest[at : at + (2 if wanted else 1)]
    first = rest.pop(0) if rest and not rest[0].startswith("-") else None
    return first or option(rest, f"--{name}"), wanted, rest


def asked(words: list[str]) -> dict[str, Any]:
    """The memory and the encoder that words ask for, which choose among a preset's settings."""
    found = {name: option(words, f"--{name}") for name in ("memory", "encoder")}
    return {name: value for name, value in found.items() if value is not None}


def wants_help(words: list[str]) -> bool:
    """Whether words ask for help, which shows the defaults without any preset."""
    return any(word in ("-h", "--help") for word in words)


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
