"""The tutorials work as they stand: each runs from top to bottom, training for one rollout."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "tutorials"
NOTEBOOK = FOLDER / "first-comparison.ipynb"
TUTORIALS = sorted(set(FOLDER.glob("*.md")) - {NOTEBOOK.with_suffix(".md")})
"""Less the one that is a notebook too, which is run as such."""
BLOCK = re.compile(r"^```(python|toml|bash)\n(?:# (\S+\.(?:py|toml))\n)?(.*?)^```$", re.M | re.S)
"""Language, the file that it is where its first line names one, and text."""
SMALL = {
    r"\b(steps|STEPS)( ?= ?| )[\d_]+": r"\1\g<2>{decisions}",
    r"\b(episodes|EPISODES)( ?= ?| )[\d_]+": r"\1\g<2>40",
}
DECISIONS = {"cut-and-read": 8_000}
"""Who has learnt nothing crashes before the sign is out of sight, and only then it is edited."""
ELSEWHERE = "--ray"
"""A command with this option needs a cluster."""


def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_notebook", FOLDER / "make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def small(text: str, decisions: int = 1) -> str:
    """With few episodes, and one rollout of training or as many as hold so many decisions."""
    for long, short in SMALL.items():
        text = re.sub(long, short.format(decisions=decisions), text)
    return text


def program(page: Path) -> str:
    """A tutorial as one Python program: files are written, commands run and must succeed."""
    parts = ["from pathlib import Path", "from drivemem.cli import run_command"]
    for language, name, text in BLOCK.findall(small(page.read_text(), DECISIONS.get(page.stem, 1))):
        if name:
            parts.append(f"Path({name!r}).write_text({text!r})")
        elif language == "python":
            parts.append(text)
        else:
            commands = [shlex.split(line) for line in text.splitlines() if ELSEWHERE not in line]
            for drivemem, command, *words in commands:
                assert drivemem == "drivemem"
                parts.append(f"assert run_command({command!r}, {words!r}) == 0")
    return "\n".join(parts)


def run(code: str, folder: Path) -> str:
    """Run a program in a folder, whose modules it can import; returns what it printed."""
    paths = [str(folder), os.environ.get("PYTHONPATH", ""), str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs(page: Path, tmp_path: Path) -> None:
    run(program(page), tmp_path)
    assert list(tmp_path.glob("runs/*/**/model.safetensors"))


def test_the_notebook_runs(tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = small("\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code"))
    assert "STEPS = 1 " in code
    shown = run(code, tmp_path)
    assert " / reset_every:1 " in shown and "idm " in shown
    assert (tmp_path / "replay.html").is_file() and (tmp_path / "report/report.html").is_file()


def test_the_notebook_is_the_tutorial_without_outputs() -> None:
    made = maker().notebook(NOTEBOOK.with_suffix(".md").read_text())
    assert NOTEBOOK.read_text() == made, "run python docs/tutorials/make.py"
    cells = [c for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    assert cells[0]["metadata"]["tags"] == ["parameters"]
