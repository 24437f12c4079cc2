"""Inputs as hypothesis draws them: right and wrong values for every field of a pydantic model."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import hypothesis
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tests.campaigns.apart import Ending

Change = tuple[str, Any]


@dataclass(frozen=True)
class Drawn:
    """An input: where it goes in, and what it changes."""

    where: str
    changed: Any

    def __repr__(self) -> str:
        """As in a report."""
        return f"{self.where}: {self.changed!r}"


Subject = Callable[[], tuple[st.SearchStrategy[Any], Callable[[Any], Ending]]]
"""What is drawn, and what is done with each: made when it is first needed."""

HUGE = 1_000_000
"""From here on a number may cost more time than a campaign has: then slow is no fault."""

WRONG: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 1.5, -0.0, 1e-320, 1e308, 10**12, -(10**12), 2**63, 10**30,
    math.nan, math.inf, -math.inf, "", " ", "nan", "inf", "1e6", "-1", "true", "none", "\x00",
    "[bold]red[/bold]", "{0}", "%s", "2**3", "../../escaped", "/", ".", "~", "a=b", "=", "=1",
    "__import__('os')", "os.system", "__main__.Car", "a__b.C", "nomod.X", "<script>", "ünïcode 🚗",
    "\u202ereversed", "two\nlines", "x" * 5000, [], {}, [1], [[]], ["a"], {"a": 1}, [None],
    [math.nan, 0], "cuda", "mps", "bogus",
)  # fmt: skip
"""What strangers write where something else belongs; some of it is right in some places."""

EDGES: tuple[Any, ...] = (
    0, -1, 1, 0.0, -0.5, math.nan, math.inf, -math.inf, 1e308, 1e30, 1e-320, 10**9, 10**12, 10**30,
)  # fmt: skip
"""Numbers that sizes, rates and shares go wrong at."""

STRANGE_BYTES = "\udcff"
"""An undecodable byte of the command line, as Python hands it on."""


def collect(strategy: st.SearchStrategy[Any], count: int, seed: int) -> list[Any]:
    """So many inputs from a strategy, the same for the same seed."""
    found: list[Any] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(strategy)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found


def changes(
    fields: Mapping[str, st.SearchStrategy[Any]], most: int = 3
) -> st.SearchStrategy[dict[str, Any]]:
    """One to `most` fields with right or wrong values; now and then a misspelt field.

    Args:
        fields: right values of each.
        most: how many fields at once; with one alone every fault has one cause.
    """
    names = sorted(fields)

    def one(name: str) -> st.SearchStrategy[Change]:
        value = st.one_of(fields[name], st.sampled_from(EDGES), st.sampled_from(WRONG))
        misspelt = st.integers(0, 19).map(lambda chance: name[:-1] if chance == 0 else name)
        return st.tuples(misspelt, value)

    some = st.lists(st.sampled_from(names).flatmap(one), min_size=1, max_size=most)
    return some.map(dict)


def of_model(
    model: type[BaseModel], special: Mapping[str, st.SearchStrategy[Any]] | None = None
) -> dict[str, st.SearchStrategy[Any]]:
    """Right values of every field of a model.

    Args:
        model: a pydantic class.
        special: values for fields whose type says too little, such as names.
    """
    known = special or {}
    return {
        name: known[name] if name in known else of_field(field)
        for name, field in model.model_fields.items()
    }


def of_field(field: FieldInfo) -> st.SearchStrategy[Any]:
    """Right values of a field, the edges of its range among them."""
    bounds: dict[str, float] = {}
    for limit in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            if getattr(limit, name, None) is not None:
                bounds[name] = getattr(limit, name)
    return _of_type(field.annotation, bounds)


def _of_type(kind: Any, bounds: Mapping[str, float]) -> st.SearchStrategy[Any]:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, types.UnionType):
        return st.one_of([_of_type(each, bounds) for each in inner])
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return st.lists(_of_type(inner[0], {"ge": 1}), max_size=3)
    if origin is tuple:
        return st.tuples(*(_of_type(each, {"ge": 1}) for each in inner)).map(list)
    if origin is dict:
        return st.dictionaries(st.sampled_from(["x", "y", "vx", "a"]), _of_type(inner[1], {}))
    return _plain(kind, bounds)


def _plain(kind: Any, bounds: Mapping[str, float]) -> st.SearchStrategy[Any]:
    low = bounds.get("ge", bounds.get("gt", -64))
    high = bounds.get("le", bounds.get("lt", low + 64))
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(math.ceil(low) + ("gt" in bounds), math.floor(high) - ("lt" in bounds))
    if kind is float:
        return st.floats(low, high, exclude_min="gt" in bounds, exclude_max="lt" in bounds)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return changes(of_model(kind), most=2)
    if kind is type(None):
        return st.none()
    return st.sampled_from(["a", "test", "x=1"])


def neighbours(value: Any) -> st.SearchStrategy[Any]:
    """Values like a given one: of its type and size, for settings that declare no type."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return st.integers(max(value - 3, min(value, 0)), value + 3)
    if isinstance(value, float):
        return st.floats(0.0, 2.0 * abs(value) + 1.0)
    return st.just(value)


def key_value_words(
    fields: Callable[[], Mapping[str, st.SearchStrategy[Any]]],
) -> st.SearchStrategy[list[str]]:
    """Settings written as `key=value` words; some are no such words."""
    word = st.deferred(lambda: changes(fields(), most=2)).map(as_pairs)
    return st.one_of(word, word, st.lists(st.sampled_from(["a", "=", "x=", "=1", "a=b=c"])))


def as_pairs(settings: Mapping[str, Any]) -> list[str]:
    """A dict as `key=value` words."""
    return [f"{key}={_word(value)}" for key, value in settings.items()]


def as_options(settings: Mapping[str, Any]) -> list[str]:
    """A dict as options of a command line: `--key value`."""
    words: list[str] = []
    for key, value in settings.items():
        option = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        elif isinstance(value, Sequence) and not isinstance(value, str):
            words += [option, *map(_word, value)]
        elif isinstance(value, Mapping):
            words += as_options({f"{key}.{part}": inner for part, inner in value.items()})
        else:
            words += [option, _word(value)]
    return [word.replace("\x00", "") for word in words]  # no command line can hold that byte


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return str(value)


def toml(value: Any) -> str:
    """A value as TOML; what TOML has no word for becomes an empty table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else str(value).replace("Infinity", "inf")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(str(key))} = {toml(v)}" for key, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(toml, value))}]"
    return "{}"


def seconds_for(value: Any) -> float:
    """How long an input may take: 30 s, or 6 s where no end need be in sight."""
    return 6.0 if is_huge(value) else 30.0


def is_huge(value: Any) -> bool:
    """Whether a number in a value is so large that its work may have no end."""
    if isinstance(value, Mapping):
        return any(map(is_huge, value.values()))
    if isinstance(value, list | tuple):
        return any(map(is_huge, value))
    if isinstance(value, str):
        return any(char.isdigit() for char in value) and len(value) >= 3
    return isinstance(value, int | float) and not abs(value) < HUGE
