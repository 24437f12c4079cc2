"""The table of PPO's settings in the documentation.

`python -m tests.agents.settings_table` writes it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from drivemem_agents.ppo_settings import PPOSettings, TrainingSettings

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
BETWEEN = re.compile(r"(?<=<!-- settings -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)


def table() -> str:
    """Markdown: each setting, whether the command line has it, its default and what it does."""
    rows = ["| setting | default | range | what it does |", "|---|---|---|---|"]
    for name, field in PPOSettings.model_fields.items():
        offered = "" if name in TrainingSettings.model_fields else " (Python only)"
        said = " ".join((field.description or "").split())
        default = "none" if field.default is None else str(field.default).lower()
        rows.append(f"| `{name}`{offered} | {default} | {_range(field)} | {said} |")
    return "\n".join(rows)


def _range(field: Any) -> str:
    """What a setting may be, in words."""
    choices = getattr(field.annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return ", ".join(choices)
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    return ", ".join(
        f"{sign} {getattr(bound, key):g}"
        for bound in field.metadata
        for key, sign in signs.items()
        if hasattr(bound, key)
    )


def page(text: str) -> str:
    """The page with the table as it is now."""
    return BETWEEN.sub(lambda _: table(), text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
