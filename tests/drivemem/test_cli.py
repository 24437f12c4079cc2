"""The command line: quick help, exit codes, and one-line errors with the way out."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

import drivemem
import drivemem_envs
from drivemem.cli import COMMANDS, JSON, WITHOUT_TABLES, main, run_command
from drivemem.config import SensorChanges, TrainConfig
from drivemem.listing import KINDS, tables
from drivemem.runs import Run
from drivemem.tables import Table
from drivemem_envs import registry


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    program = (
        "import sys; from drivemem.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as done: assert done.code == 0\n"
        "heavy = {'torch', 'highway_env', 'numba', 'gymnasium', 'duckdb', 'pandas', 'tyro'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    for name in COMMANDS:
        assert f"  {name} " in shown.stdout


LONG = "x" * 300


@pytest.mark.parametrize(
    "line",
    [
        f"train exit-recall --preset none --steps 64 --out {LONG}",
        f"evaluate --driver constant:IDLE --scenario exit-recall --episodes 2 --out {LONG}",
        f"replay {LONG}", f"study {LONG}.toml", f"gates exit-recall --out {LONG}",
        f"distill oracle --scenario exit-recall --steps 64 --out {LONG}", f"evaluate {LONG}",
        f"probe {LONG}", f"compare {LONG}",
        f"submit --agent {LONG} --by me --driver idm --seeds 0 --steps 0 --scenario exit-recall",
    ],
)  # fmt: skip
def test_a_path_that_is_too_long_is_one_line(
    line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *words = line.split()
    assert run_command(command, words) in (1, 2)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"drivemem {command}: ") and len(said) < 400


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = run_command(command, ["--help"])
    except SystemExit as done:
        code = int(done.code or 0)
    assert code == 0
    assert "usage: drivemem" in capsys.readouterr().out


def test_help_of_training_is_in_groups_and_explains_every_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        run_command("train", ["--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "usage: drivemem train SCENARIO" in shown and "--preset" in shown
    heads = [f"{group} options" for group in ("run", "sensing", "agent", "learning", "sensors")]
    assert sorted(heads, key=shown.index) == heads
    flags = re.findall(r"--([a-z0-9.-]+)", shown)
    for name in TrainConfig.model_fields:
        if name != "sensors":
            assert name.replace("_", "-") in flags
    for name, field in SensorChanges.model_fields.items():
        assert f"sensors.{name.replace('_', '-')}" in flags
        words = (field.description or "").split()
        assert words and " ".join(words[:3]) in shown, name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--completion", shell])
    script = capsys.readouterr().out
    assert done.value.code == 0
    for word in (*COMMANDS, "--memory", "--sensors.range-m", "--baseline", "--lesion"):
        assert word in script, word
    if found := shutil.which(shell):
        checked = subprocess.run([found, "-n"], input=script, text=True, capture_output=True)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("words", [["bahs"], [], ["bash", "zsh"]])
def test_other_shells_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--completion", *words])
    shown = capsys.readouterr()
    assert done.value.code == 2 and shown.out == "" and "bash" in shown.err
    assert shown.err.count("\n") == 1


def test_the_package_runs_as_a_module() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "drivemem", "--version"], capture_output=True, text=True
    )
    assert shown.stdout == f"drivemem {drivemem.__version__}\n"


LINEAR = "other_vehicles_type=highway_env.vehicle.behavior.LinearVehicle"
"""Traffic whose spawning is not compiled."""


def failure(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    try:
        code = run_command(words[0], words[1:])
    except SystemExit as done:
        code = int(done.code or 0)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["trian"], 2, "did you mean 'train'?"),
        (["train", "exit-recal"], 1, "did you mean 'exit-recall'?"),
        (["train"], 2, "name a scenario"),
        (["train", "intersection-multi-agent-v0"], 1, "use intersection-v2"),
        (["train", "exit-recall", "--memory", "grru"], 1, "did you mean 'gru'?"),
        (["train", "exit-recall", "--stps", "10"], 2, "--steps"),
        (["train", "exit-recall", "--gamma", "1.5"], 2, "less than or equal to 1"),
        (["train", "exit-recall", "--batch-size", "100"], 1, "try batch_size=128"),
        (["train", "exit-recall", "--dials", "exits_cout=3"], 1, "did you mean 'exits_count'?"),
        (["train", "exit-recall", "--dials", "exits_count"], 1, "key=value"),
        (["train", "exit-recall", "--dials", "two\nlines"], 1, r"got 'two\nlines'"),
        (
            ["train", "exit-recall", "--memory", "gru", "--memory-kwargs", "hiden_size=3"],
            1,
            "did you mean 'hidden_size'?",
        ),
        (
            ["train", "intersection-v1", "--backend", "compiled", "--dials", LINEAR],
            1,
            "use --backend reference",
        ),
        (["train", "exit-recall", "--preset", "none.toml"], 1, "there is no file 'none.toml'"),
        (["evaluate"], 2, "give runs, or --driver"),
        (["evaluate", "runs/nothing-here"], 1, "is no run (it has no config.json)"),
        (["evaluate", "--driver", "idn", "--scenario", "exit-recall"], 1, "did you mean 'idm'?"),
        (["evaluate", "--driver", "idm"], 1, "--scenario NAME"),
        (["compare", "nowhere"], 1, "does not exist"),
        (["list", "scenaros"], 1, "did you mean 'scenarios'?"),
        (["list", "scenarios", "--tag", "provabel"], 1, "did you mean 'provable'? (one of: "),
        (["list", "memories", "--tag", "provable"], 1, "--tag provable goes with scenarios"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_one_line_with_the_way_out(
    words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    found, errors = failure(words, capsys)
    assert found == code
    assert says in errors
    assert "Traceback" not in errors
    assert not any(tmp_path.iterdir()), "a failed command must leave nothing behind"


def printed(tables: list[Table]) -> str:
    """Tables as a wide terminal shows them."""
    text = io.StringIO()
    Console(file=text, width=400).print(*(table.to_rich() for table in tables))
    return text.getvalue()


@pytest.mark.parametrize("kind", [*KINDS])
def test_what_there_is_is_listed_to_the_letter(kind: str) -> None:
    """Nothing is taken for markup: `y = [x, h]` keeps its brackets."""
    text = printed(tables([kind]))
    rows = list(KINDS[kind].rows())
    assert rows
    for row in rows:
        cells = [f"{cell:,}" if isinstance(cell, int) else cell for cell in row]
        assert all(cell in text for cell in cells), row


@pytest.mark.parametrize("kinds", [(), ("scenarios",)])
def test_a_tag_chooses_among_scenarios(kinds: tuple[str, ...]) -> None:
    (table,) = tables(kinds, tag="provable")
    rows = table.figures()
    assert len(rows) == 27 and {row["tags"] for row in rows} == {"provable"}
    assert all(row["memoryless ceiling"].startswith("1/") for row in rows), "each is proven"
    assert {row["backend"] for row in rows} == {"compiled"}


def test_equations_keep_their_brackets() -> None:
    assert any("[" in str(cell) for row in KINDS["memories"].rows() for cell in row)


def test_a_scenario_that_does_not_compile_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._ENTRY_POINTS, "linear-crossing-v0", f"{__name__}:linear")
    (table,) = tables(tag="test-linear")
    (row,) = table.figures()
    assert row["scenario"] == "linear-crossing-v0"
    assert row["backend"].startswith("reference: ") and "LinearVehicle" in row["backend"]
    assert "backend='reference'" not in row["backend"]


def linear() -> drivemem_envs.Scenario:
    """A scenario whose traffic is not compiled."""
    key, _, value = LINEAR.partition("=")
    changed = drivemem_envs.scenario("intersection-v1").with_(config={key: value})
    return changed.model_copy(update={"name": "linear-crossing-v0", "tags": ("test-linear",)})


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "scenarios"])
def test_with_json_the_figures_and_nothing_else_are_printed(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("list", [kind, JSON]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert [tuple(row.values()) for row in table["rows"]] == list(KINDS[kind].rows())
    assert tuple(table["rows"][0]) == KINDS[kind].columns


def test_json_is_refused_where_there_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    for name in WITHOUT_TABLES:
        assert run_command(name, [JSON]) == 2
        shown = capsys.readouterr()
        assert shown.out == "" and f"{name} prints none" in shown.err
    assert run_command("list", ["scenaros", JSON]) == 1
    assert capsys.readouterr().out == "", "a failed command prints no figures"


def test_an_unwritable_folder_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    words = ["train", "exit-recall", "--steps", "64", "--num-envs", "2", "--n-steps", "32",
             "--batch-size", "64", "--num-workers", "1", "--out", str(blocked / "run")]  # fmt: skip
    code, errors = failure(words, capsys)
    assert code == 1
    assert "cannot write" in errors and "--out" in errors


@pytest.mark.parametrize("damage", ["truncated", "another"])
def test_a_broken_model_is_one_line(
    run: Run, damage: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    file = copy / "model" / "model.safetensors"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:200])
    else:
        text = (copy / "model" / "agent.json").read_text()
        (copy / "model" / "agent.json").write_text(text.replace('"gru"', '"lstm"'))
    code, errors = failure(["evaluate", str(copy), "--episodes", "2"], capsys)
    assert code == 1
    assert len(errors.strip().splitlines()) == 1
    assert "model.safetensors" in errors


def test_the_walk_a_user_takes(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    copy = tmp_path / "runs" / "mine"
    shutil.copytree(run.folder, copy)
    common = ["--episodes", "6", "--num-envs", "3", "--num-workers", "1"]
    assert run_command("evaluate", [str(copy), *common, "--record", "2"]) == 0
    assert run_command("evaluate", [str(copy), *common, "--lesion", "reset_every:1,inf"]) == 0
    driver = ["--driver", "idm", "--scenario", "exit-recall", "--out", str(tmp_path / "runs/idm")]
    assert run_command("evaluate", [*driver, *common]) == 0
    shown = capsys.readouterr().out
    assert "\n2 evaluations, 12 episodes\n" in shown
    assert shown.endswith("\n1 evaluation, 6 episodes\n")
    assert run_command("evaluate", [str(copy), *common, "--lesion", "reset_every:1,inf"]) == 0
    assert capsys.readouterr().out.endswith("12 episodes; 2 of 2 driven before\n")
    report = tmp_path / "report"
    assert run_command("compare", [str(tmp_path / "runs"), "--report", str(report)]) == 0
    shown = capsys.readouterr().out
    for word in ("gru / reset_every:1", "idm", "success", "report.html"):
        assert word in shown
    assert shown.endswith("4 rows on 1 suite\n")
    assert "significant" not in shown
    assert (report / "report.html").stat().st_size > 10_000
    assert run_command("replay", [str(copy), "--verify"]) == 0
