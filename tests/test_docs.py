"""What the documentation says works: its links exist, its examples run."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "measured"),
]
NOTES = sorted((ROOT / "experiments").glob("*/*.md"))
FLAGSHIP = ROOT / "experiments" / "occlusion_gap" / "results" / "table.csv"
COLUMNS = {
    "no memory": "none", "4 frames": "frame_stack", "GRU": "gru", "whole": "gru",
    "GRU, memory reset": "gru / reset_every:1", "full sensors": "full (full sensors)",
    "last 1": "gru / span:1", **{n: f"gru / span:{n}" for n in ("4", "8", "16", "32")},
}  # fmt: skip
"""Of the README's tables, and the flagship study's rows that they show."""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", [*PAGES, *NOTES], ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("corner", ["| scenario (easy) | ceiling", "| scenario (easy) | last 1"])
def test_tables_of_the_readme_are_those_of_the_study(corner: str) -> None:
    with FLAGSHIP.open(newline="", encoding="utf-8") as file:
        known = {(row["scenario"], row["agent"]): row for row in csv.DictReader(file)}
    table = corner + (ROOT / "README.md").read_text().partition(corner)[2].partition("\n\n")[0]
    head, _, *body = [
        [cell.strip(" *`") for cell in line.strip("|").split("|")] for line in table.splitlines()
    ]
    scenarios = {scenario for scenario, _ in known}
    assert {f"{row[0]}-easy-v0" for row in body} == scenarios
    for scenario, *cells in body:
        for name, cell in zip(head[1:], cells, strict=True):
            if name != "ceiling":
                row = known[f"{scenario}-easy-v0", COLUMNS[name]]
                shown = [float(row[key]) for key in ("success", "success_low", "success_high")]
                told = [float(number) for number in re.findall(r"\d\.\d+", cell)]
                assert told, cell
                assert told == pytest.approx(shown[: len(told)], abs=0.0051), (scenario, name)


def test_commands_in_the_readme_have_these_options() -> None:
    from drivemem.cli import COMMANDS
    from drivemem.commands import compare, distill, evaluate, explaining, replay, study, train
    from drivemem.config import DistillConfig, TrainConfig
    from drivemem.evaluation.config import EvaluateConfig

    known = {
        "train": {*TrainConfig.model_fields, *train.Options.__dataclass_fields__},
        "evaluate": {*EvaluateConfig.model_fields, *evaluate.Options.__dataclass_fields__},
        "compare": {*compare.Options.__dataclass_fields__},
        "replay": {*replay.Options.__dataclass_fields__},
        "study": {*study.Options.__dataclass_fields__},
        "distill": {
            *DistillConfig.model_fields,
            *distill.Options.__dataclass_fields__,
            *explaining.Options.__dataclass_fields__,
        },
    }
    shell = "\n".join(blocks("README.md", "bash")).replace("\\\n", " ")
    lines = [line for line in shell.splitlines() if line.startswith("drivemem ")]
    assert len(lines) >= 8
    for line in lines:
        command = line.split()[1]
        assert command in COMMANDS
        for option in re.findall(r"--([a-z-]+)", line.split("#")[0]):
            assert option.replace("-", "_") in known[command], line


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer decisions and episodes; settings are those of the scenario's preset."""
    from drivemem.runs import Run

    monkeypatch.chdir(tmp_path)
    (text,) = blocks("README.md", "python")
    short = text.replace("steps=100_000", "steps=1").replace("episodes=100", "episodes=2")
    assert "steps=1)" in short and "episodes=2," in short
    known: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(short, "README.md", "exec"), known)
    run: Run = known["run"]
    assert run.config().num_envs == 64 and run.config().memory_kwargs == ("hidden_size=128",)
    assert known["agent"].settings.memory == "lstm"


def test_the_example_of_the_compiled_backend_runs() -> None:
    for text in blocks("docs/compiled-backend.md", "python"):
        exec(compile(text, "compiled-backend.md", "exec"), {"__name__": "example"})


def test_the_example_of_a_study_can_be_planned(tmp_path: Path) -> None:
    from drivemem.studies import load_study, make_plan

    file = tmp_path / "example.toml"
    (text,) = blocks("docs/studies.md", "toml")
    file.write_text(text)
    runs = {(cell.scenario, cell.agent, cell.seed) for cell in make_plan(load_study(file)).cells}
    assert {("easy", "full", 4), ("five", "gru", 0), ("five", "idm", None)} <= runs
    assert not {("five", "full", 0), ("five", "gru", 1)} & runs


def test_the_scenario_of_the_page_of_gates_can_be_asked(tmp_path: Path) -> None:
    import drivemem_envs
    from drivemem.gates.arms import Budget, gates_study
    from drivemem.studies import make_plan

    (code,), (text,) = blocks("docs/gates.md", "python"), blocks("docs/gates.md", "toml")
    known: dict[str, Any] = {}
    exec(compile(code, "gates.md", "exec"), known)
    scenario = known["EVENING_DRIVE"]
    worlds = drivemem_envs.make_vec(scenario, 2, backend="compiled")
    observation, _ = worlds.reset(seed=0)
    assert set(observation) == {"lanes", "ego"}
    worlds.close()
    file = tmp_path / "evening.toml"
    file.write_text(text)
    study = gates_study(drivemem_envs.scenario("camera-highway"), Budget(preset=str(file)), None)
    plan = make_plan(study, tmp_path / "out")
    assert {(cell.steps, cell.config["ent_coef"]) for cell in plan.cells} == {(350_000, 0.04)}
    assert len(plan.cells) == 3 * 8


def test_options_on_the_page_of_gates_are_those_of_the_command() -> None:
    from drivemem.commands import gates

    lines = "\n".join(blocks("docs/gates.md", "bash")).splitlines()
    given = {o for line in lines for o in re.findall(r"--([a-z-]+)", line.partition("#")[0])}
    assert given and given <= set(gates.Options.__dataclass_fields__)


def test_the_study_of_the_page_of_distillation_can_be_planned(tmp_path: Path) -> None:
    from drivemem.studies import load_study, make_plan

    file = tmp_path / "distillation.toml"
    (text,) = blocks("docs/distillation.md", "toml")
    file.write_text(text)
    cells = {cell.agent: cell for cell in make_plan(load_study(file)).cells}
    assert cells["gru-taught"].teacher == f"exit-recall-full-s{cells['gru-taught'].seed}"
    assert len(cells) == 5


def test_options_on_the_page_of_distillation_are_those_of_the_command() -> None:
    from drivemem.commands import explaining
    from drivemem.config import DistillConfig
    from drivemem.explaining.config import ExplainConfig

    known = {*DistillConfig.model_fields, *ExplainConfig.model_fields, "resume"}
    known |= {*explaining.Options.__dataclass_fields__}
    shell = "\n".join(blocks("docs/distillation.md", "bash")).replace("\\\n", " ")
    lines = [line for line in shell.splitlines() if line.startswith("drivemem distill")]
    given = {o for line in lines for o in re.findall(r"--([a-z-]+)", line.partition("#")[0])}
    assert given and {option.replace("-", "_") for option in given} <= known
