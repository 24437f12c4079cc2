"""Specs whose fields are checked: what does not fit is refused with a ValueError in one line."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

LONGEST = 80
"""Characters of a refused value that are shown."""


class Checked(BaseModel):
    """A frozen spec; numbers are finite, unknown fields are refused with the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    if not TYPE_CHECKING:  # type checkers see a parameter for each field

        def __init__(self, **given: Any) -> None:
            try:
                super().__init__(**given)
            except ValidationError as error:
                raise ValueError(_complaint(type(self), error)) from None


def _complaint(cls: type[BaseModel], error: ValidationError) -> str:
    """The first thing that is wrong with given fields: name, value, what may be."""
    first = error.errors()[0]
    said = str(first["msg"]).removeprefix("Value error, ")
    what = cls.__name__.lower().removesuffix("spec")
    if not first["loc"]:
        return f"{what}: {said}"
    field = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(field, cls.model_fields, n=1)
        hint = (
            f"; did you mean '{near[0]}'?" if near else f" (one of: {', '.join(cls.model_fields)})"
        )
        return f"{what}: unknown field '{field}'{hint}"
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"{what}: {where} is missing"
    seen = repr(first["input"])
    seen = seen if len(seen) <= LONGEST else f"{seen[:LONGEST]}..."
    return f"{what}: {where} is {seen}: {said[:1].lower()}{said[1:]}"
