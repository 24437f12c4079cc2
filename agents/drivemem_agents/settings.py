"""Typed settings of memories and encoders."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Settings(BaseModel):
    """Frozen settings; an unknown key is refused with the nearest and all that there are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:
        for key in given if isinstance(given, dict) else ():
            if key not in cls.model_fields:
                near = difflib.get_close_matches(str(key), cls.model_fields, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                names = ", ".join(cls.model_fields) or "there are none"
                raise ValueError(f"unknown setting '{key}'{hint} (settings: {names})")
        return given
