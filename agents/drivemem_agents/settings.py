"""Typed settings of memories, encoders and MemoryPPO."""

from __future__ import annotations

import inspect
import math
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from drivemem_agents.registry import near_miss

Documented = TypeVar("Documented", bound=Callable[..., Any])

Size = Annotated[int, Field(ge=1)]
"""How many of something there are: at least one."""

LONGEST = 80
"""Characters of a refused value that are shown."""

_LARGEST = 2**63 - 1
"""What 64 bits hold: PyTorch raises a TypeError of a page for more."""

_LARGEST_FLOAT = 1e38
"""What a 32-bit float holds: PyTorch refuses to compute with more."""

_SIZES = TypeAdapter(tuple[Size, ...])


class Settings(BaseModel):
    """Frozen settings; an unknown key is refused with the nearest, or else all that there are."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:
        for key in given if isinstance(given, dict) else ():
            if key not in cls.model_fields:
                names = ", ".join(cls.model_fields) or "there are none"
                hint = near_miss(str(key), cls.model_fields) or f" (settings: {names})"
                raise ValueError(f"unknown setting '{key}'{hint}")
            largest = _LARGEST_FLOAT if isinstance(given[key], float) else _LARGEST
            if isinstance(given[key], int | float) and largest < abs(given[key]) < math.inf:
                raise ValueError(f"setting '{key}' is {given[key]}: give at most {largest}")
        return given

    @classmethod
    def checked(cls, given: dict[str, Any], of: str = "") -> Self:
        """The settings with these values.

        Args:
            given: values by name.
            of: whose settings they are, for the message.

        Raises:
            ValueError: an unknown key or a value out of range, in one line.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            raise ValueError(f"{of}: {complaint(error)}" if of else complaint(error)) from None


@contextmanager
def building(what: str, settings: Settings) -> Iterator[None]:
    """Building a part of an agent from settings that are each in range.

    Raises:
        ValueError: together they ask for more than memory holds, or for numbers that are none.
    """
    try:
        yield
    except (RuntimeError, MemoryError, OverflowError) as error:
        given = ", ".join(f"{name}={value!r}" for name, value in settings)
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{what} cannot be built with {given}: {why}") from error


def sizes(name: str, given: Any) -> tuple[int, ...]:
    """A row of sizes, such as the widths of layers.

    Raises:
        ValueError: no row of whole numbers of at least 1.
    """
    try:
        return _SIZES.validate_python(given)
    except ValidationError:
        raise ValueError(
            f"{name} is {given!r}: give a list of whole numbers of at least 1, such as (64,), or "
            "() for none"
        ) from None


def complaint(error: ValidationError, named: str = "setting '{}'") -> str:
    """The first thing that is wrong with given settings, in one line: name, value, what may be.

    Args:
        error: of a pydantic model.
        named: how a setting is called, with `{}` for its name.
    """
    first = error.errors()[0]
    said = str(first["msg"]).removeprefix("Value error, ").replace("valid tuple", "list")
    if not first["loc"]:
        return said
    where = named.format(".".join(str(part) for part in first["loc"]))
    said = f"{said[:1].lower()}{said[1:]}"
    if first["type"] == "missing":
        return f"{where}: {said}"
    seen = repr(first["input"])
    seen = seen if len(seen) <= LONGEST else f"{seen[:LONGEST]}..."
    if first["type"] == "literal_error":
        allowed = first["ctx"]["expected"].replace(" or ", ", ")
        return f"{where}: {seen} is not one of {allowed}"
    return f"{where} is {seen}: {said}"


def documented_by(settings: type[Settings]) -> Callable[[Documented], Documented]:
    """Decorator: settings that a class or function takes as `**` show in its signature and help.

    Args:
        settings: what they may be; those that it names itself are not shown again.
    """

    def document(thing: Documented) -> Documented:
        called: Any = thing.__init__ if isinstance(thing, type) else thing  # type: ignore[misc]
        signature = inspect.signature(called)
        changes = inspect.Parameter.VAR_KEYWORD
        own = [given for given in signature.parameters.values() if given.kind is not changes]
        taken = {
            name: field
            for name, field in settings.model_fields.items()
            if name not in signature.parameters
        }
        named = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=field.annotation,
            )
            for name, field in taken.items()
        ]
        called.__signature__ = signature.replace(parameters=[*own, *named])
        explained = "\n".join(
            textwrap.fill(
                f"{name}: {field.description}", 100, initial_indent="    ",
                subsequent_indent="        ",
            )
            for name, field in taken.items()
        )  # fmt: skip
        thing.__doc__ = f"{inspect.cleandoc(thing.__doc__ or '')}\n\nSettings:\n{explained}\n"
        return thing

    return document
