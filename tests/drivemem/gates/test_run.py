"""Gates of a scenario from the command line: runs as a study, resumed, refused in one line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import drivemem_envs
from drivemem.cli import run_command
from drivemem.errors import DrivememError
from drivemem.gates.arms import AGENTS, Budget, find_oracle, gates_study
from drivemem.gates.measure import arms_in, measured
from drivemem.gates.run import run_gates
from drivemem.gates.verdicts import Verdict
from drivemem.studies.plan import make_plan
from drivemem_envs.sensing import TRACKERS

TINY = ["--seeds", "1", "--episodes", "6", "--jobs", "1", "--preset", "none", "--steps", "512"]
TINY += ["--set", "num_envs=4", "n_steps=32", "batch_size=64"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gates of exit-recall with a budget with which nothing can be learned."""
    folder = tmp_path_factory.mktemp("gates") / "out"
    assert run_command("gates", ["exit-recall", *TINY, "--out", str(folder)]) == 1
    return folder


def told(folder: Path) -> dict[str, dict[str, str]]:
    found = json.loads((folder / "gates.json").read_text())
    return {gate["gate"]: gate for gate in found["gates"]}


def test_a_gate_that_is_not_passed_stops_the_dear_ones(ran: Path) -> None:
    gates = told(ran)
    verdicts = [gate["verdict"] for gate in gates.values()]
    assert verdicts == ["pass", "fail", "not run", "not run"]
    assert gates["oracle"]["found"] == "oracle: success 1.000 [0.610, 1.000]"
    assert "0 of 1 runs within 0.03 of 1.000, that of oracle" in gates["learnable"]["found"]
    assert "--all tries this one" in gates["headroom"]["found"]
    found = json.loads((ran / "gates.json").read_text())
    assert found["passed"] is False and found["settings"]["steps"] == 512
    assert {arm["arm"] for arm in found["arms"]} == {"oracle", "full"}
    assert found["command"] == (
        "drivemem gates exit-recall-easy-v0 --seeds 1 --episodes 6 --preset none --set "
        "num_envs=4 n_steps=32 batch_size=64 steps=512"
    )
    page = (ran / "gates.md").read_text()
    assert f"(`{found['command']}`)" in page
    assert "| learnable |" in page and "| full (full sensors) | 1 |" in page
    runs = {path.parent.name for path in ran.glob("*/config.json")}
    assert runs == {"exit-recall-easy-v0-oracle", "exit-recall-easy-v0-full-s0"}


