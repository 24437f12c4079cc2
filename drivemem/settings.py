"""Settings given as key=value words, and numbers as people write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError

from drivemem.errors import DrivememError
from drivemem_agents.settings import complaint


class OneLineErrors(BaseModel):
    """Mixed in before a configuration: what does not fit is a DrivememError of one line."""

    if not TYPE_CHECKING:  # type checkers see a parameter for each field

        def __init__(self, **given: Any) -> None:
            try:
                super().__init__(**given)
            except ValidationError as error:
                raise DrivememError(complaint(error)) from error


def parse_pairs(pairs: Iterable[str], what: str) -> dict[str, Any]:
    """`("hidden_size=64", "gate_bias=50")` as a dict; values are JSON where they parse as it.

    Args:
        pairs: the words.
        what: names the option in the error.

    Raises:
        DrivememError: a word without `=`.
    """
    parsed: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise DrivememError(f"{what} takes key=value words, but got {pair!r}")
        try:
            parsed[key] = json.loads(value)
        except ValueError:
            parsed[key] = value
    return parsed


def as_words(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which tables of `*_kwargs` and `dials` are written as key=value words."""
    return {
        key: pairs(value) if key.endswith("_kwargs") or key == "dials" else value
        for key, value in settings.items()
    }


def pairs(value: Any) -> Any:
    """A mapping as the key=value words that `parse_pairs` reads; anything else as it is.

    Raises:
        DrivememError: a value that JSON does not have.
    """
    if not isinstance(value, Mapping):
        return value
    try:
        return tuple(
            f"{key}={one if isinstance(one, str) else json.dumps(one)}"
            for key, one in value.items()
        )
    except (TypeError, ValueError) as error:
        raise DrivememError(
            f"{dict(value)!r:.80}: {error}; give numbers, text, lists and true or false"
        ) from error


Words = Annotated[tuple[str, ...], BeforeValidator(pairs)]
"""Settings as key=value words; Python may give a mapping."""


_LONGEST = 100
"""Characters of a name: two of them and what goes with them make a file's name, which has 255."""
_NAME = re.compile(rf"[A-Za-z0-9_+-][A-Za-z0-9_.+-]{{0,{_LONGEST - 1}}}")


def check_name(name: Any) -> str:
    """A name as it may become a folder's: never a path, nor hidden.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r:.120} is no name: use letters, digits and _ . + -, no dot in front, at most "
            f"{_LONGEST} of them"
        )
    return name


def plain_numbers(arguments: Iterable[str]) -> list[str]:
    """Turn whole numbers written as 1e6 or 2_000 into plain digits, other words left alone."""
    plain = []
    for word in arguments:
        if re.fullmatch(r"\d+(\.\d+)?[eE]\+?\d+", word) and float(word).is_integer():
            word = str(int(float(word)))
        elif re.fullmatch(r"\d{1,3}(_\d{3})+", word):
            word = word.replace("_", "")
        plain.append(word)
    return plain
