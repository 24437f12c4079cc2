"""`drivemem submit` and `compare`: a foreign agent stands beside a run of ours, or is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import drivemem
from drivemem import DrivememError
from drivemem.cli import run_command
from drivemem.comparison import Comparison
from drivemem.episodes import read_table, write_table
from drivemem.runs import Run, write_json_file
from drivemem.schemas import EPISODE_COLUMNS
from drivemem_agents.checksums import SEAL, sealed

DRIVERS = '''
"""An agent of somebody else's, in one file: it always takes the action that it was trained to."""
import numpy as np


class Always:
    def __init__(self, action):
        self.action = action

    def predict(self, observation, state=None, episode_start=None, deterministic=True,
                action_masks=None):
        return np.full(len(observation["cue"]), self.action), state


class Peeping(Always):
    def meet(self, env):
        self.env = env


class Recalling(Always):
    tracker = "perfect_recall"


def trained(scenario, action_space, seed):
    return Always(int(seed) % action_space.n)


def peeping(scenario, action_space):
    return Peeping(0)


def recalling(scenario, action_space):
    return Recalling(0)
'''
EPISODES = 12
GIVEN: dict[str, Any] = {
    "agent": "Always", "by": "A. Driver", "driver": "foreign_drivers:trained:{seed}",
    "scenario": "exit-recall", "seeds": (0, 1, 2), "steps": 512, "episodes": EPISODES,
    "num_workers": 1,
}  # fmt: skip
Submit = Callable[..., Path]


@pytest.fixture
def submit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Submit:
    """Submits in a folder that holds the foreign drivers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foreign_drivers.py").write_text(DRIVERS)

    def made(**changes: Any) -> Path:
        return drivemem.submit(quiet=True, **{**GIVEN, **changes}).folder

    return made


@pytest.fixture
def ours(run: Run, tmp_path: Path) -> Path:
    """A tiny run of ours, evaluated on as many episodes."""
    shutil.copytree(run.folder, tmp_path / "runs" / run.name)
    drivemem.evaluate(
        tmp_path / "runs" / run.name, episodes=EPISODES, num_workers=1, quiet=True
    )  # fmt: skip
    return tmp_path / "runs"


def labels(comparison: Comparison) -> dict[str, str]:
    return {row.label: row.kind for table in comparison.tables for row in table.rows}


def why_left_out(folder: Path, ours: Path) -> str:
    """Why a submission is left out of the comparison with a run, which goes on without it."""
    comparison = drivemem.compare([ours, folder])
    assert set(labels(comparison).values()) == {"agent"}
    ((what, why),) = comparison.collection.excluded
    assert what == folder.as_posix() and "\n" not in why
    with pytest.raises(DrivememError, match=r"no evaluations below .* left out: ") as alone:
        drivemem.compare([folder])
    assert why in str(alone.value)
    return why


def reseal(folder: Path, **changes: Any) -> None:
    """Change a submission's manifest as somebody who knows the format would."""
    described = json.loads((folder / "submission.json").read_text())
    described = {**described, **changes}
    del described[SEAL]
    write_json_file(folder / "submission.json", sealed(described, folder, ["episodes.parquet"]))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the episodes of a submission likewise."""
    rows = read_table(folder / "episodes.parquet", EPISODE_COLUMNS)
    for row in rows:
        change(row)
    write_table(folder / "episodes.parquet", EPISODE_COLUMNS, rows)
    reseal(folder)


def test_a_foreign_agent_stands_beside_a_run_of_ours(submit: Submit, ours: Path) -> None:
    folder = submit()
    assert folder == Path("submissions/Always-exit-recall-easy-v0")
    assert sorted(path.name for path in folder.iterdir()) == ["episodes.parquet", "submission.json"]
    comparison = drivemem.compare([ours, "submissions"])
    assert labels(comparison) == {
        "gru": "agent",
        "Always (submitted)": "submitted",
    }
    (table,) = comparison.tables
    row = next(row for row in table.rows if row.kind == "submitted")
    assert row.runs == 3 and row.is_trained
    # Each episode names one of three exits, and each run always takes another one.
    assert row.success.estimate <= 1 / 3 and row.success.low < row.success.high
    constant = [
        drivemem.evaluate(
            driver=f"constant:{action}", scenario="exit-recall", episodes=EPISODES, num_workers=1,
            quiet=True,
        )[0].rate("success")
        for action in range(3)
    ]  # fmt: skip
    assert [float(one.mean()) for one in row.scores] == constant
    told = "\n".join(note.text for note in table.notes)
    assert "Always is submitted by A. Driver: 512 decisions, seeds 0, 1, 2; besides the" in told
    assert "Fewer than 5 training runs" in told


def test_the_same_agent_gives_the_same_bytes(submit: Submit) -> None:
    first, second = submit(out="a", num_envs=5), submit(out="b", num_envs=12)
    for name in ("submission.json", "episodes.parquet"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_submission_can_be_what_others_are_compared_with(submit: Submit, ours: Path) -> None:
    folder = submit()
    (table,) = drivemem.compare([ours, folder], baseline="Always (submitted)").tables
    (gru,) = [row for row in table.rows if row.kind == "agent"]
    assert gru.versus is not None and gru.versus.runs == 1


@pytest.mark.parametrize("name", ["none", "idm"])
def test_a_name_makes_no_memory_or_driver_of_ours(submit: Submit, name: str) -> None:
    folder = submit(agent=name)
    (table,) = drivemem.compare([folder]).tables
    assert table.base is None
    with pytest.raises(DrivememError, match="is none of what was evaluated"):
        drivemem.compare([folder], baseline="driver=idm")


def test_what_it_was_trained_on_and_saw_is_told(submit: Submit) -> None:
    folder = submit(trained_on="exit-recall-medium", saw="the true state in its critic")
    (table,) = drivemem.compare([folder]).tables
    assert table.rows[0].label == "Always (submitted) (trained on exit-recall-medium)"
    assert any("it was given the true state in its critic." in note.text for note in table.notes)


def test_runs_of_ours_are_packed(ours: Path, run: Run, tmp_path: Path) -> None:
    made = drivemem.submit([ours / run.name], agent="gru", by="us", out=tmp_path / "packed")
    assert (made.manifest.steps, made.manifest.seeds, made.manifest.interface) == (512, (0,), "run")
    comparison = drivemem.compare([ours, made.folder])
    scores = {row.label: row.success.estimate for row in comparison.tables[0].rows}
    assert set(scores) == {"gru", "gru (submitted)"} and len(set(scores.values())) == 1


def test_runs_that_are_not_of_one_agent_are_refused(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    def refused(*runs: Path, **settings: Any) -> str:
        with pytest.raises(DrivememError) as error:
            drivemem.submit(runs, agent="a", by="b", out=tmp_path / "s", **settings)
        assert not (tmp_path / "s").exists()
        return str(error.value)

    first = write("a", "SSSC", memory="gru", seed=0)
    assert "differs from" in refused(first, write("b", "SSSC", memory="lstm", seed=1))
    assert "in gamma" in refused(first, write("c", "SSSC", memory="gru", settings={"gamma": 0.9}))
    assert "another suite" in refused(first, write("d", "SSSCC", memory="gru", seed=1))
    assert "seeds are [0, 0]" in refused(first, first)
    assert "full sensors" in refused(write("e", "SSSC", full=True))
    assert "changed sensors" in refused(
        write("f", "SSSC", settings={"sensors": {"range_m": 20.0}}, sensors={"range_m": 20.0})
    )
    assert "submit it with --driver" in refused(write("g", "SSSC", memory="idm", seed=None))
    assert "perfect_recall" in refused(
        write("h", "SSSC", settings={"tracker": "perfect_recall"}, tracker="perfect_recall")
    )
    assert "steps: of runs this is known" in refused(first, steps=5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"by": None}, "needs by"),
        ({"driver": None}, "needs driver (or give evaluated runs)"),
        ({"seeds": ()}, "needs seeds"),
        ({"steps": None}, "needs steps"),
        ({"steps": -1}, "steps"),
        ({"seeds": (1, 1)}, "give each training run's once"),
        ({"driver": "foreign_drivers:peeping"}, "write {seed} where"),
        ({"agent": "../up"}, "is no name"),
        ({"by": "a\nb"}, "no text of one line"),
        ({"scenario": "exit-recal"}, "did you mean"),
        ({"scenario": "exit-recall-twin"}, "sees all of"),
        ({"trained_on": "nowhere"}, "nowhere"),
        ({"driver": "foreign_drivers:peeping", "seeds": (0,)}, "has meet()"),
        ({"driver": "foreign_drivers:recalling", "seeds": (0,)}, "shows the truth"),
        ({"driver": "oracle", "seeds": (0,)}, "sees all of"),
        ({"driver": "foreign_drivers:trained:x{seed}"}, "('x0')|'x0'"),
        ({"out": "."}, "nothing there is replaced"),
    ],
)
def test_what_cannot_be_submitted_is_said(
    submit: Submit, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DrivememError) as error:
        submit(**changes)
    assert any(part in str(error.value) for part in said.split("|")), str(error.value)
    assert not Path("submissions").exists()


def test_another_suite_is_refused(submit: Submit, ours: Path) -> None:
    folder = submit(episodes=EPISODES - 1)
    why = why_left_out_of_runs(folder, ours)
    assert re.search(r"is \w{8} \(11 episodes\), that of the runs beside it \w{8} \(12", why)


def why_left_out_of_runs(folder: Path, ours: Path) -> str:
    ((_, why),) = drivemem.compare([ours, folder]).collection.excluded
    assert list(labels(drivemem.compare([folder]))) == ["Always (submitted)"]
    return why


def test_a_flipped_byte_is_refused(submit: Submit, ours: Path) -> None:
    folder = submit()
    for name in ("episodes.parquet", "submission.json"):
        file, whole = folder / name, (folder / name).read_bytes()
        for data in (whole.replace(b"exit-recall", b"exit-recalL", 1), whole[:-9], b""):
            file.write_bytes(data)
            assert name in why_left_out(folder, ours)
        file.write_bytes(whole)
    (folder / "episodes.parquet").unlink()
    assert "episodes.parquet is missing" in why_left_out(folder, ours)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 1}, "is of version 1, and this drivemem reads 2"),
        ({"version": 3}, "is of version 3"),
        ({"format": "something"}, "is no submission"),
        ({"agent": "../../up"}, "is no name"),
        ({"agent": "a/b"}, "is no name"),
        ({"by": "\x1b[2J"}, "no text of one line"),
        ({"by": "<script>"}, "no text of one line"),
        ({"seeds": [0, 1, 2, 2]}, "names a seed twice"),
        ({"seeds": [0, 1]}, "'train_seed' is 2"),
        ({"seeds": [0, 1, 2, 3]}, "episodes of seed 3 are not those of the suite"),
        ({"tracker": "perfect_recall"}, "shows the truth"),
        ({"tracker": "kalman"}, "'tracker' is 'none', not 'kalman'"),
        ({"agent": "Other"}, "'driver' is 'Always', not 'Other'"),
        ({"suite": {}}, "is no suite: it lacks name"),
        ({"more": 1}, "unknown setting 'more'"),
    ],
)
def test_a_manifest_of_another_form_is_refused(
    submit: Submit, ours: Path, changes: dict[str, Any], said: str
) -> None:
    folder = submit()
    reseal(folder, **changes)
    assert said in why_left_out(folder, ours)


def test_a_suite_that_is_not_its_hash_is_refused(submit: Submit, ours: Path) -> None:
    folder = submit()
    suite = json.loads((folder / "submission.json").read_text())["suite"]
    reseal(folder, suite={**suite, "seeds": suite["seeds"][::-1]})
    assert "its hash is not that of its episodes" in why_left_out(folder, ours)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("lesion", "reset_every:1", "'lesion' is 'reset_every:1', not 'intact'"),
        ("outcome", "<b>won</b>", "'outcome' is '<b>won</b>'"),
        ("success", True, "'success' is True, not False"),
        ("run", "../../etc", "'run' is '../../etc', not 'Always-s"),
        ("full_sensors", True, "'full_sensors' is True, not False"),
        ("seed", None, "'seed' is missing"),
        ("episode", 0, "are not those of the suite"),
    ],
)
def test_episodes_that_are_not_the_manifests_are_refused(
    submit: Submit, ours: Path, column: str, value: Any, said: str
) -> None:
    folder = submit()
    rewrite(folder, lambda row: row.update({column: value, **WITH.get(column, {})}))
    assert said in why_left_out(folder, ours)


WITH: dict[str, dict[str, Any]] = {"success": {"outcome": "wrong_route", "collision": False}}
"""What else is written, so that one value alone is wrong."""


def test_missing_columns_and_other_types_are_refused(submit: Submit, ours: Path) -> None:
    folder = submit()
    rows = read_table(folder / "episodes.parquet", EPISODE_COLUMNS)
    fewer = {name: kind for name, kind in EPISODE_COLUMNS.items() if name != "length"}
    write_table(folder / "episodes.parquet", fewer, rows)
    reseal(folder)
    assert "it lacks length" in why_left_out(folder, ours)
    other = {**EPISODE_COLUMNS, "mean_speed": "VARCHAR"}
    write_table(folder / "episodes.parquet", other, [{**row, "mean_speed": "?"} for row in rows])
    reseal(folder)
    assert "'mean_speed' is '?', no float" in why_left_out(folder, ours)


def test_the_command_submits_and_compares(
    submit: Submit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--agent", "Always", "--by", "A. Driver", "--driver", GIVEN["driver"], "--scenario",
        "exit-recall", "--seeds", "0", "1", "--steps", "1e3", "--episodes", "4", "--num-workers",
        "1",
    ]  # fmt: skip
    assert run_command("submit", words) == 0
    shown = capsys.readouterr().out
    assert "Always is submitted by A. Driver: 1,000 decisions, seeds 0, 1;" in shown
    assert "│ Always-s1 │" in shown and "written: submissions/Always-exit-recall-easy-v0" in shown
    assert run_command("compare", ["submissions", "--report", "report"]) == 0
    assert "Always (submitted)" in capsys.readouterr().out
    assert "Always (submitted)" in (tmp_path / "report" / "report.html").read_text()
    assert run_command("submit", ["--agent", "Always"]) == 1
    assert "needs by, driver" in capsys.readouterr().err
