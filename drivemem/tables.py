"""Tables of results: text for a terminal and a notebook, figures for pandas and JSON.

Cells are text as it is: brackets, tags and colons in them are never taken for markup.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table as RichTable

Record = Mapping[str, Any]
"""Figures of a row by name, in full precision."""


@dataclass(frozen=True)
class Table:
    """One table."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    """Cells as people read them."""
    title: str = ""
    caption: str = ""
    records: Sequence[Record] | None = None
    """The figures behind the rows; None: the cells are all there is."""
    styles: Sequence[str] = ()
    """How a terminal shows each row, such as bold; none: plain."""
    sections: frozenset[int] = frozenset()
    """Rows above which a terminal draws a line."""
    aligned: bool = False
    """Whether all columns but the first stand to the right, as figures do."""

    def figures(self) -> list[dict[str, Any]]:
        """The rows by column; what is not finite is None, as JSON has no word for it."""
        found = self.records
        if found is None:
            found = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return [{name: _plain(value) for name, value in record.items()} for record in found]

    def to_rich(self) -> RichTable:
        """For a terminal."""
        from rich.table import Table as RichTable
        from rich.text import Text

        shown = RichTable(
            title=Text(self.title) if self.title else None,
            caption=Text(self.caption) if self.caption else None,
            caption_justify="left",
            show_header=any(self.columns),
        )
        for place, name in enumerate(self.columns):
            justify = "right" if self.aligned and place else "left"
            shown.add_column(Text(name), justify=justify, overflow="fold")  # type: ignore[arg-type]
        for place, row in enumerate(self.rows):
            if place in self.sections:
                shown.add_section()
            style = self.styles[place] if self.styles else ""
            shown.add_row(*map(Text, row), style=style)
        return shown

    def to_html(self) -> str:
        """For a notebook or a page; everything is escaped."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.columns)
        body = "".join(
            f'<tr><th scope="row">{escape(first)}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
            + "</tr>"
            for first, *rest in self.rows
        )
        heads = f"<thead><tr>{head}</tr></thead>" if any(self.columns) else ""
        title = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        lines = "".join(f"<p>{escape(line)}</p>" for line in self.caption.splitlines())
        return f"<table>{title}{heads}<tbody>{body}</tbody></table>{lines}"


class Shown:
    """A result that notebooks show as tables, and that is a DataFrame when asked."""

    def as_tables(self) -> list[Table]:
        """What the command of the same name prints."""
        raise NotImplementedError

    def to_pandas(self) -> pd.DataFrame:
        """The figures behind the tables, a row each."""
        import pandas as pd

        return pd.DataFrame([record for table in self.as_tables() for record in table.figures()])

    def _repr_html_(self) -> str:
        return "".join(table.to_html() for table in self.as_tables())


def as_json(tables: Sequence[Table]) -> dict[str, Any]:
    """What commands print with `--json`."""
    return {"tables": [{"title": table.title, "rows": table.figures()} for table in tables]}


def _plain(value: Any) -> Any:
    """A value as JSON has it: NumPy's numbers are Python's, paths are text."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
