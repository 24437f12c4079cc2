"""Agents of a study that learn from another agent of it, which comes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivemem.distillation.check import read_check
from drivemem.errors import DrivememError
from drivemem.runs import Run
from drivemem.studies import load_study, make_plan
from drivemem.studies.costs import costs
from drivemem.studies.local import run_local
from drivemem.studies.plan import Part
from drivemem.studies.spec import study_from

from .conftest import TINY

TAUGHT = TINY.replace("[agents.none]", """[agents.taught]
memory = "gru"
teacher = "full"
finetune_steps = 256
check_episodes = 2
[agents.full]
memory = "none"
full_sensors = true
[agents.by-oracle]
memory = "none"
teacher = "oracle"
[agents.none]""")  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "taught.toml"
    path.write_text(TAUGHT)
    return path


def plain(**agents: dict[str, object]) -> dict[str, object]:
    return {"name": "s", "seeds": 1, "scenarios": {"exit-recall": {}}, "agents": agents}


def test_teachers_come_first_and_students_are_taught(file: Path, tmp_path: Path) -> None:
    plan = make_plan(load_study(file), tmp_path / "out", Part(agents=["taught"]))
    assert [cell.agent for cell in plan.cells] == ["full", "taught"]
    summary = run_local(plan, jobs=2, quiet=True)
    assert not summary.failed and len(summary.done) == 2
    run = Run(tmp_path / "out" / "exit-recall-taught-s0")
    assert run.manifest()["teacher"]["label"] == "none (full sensors)"
    found = read_check(run)
    assert found is not None and found.episodes == 2
    (tmp_path / "out").rename(tmp_path / "moved")  # and nothing is done again
    again = make_plan(load_study(file), tmp_path / "moved", Part(agents=["taught"]))
    assert len(run_local(again, jobs=1, quiet=True).done) == 2


def test_every_agent_is_planned_after_its_teacher(file: Path, tmp_path: Path) -> None:
    plan = make_plan(load_study(file), tmp_path / "out")
    names = [cell.agent for cell in plan.cells]
    assert names == ["full", "taught", "by-oracle", "none", "gru"]
    taught, oracles = plan.cells[1], plan.cells[2]
    assert taught.teacher == plan.cells[0].name
    assert oracles.teacher == "oracle"


def test_what_a_taught_agent_costs_is_known_before_its_teacher_is_trained(
    file: Path, tmp_path: Path
) -> None:
    plan = make_plan(load_study(file), tmp_path / "out", Part(agents=["by-oracle"]))
    plan.folder.mkdir()
    (cost,) = costs(plan)
    assert cost.rate is not None and cost.rate > 0


def test_agents_that_teach_each_other_are_refused() -> None:
    with pytest.raises(DrivememError, match="teach each other in a circle"):
        study_from(plain(a={"teacher": "b"}, b={"teacher": "a"}))


def test_an_unknown_teacher_is_refused_with_the_nearest() -> None:
    with pytest.raises(DrivememError, match="did you mean 'oracle'"):
        study_from(plain(a={"teacher": "orcale"}))


def test_a_teacher_that_is_not_trained_where_it_shall_teach_is_refused() -> None:
    study = plain(a={"teacher": "b"}, b={"scenarios": ["hidden-crossing"]})
    study["scenarios"] = {"exit-recall": {}, "hidden-crossing": {}}
    with pytest.raises(DrivememError, match="'b' is not trained on exit-recall"):
        study_from(study)


def test_settings_of_teaching_need_a_teacher() -> None:
    with pytest.raises(DrivememError, match="beta"):
        study_from(plain(a={"beta": 0.5}))
