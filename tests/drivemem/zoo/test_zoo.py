"""Agents that come with the package: each drives as it is said to, in a copy that is the user's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scipy.stats import binomtest

import drivemem
from drivemem import zoo
from drivemem.catalogue.adding import LEAST_EPISODES, LIMIT
from drivemem.catalogue.entries import catalogue, entry
from drivemem.cli import run_command
from drivemem.comparison.formats import interval_text
from drivemem.config import TrainConfig
from drivemem.distillation.teachers import teacher_run, where_it_teaches
from drivemem.errors import DrivememError
from drivemem.lesions import INTACT
from drivemem.runs import open_run, run_folder

FAST = "exit-recall/gru"
NAMES = list(zoo.agents())
EPISODES = 50
LEAST_P = 0.01


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies lie where a user works."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name", [one if one == FAST else pytest.param(one, marks=pytest.mark.slow) for one in NAMES]
)
def test_it_drives_as_well_as_is_stated_on_episodes_that_nobody_has_driven(name: str) -> None:
    (done,) = drivemem.evaluate(zoo.PREFIX + name, suite="eval", episodes=EPISODES, quiet=True)
    success, stated = done.outcomes["success"], entry(name).stated[INTACT].success
    nearest = min(max(success / EPISODES, stated.low), stated.high)
    assert binomtest(success, EPISODES, nearest).pvalue >= LEAST_P, (success, stated)
    assert done.folder.parents[1] == Path("runs/zoo") / name.replace("/", "-")


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_in_the_scenario_of_today(name: str) -> None:
    found = entry(name)
    assert found.is_of_today
    assert found.stated[INTACT].episodes >= LEAST_EPISODES
    assert found.run.has_agent()
    policy = drivemem.load(found.run.folder, device="cpu").policy
    assert sum(weight.numel() for weight in policy.parameters()) == found.manifest["parameters"]


def test_files_are_plain_small_and_tell_nothing_of_the_machine() -> None:
    files = [path for path in zoo.ROOT.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".parquet", ".safetensors"}
    assert sum(path.stat().st_size for path in files) <= LIMIT
    for path in (path for path in files if path.name == "manifest.json"):
        facts = json.loads(path.read_text())
        assert facts["command"][0] == "drivemem" and "platform" not in facts
        assert not any(str(word).startswith("/") for word in facts["command"])


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("zoo:exit-recal/gru", "did you mean 'zoo:exit-recall/gru'"),
        ("zoo:exit-recall/grru", "did you mean 'zoo:exit-recall/gru'"),
        ("zoo:", "there is no agent"),
        ("zoo:../agents/exit-recall/gru", "there is no agent"),
    ],
)
def test_names_that_are_none(place: str, says: str) -> None:
    for take in (open_run, run_folder, drivemem.evaluate, drivemem.load, drivemem.replay):
        with pytest.raises(DrivememError, match=says):
            take(place)
    assert not Path("runs").exists()


def test_a_copy_is_made_once_and_is_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    run = open_run(f"zoo:{FAST}")
    assert run.folder == Path("runs/zoo/exit-recall-gru")
    assert "copied to runs/zoo/exit-recall-gru" in capsys.readouterr().err
    mine = run.folder / "mine.txt"
    mine.write_text("kept")
    assert open_run(f"zoo:{FAST}").folder == run.folder and mine.read_text() == "kept"
    assert capsys.readouterr().err == ""
    assert not (zoo.agents()[FAST] / "mine.txt").exists()


def test_another_version_in_the_place_of_a_copy_is_refused() -> None:
    settings = open_run(f"zoo:{FAST}").config_file
    settings.write_text(settings.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(DrivememError, match="no copy of today's zoo:exit-recall/gru"):
        open_run(f"zoo:{FAST}")


def test_what_the_zoo_keeps_may_be_replaced_and_what_was_driven_may_not() -> None:
    place = "zoo:exit-recall/none"
    (few,) = drivemem.evaluate(place, episodes=4, record=2, quiet=True)
    assert len(few.rows) == 4 and few.stored and few.recording is not None
    with pytest.raises(DrivememError, match="2 finished episodes that these 2 would replace"):
        drivemem.evaluate(place, episodes=2, quiet=True)


def test_kept_results_are_compared_and_replayed_without_driving() -> None:
    compared = drivemem.compare(["zoo:exit-recall/*"])
    (table,) = compared.tables
    shown = {(row.kind, row.success.estimate) for row in table.rows}
    assert ("agent", 1.0) in shown and len(table.rows) == 3
    done = drivemem.replay(f"zoo:{FAST}", against="zoo:exit-recall/none", page="side.html")
    assert done.page == Path("side.html") and done.page.stat().st_size > 10_000


def test_an_agent_teaches_and_is_started_from() -> None:
    found = teacher_run(f"zoo:{FAST}")
    assert found is not None and found.folder == Path("runs/zoo/exit-recall-gru")
    assert where_it_teaches(f"zoo:{FAST}") == {"scenario": "exit-recall"}
    made = drivemem.train(
        TrainConfig(
            scenario="exit-recall", memory_kwargs=("hidden_size=64", "gate_bias=30"), steps=256,
            num_envs=4, n_steps=64, batch_size=64, num_workers=1, start_from=f"zoo:{FAST}",
            aux_coef=1.0,
        ),
        quiet=True,
    )  # fmt: skip
    assert made.folder.name == "exit-recall-gru-aux-from-gru-s0" and made.has_agent()


def test_the_documentation_has_every_agent_with_its_figures() -> None:
    page = (Path(__file__).parents[3] / "docs" / "zoo.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert [row[:3] for row in rows] == [
        [f"`{one.place}`", one.agent, interval_text(one.stated[INTACT].success)]
        for one in catalogue()
    ]


def test_commands_list_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("zoo", ["list", "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert [row["name"] for row in table["rows"]] == [one.place for one in catalogue()]
    assert run_command("zoo", ["show", f"zoo:{FAST}"]) == 0
    shown = capsys.readouterr().out
    assert "drivemem train exit-recall --memory gru" in shown and "(today's)" in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show"], "say `list`, `show NAME`"), (["list", "x"], "say `list`"),
        (["add", "runs/a"], "--as SCENARIO/AGENT"), (["show", "a", "--as", "b"], "--as"),
    ],
)  # fmt: skip
def test_words_that_do_not_go_together(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("zoo", words) == 2
    assert says in capsys.readouterr().err
