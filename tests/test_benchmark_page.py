"""The page of the benchmark: its hashes are those of the suites, its agents submit as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import drivemem
import drivemem_envs
from drivemem.cli import run_command
from drivemem.commands.submit import Options
from drivemem.evaluation.suites import make_suite
from drivemem.submissions.config import SubmitConfig

PAGE = (Path(__file__).parent.parent / "docs" / "benchmark.md").read_text()
LEVELS = ("easy", "medium", "hard")
FILES = dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE, re.DOTALL))
SUBMITS = [
    shlex.split(line)[2:]
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("drivemem submit")
]


def test_the_hashes_are_those_of_the_suites() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| `(\w+)` \| `(\w+)` \| `(\w+)` \|$", PAGE, re.MULTILINE)
    shown = {name: hashes for name, *hashes in rows}
    names = {
        name.removesuffix("-easy-v0")
        for name in drivemem_envs.scenario_names(highway_env=False)
        if name.endswith("-easy-v0")
        and {"provable", "gated"} & set(drivemem_envs.scenario(name).tags)
    }
    assert set(shown) == names
    for name, hashes in shown.items():
        suites = [make_suite(drivemem_envs.scenario(f"{name}-{level}"), 500) for level in LEVELS]
        assert hashes == [suite.hash()[:16] for suite in suites], name


def test_options_on_the_page_are_those_of_the_command() -> None:
    known = {*SubmitConfig.model_fields, *Options.__dataclass_fields__}
    given = {word[2:] for words in SUBMITS for word in words if word.startswith("--")}
    assert given and {option.replace("-", "_") for option in given} <= known


@pytest.mark.parametrize(
    ("file", "agent", "least"),
    [
        ("bandit.py", "Bandit", 1.0),
        ("to_onnx.py", "Recall", 1.0),
        ("contrib.py", "RecurrentPPO", 0),
    ],
)
def test_its_agents_are_made_and_submitted(
    file: str, agent: str, least: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(
        {"to_onnx.py": "onnxscript", "contrib.py": "sb3_contrib"}.get(file, "numpy")
    )
    monkeypatch.chdir(tmp_path)
    code = FILES[file].replace("500_000", "64")
    Path(file).write_text(code)
    exec(compile(code, file, "exec"), {"__name__": "__main__"})
    (words,) = [words for words in SUBMITS if agent in words]
    assert run_command("submit", [*words, "--episodes", "8", "--num-workers", "1"]) == 0
    (table,) = drivemem.compare(["submissions"]).tables
    (row,) = table.rows
    assert row.label == f"{agent} (submitted)" and row.success.estimate >= least