def test_the_same_command_takes_what_is_there(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(path for path in ran.glob("*-v0-*/**/*") if path.is_file())
    before = [path.stat().st_mtime_ns for path in files]
    assert run_command("gates", ["exit-recall", *TINY, "--out", str(ran)]) == 1
    assert [path.stat().st_mtime_ns for path in files] == before
    shown = " ".join(capsys.readouterr().out.split())
    assert re.search(r"exit-recall\S* may not judge memories: \d of \d gates are passed$", shown)
    assert "started" not in shown and "learnable: fail: 0 of 1 runs" in shown


@pytest.mark.slow
def test_all_tries_also_what_comes_after_a_gate_that_was_not_passed(
    ran: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(ran, folder)
    assert run_command("gates", ["exit-recall", "--all", *TINY, "--out", str(folder)]) == 1
    gates = told(folder)
    arms = {arm["arm"] for arm in json.loads((folder / "gates.json").read_text())["arms"]}
    assert {"none", "perfect_recall", "frame_stack", "hold_last", "kalman"} < arms
    assert (
        gates["headroom"]["verdict"] == "fail"
        and "perfect recall adds" in gates["headroom"]["asks"]
    )
    assert "--all" in json.loads((folder / "gates.json").read_text())["command"].split()


def test_other_settings_are_refused_where_runs_are(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["exit-recall", *TINY, "gamma=0.9", "--out", str(ran)]
    assert run_command("gates", words) == 1
    said = capsys.readouterr().err
    assert "holds a run with other settings (gamma)" in said and len(said.splitlines()) == 1


def test_who_is_on_time_is_judged_by_the_speed_that_is_stated_now(ran: Path) -> None:
    scenario = drivemem_envs.scenario("exit-recall")
    settings = {"steps": 512, "num_envs": 4, "n_steps": 32, "batch_size": 64}
    study = gates_study(scenario, Budget(1, 6, settings, "none"), "oracle")
    plan = make_plan(study, ran)
    for least, score in ((None, 1.0), (19.0, 1.0), (21.0, 0.0)):
        now = scenario.model_copy(update={"on_time_mps": least})
        table = measured(plan, now)
        assert arms_in(table, "oracle")["oracle"].scores == (score,)
        assert table.judged == ("success" if least is None else "on_time")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "name a scenario"),
        (["exit-recal"], 1, "did you mean 'exit-recall'?"),
        (["exit-recall", "--set", "stps=3"], 1, "unknown key 'stps'; did you mean 'steps'?"),
        (["exit-recall", "--set", "memory=gru"], 1, "memory is what the gates vary"),
        (["exit-recall", "--set", "tracker=kalman"], 1, "tracker is what the gates vary"),
        (["exit-recall", "--set", 'memory_kwargs={"frames":8}'], 1, "[memories.NAME]"),
        (["exit-recall", "--set", "steps"], 1, "key=value"),
        (["exit-recall", "--seeds", "0"], 1, "seeds is 0"),
        (["exit-recall", "--episodes", "0"], 1, "episodes"),
        (["exit-recall", "--oracle", "idn"], 1, "did you mean 'idm'?"),
        (["exit-recall", "--preset", "none.toml"], 1, "none.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line(
    words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run_command("gates", words) == code
    said = capsys.readouterr().err.strip()
    assert says in said and len(said.splitlines()) == 1
    assert not any(tmp_path.iterdir())


def test_the_first_driver_that_can_drive_is_the_oracle() -> None:
    scenario = drivemem_envs.scenario("exit-recall").with_(flat=True)
    driver, why = find_oracle(scenario, ["oracle"])
    assert driver is None and "the oracle reads a Dict observation" in why and "\n" not in why
    assert find_oracle(scenario, ["oracle", "constant:IDLE"]) == ("constant:IDLE", "")


def test_a_level_keeps_its_part_of_a_preset_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("steps = 512\n[levels.hard]\nsteps = 1024\n")
    for level, steps in (("easy", 512), ("hard", 1024)):
        scenario = drivemem_envs.scenario(f"exit-recall-{level}")
        study = gates_study(scenario, Budget(1, 6, {}, str(file)), None)
        plan = make_plan(study, tmp_path / level)
        assert {cell.steps for cell in plan.cells} == {steps}
        assert {cell.config["scenario"] for cell in plan.cells} == {scenario.name}


def test_every_tracker_that_a_car_could_have_is_a_shortcut_to_try() -> None:
    real = {name for name, facts in TRACKERS.items() if not facts.only_for_measuring} - {"none"}
    assert set(AGENTS) == {"full", "none", "perfect_recall", "frame_stack", *real}


def test_a_run_that_fails_is_no_verdict(tmp_path: Path) -> None:
    budget = Budget(1, 4, {"start_from": str(tmp_path / "nowhere")}, "none")
    report = run_gates("exit-recall", budget, out=tmp_path / "out", jobs=1, quiet=True)
    oracle, learnable, headroom, _ = (finding for _, finding in report.findings)
    assert (oracle.verdict, learnable.verdict) == (Verdict.PASS, Verdict.NOT_RUN)
    assert "1 of 2 runs failed: exit-recall-easy-v0-full-s0:" in learnable.words
    assert headroom.verdict is Verdict.NOT_RUN and not report.passed
    with pytest.raises(DrivememError, match="unknown scenario"):
        run_gates("no-such-place", budget)
