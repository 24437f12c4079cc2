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
STUDIES = ("occlusion_gap", "scenario_cards", "free_driving")
FULL = "full (full sensors)"
COLUMNS = {
    "no memory": ["none"], "4 frames": ["frame_stack"], "GRU": ["gru"], "whole": ["gru"],
    "GRU, memory reset": ["gru / reset_every:1"], "full sensors": [FULL],
    "perfect recall": ["perfect_recall"],
    "best tracker": ["hold_last", "constant_velocity", "kalman"],
    "last 1": ["gru / span:1"], **{n: [f"gru / span:{n}"] for n in ("4", "8", "16", "32")},
}  # fmt: skip
"""Of the tables of README and findings, and the rows of studies of which they show the best."""
TAUGHT = "gru_taught distilled from none behind perfect_recall + PPO"
"""The GRU of rows that say "taught"; agents without memory were taught for the gates alone."""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", [*PAGES, *NOTES], ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def table_in(page: str, corner: str) -> list[list[str]]:
    text = corner + (ROOT / page).read_text().partition(corner)[2].partition("\n\n")[0]
    head, _, *body = [
        [cell.strip(" *`") for cell in line.strip("|").split("|")] for line in text.splitlines()
    ]
    return [head, *body]


def rows_of(study: str) -> dict[tuple[str, str], dict[str, str]]:
    with (ROOT / "experiments" / study / "results" / "table.csv").open(encoding="utf-8") as file:
        return {(row["scenario"], row["agent"]): row for row in csv.DictReader(file)}


def shown_by_studies(scenario: str, column: str, taught: bool, runs: int) -> list[list[float]]:
    """Each study's best row of what a column shows, as (mean, low, high)."""
    agents = [f"{before}{agent}" for agent in COLUMNS[column] for before in ("", "none_")]
    if taught:
        agents = [agent.replace("gru", TAUGHT) for agent in agents]
    best = []
    for study in STUDIES:
        known = rows_of(study)
        rows = [
            known[f"{scenario}-easy-v0", a] for a in agents if (f"{scenario}-easy-v0", a) in known
        ]
        rows = [row for row in rows if row["runs"] == str(runs)]
        measure = "on_time" if rows and rows[0].get("on_time") else "success"
        told = [
            [float(row[key]) for key in (measure, f"{measure}_low", f"{measure}_high")]
            for row in rows
        ]
        best += [max(told)] if told else []
    return best


@pytest.mark.parametrize(
    ("page", "corner"),
    [
        ("README.md", "| scenario (easy) | no memory"),
        ("docs/findings.md", "| scenario (easy) | ceiling"),
        ("docs/findings.md", "| scenario (easy) | last 1"),
        ("docs/findings.md", "| scenario (easy) | no memory"),
    ],
)
def test_tables_of_what_is_found_are_those_of_the_studies(page: str, corner: str) -> None:
    head, *body = table_in(page, corner)
    compared = 0
    for label, *cells in body:
        scenario, _, taught = label.partition("`, ")
        for name, cell in zip(head[1:], cells, strict=True):
            if name == "ceiling" or not cell or (taught and name == "no memory"):
                continue
            told = [float(number) for number in re.findall(r"\d\.\d+", cell)]
            assert told, cell
            studies = shown_by_studies(scenario, name, bool(taught), 3 if "3 runs" in cell else 5)
            close = [told == pytest.approx(row[: len(told)], abs=0.0051) for row in studies]
            assert any(close), (label, name, told, studies)
            compared += 1
    assert compared >= 5 * len(body) - 4


def test_what_is_found_names_all_scenarios_with_a_ceiling_and_all_that_are_gated() -> None:
    import drivemem_envs

    every = map(drivemem_envs.scenario, drivemem_envs.scenario_names(highway_env=False))
    gated = {one.name.removesuffix("-easy-v0") for one in every if "gated" in one.tags}
    for page in ("README.md", "docs/findings.md"):
        _, *body = table_in(page, "| scenario (easy) | no memory")
        told = {row[0].partition("`")[0] for row in body}
        assert gated <= told, page
    _, *body = table_in("docs/findings.md", "| scenario (easy) | ceiling")
    assert {f"{row[0]}-easy-v0" for row in body} == {name for name, _ in rows_of("occlusion_gap")}


def test_commands_of_the_readme_and_the_page_of_use_have_these_options() -> None:
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
    shell = "\n".join(
        [
            *blocks("README.md", "bash"),
            *blocks("docs/usage.md", "bash"),
            *blocks("docs/findings.md", "bash"),
        ]
    ).replace("\\\n", " ")
    lines = [line for line in shell.splitlines() if line.startswith("drivemem ")]
    assert len(lines) >= 8
    for line in lines:
        command = line.split()[1]
        assert command in COMMANDS
        for option in re.findall(r"--([a-z-]+)", line.split("#")[0]):
            assert option.replace("-", "_") in known[command], line


def test_the_example_of_the_page_of_use_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fewer decisions and episodes; settings are those of the scenario's preset."""
    from drivemem.runs import Run

    monkeypatch.chdir(tmp_path)
    (text,) = blocks("docs/usage.md", "python")
    short = text.replace("steps=100_000", "steps=1").replace("episodes=100", "episodes=2")
    assert "steps=1)" in short and "episodes=2," in short
    known: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(short, "usage.md", "exec"), known)
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
