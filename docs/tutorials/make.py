"""Write the notebook of the first comparison: python docs/tutorials/make.py.

Its cells are the blocks of the page, so there is one text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE, NOTEBOOK = HERE / "first-comparison.md", HERE / "first-comparison.ipynb"


def notebook(page: str) -> str:
    """A page as a notebook without outputs; the first code cell holds its parameters.

    Args:
        page: Markdown with Python blocks.
    """
    cells: list[dict[str, Any]] = []
    for place, text in enumerate(re.split(r"^```(?:python)?\n?", page, flags=re.MULTILINE)):
        cell: dict[str, Any] = {"id": f"cell-{place}", "metadata": {}, "source": _lines(text)}
        if place % 2:
            cell |= {"cell_type": "code", "execution_count": None, "outputs": []}
        else:
            cell |= {"cell_type": "markdown"}
        cells.append(cell)
    cells[1]["metadata"] = {"tags": ["parameters"]}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, indent=1) + "\n"


def _lines(text: str) -> list[str]:
    return text.strip("\n").splitlines(keepends=True)


if __name__ == "__main__":
    NOTEBOOK.write_text(notebook(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
