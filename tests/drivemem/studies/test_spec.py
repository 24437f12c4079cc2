"""What a study file may say, and what it comes to."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from drivemem.errors import DrivememError
from drivemem.studies import load_study, make_plan
from drivemem.studies.local import missing_cells
from drivemem.studies.plan import PLAN, Part, load_cell
from drivemem.studies.spec import study_from

from .conftest import TINY

SHIPPED = sorted((Path(__file__).parents[3] / "experiments").glob("*.toml"))


@pytest.mark.parametrize("file", SHIPPED, ids=[file.stem for file in SHIPPED])
def test_every_agent_of_a_shipped_study_can_be_trained_on_every_scenario(
    file: Path, tmp_path: Path
) -> None:
    study = load_study(file)
    # Also those that the file leaves out, as somebody may want them.
    agents = {
        name: agent.model_copy(update={"scenarios": None}) for name, agent in study.agents.items()
    }
    plan = make_plan(study.model_copy(update={"agents": agents}), tmp_path)
    trained = {(cell.scenario, cell.agent) for cell in plan.cells if not cell.is_driver}
    assert trained == set(itertools.product(study.scenarios, study.agents))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("seeds", "seed", "unknown key 'seed'; did you mean 'seeds'?"),
        ("n_steps", "n_step", "[train]: unknown key 'n_step'; did you mean 'n_steps'?"),
        ("match_parameters", "match_parameter", "did you mean 'match_parameters'?"),
        ("episodes", "episode", "[evaluation]: unknown key 'episode'; did you mean 'episodes'?"),
        ("preset = false", "presets = false", "did you mean 'preset'?"),
        ("reset_every:1", "reset_evry:1", "unknown key 'reset_evry'; did you mean 'reset_every'?"),
        ("steps = 1024", "steps = 0", "steps"),
        ("seeds = [0]", "seeds = [0]\nname = '..'", "'..' is no name: use letters"),
        ("[agents.gru]", "[agents.'../gru']", "'../gru' is no name: use letters"),
        ("[scenarios.exit-recall]", "[scenarios.'../x']", "'../x' is no name: use letters"),
        ("seeds = [0]", "seeds = [0, 0]", "different numbers"),
        ("seeds = [0]", "seeds = 0", "different numbers"),
        ("[scenarios.exit-recall]\npreset = false", "[scenarios]\nexit-recall = 3", "is 3; write"),
        ("[scenarios.exit-recall]\npreset = false", "", "name at least one scenario"),
        ('memory = "gru"', "scenario = 'merge-v1'", "unknown key 'scenario'"),
        ('memory = "gru"', "scenarios = ['exit']", "[agents.gru] scenarios: unknown key 'exit'"),
        ('memory = "gru"', "scenarios = 'exit'", "scenarios is 'exit': input should be a list"),
        (
            "preset = false",
            "seeds = [1, 1]",
            "scenarios.exit-recall.seeds is [1, 1]: give different",
        ),
    ],
)
def test_mistakes_are_named(tiny: Path, before: str, after: str, message: str) -> None:
    text = TINY.replace(before, after)
    assert text != TINY
    tiny.write_text(text)
    with pytest.raises(DrivememError) as caught:
        load_study(tiny)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["../../escaped", "..", ".hidden"])
def test_a_cell_whose_name_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / PLAN).write_text(json.dumps({"cells": {name: {}}}))
    with pytest.raises(DrivememError, match="is a path, where a name is due"):
        load_cell(tmp_path, name)


@pytest.mark.parametrize("key", ["train", "evaluation", "resources", "overrides"])
def test_what_must_be_a_table_is_said(key: str) -> None:
    plain = {"seeds": 1, "scenarios": {"exit-recall": {}}, "agents": {"none": {}}, key: 3}
    with pytest.raises(DrivememError, match=rf"{key} is 3; write a table \[+{key}"):
        study_from(plain)


@pytest.mark.parametrize("baseline", ["memory=none", "gru", "idm"])
def test_a_baseline_is_a_memory_or_of_the_study(baseline: str) -> None:
    plain = {
        "name": "a", "seeds": 1, "scenarios": {"exit-recall": {}}, "agents": {"gru": {}},
        "evaluation": {"drivers": ["idm"]},
    }  # fmt: skip
    assert study_from({**plain, "baseline": baseline}).baseline == baseline
    with pytest.raises(DrivememError, match="unknown key 'grru'; did you mean 'gru'"):
        study_from({**plain, "baseline": "grru"})


def test_names_are_looked_up_before_anything_runs(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(TINY.replace("[scenarios.exit-recall]", "[scenarios.exit-recal]"))
    with pytest.raises(DrivememError, match="exit-recall"):
        make_plan(load_study(tiny), tmp_path / "out")
    tiny.write_text(TINY)
    with pytest.raises(DrivememError, match=r"no agent 'grv' \(has: none, gru"):
        make_plan(load_study(tiny), tmp_path / "out", Part(agents=["grv"]))
    with pytest.raises(DrivememError, match=r"missing\.toml does not exist; there are .*tiny"):
        load_study(tiny.parent / "missing.toml")


def test_later_layers_win(tiny: Path, tmp_path: Path) -> None:
    text = TINY.replace("preset = false", "preset = 'mine.toml'\ngamma = 0.9\nn_epochs = 2")
    text = text.replace('memory = "gru"', 'memory = "gru"\nn_epochs = 3')
    text += "[[overrides]]\nagents = ['none']\nn_epochs = 5\ndials = {exits_count = 5}\n"
    text = text.replace("preset = 'mine.toml'", f"preset = '{tmp_path / 'mine.toml'}'")
    (tmp_path / "mine.toml").write_text(
        "gamma = 0.5\nsteps = 7\nclip_range = 0.3\nmemory_kwargs = {gate_bias = 9}\n"
        "[memories.gru]\nmemory_kwargs = {gate_bias = 30}\n"
    )
    text = text.replace("match_parameters = 3000", "memory_kwargs = {hidden_size = 24}")
    text = text.replace('memory = "none"', 'memory = "none"\nmemory_kwargs = {gate_bias = 1}')
    tiny.write_text(text)
    cells = {c.agent: c.train_config() for c in make_plan(load_study(tiny), tmp_path / "o").cells}
    gru, none = cells["gru"], cells["none"]
    assert (gru.steps, gru.gamma, gru.n_epochs, gru.clip_range) == (1024, 0.9, 3, 0.3)
    assert sorted(gru.memory_kwargs) == ["gate_bias=30", "hidden_size=24"]
    assert (none.n_epochs, none.dials) == (5, ("exits_count=5",))
    assert none.memory_kwargs == ("gate_bias=1",)


def test_memories_get_equally_many_weights(tiny: Path, tmp_path: Path) -> None:
    from drivemem.training.train import build_plain

    text = TINY.replace("seeds = [0]", "seeds = [0]\nmatch_parameters = 5000")
    text = text.replace("match_parameters = 3000", "observe_previous_action = true")
    tiny.write_text(text)
    for cell in make_plan(load_study(tiny), tmp_path / "out").cells:
        config = cell.train_config().model_copy(update={"backend": "reference", "num_workers": 1})
        model, env = build_plain(config)
        env.close()
        count = sum(weight.numel() for weight in model.policy.memory.parameters())
        assert abs(count - 5000) <= 500, cell.agent


def test_the_order_of_cells(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(TINY.replace("seeds = [0]", "seeds = 2"))
    names = [cell.name for cell in make_plan(load_study(tiny), tmp_path / "out").cells]
    assert names == [
        "exit-recall-none-s0", "exit-recall-gru-s0", "exit-recall-none-s1", "exit-recall-gru-s1",
    ]  # fmt: skip
    tiny.write_text(TINY.replace("seeds = [0]", "seeds = 2\norder = ['agent', 'seed', 'scenario']"))
    names = [cell.name for cell in make_plan(load_study(tiny), tmp_path / "out").cells]
    assert names[:2] == ["exit-recall-none-s0", "exit-recall-none-s1"]
    part = Part(agents=["gru"], seeds=[1])
    assert [c.name for c in make_plan(load_study(tiny), tmp_path / "out", part).cells] == names[3:]


def test_scenarios_have_seeds_and_agents_scenarios_of_their_own(tiny: Path, tmp_path: Path) -> None:
    text = TINY.replace("preset = false", "preset = false\n[scenarios.exit-recall-hard]\nseeds = 3")
    tiny.write_text(text.replace('memory = "gru"', 'memory = "gru"\nscenarios = ["exit-recall"]'))
    study = load_study(tiny)
    assert [cell.name for cell in make_plan(study, tmp_path / "out").cells] == [
        "exit-recall-none-s0", "exit-recall-gru-s0", "exit-recall-hard-none-s0",
        "exit-recall-hard-none-s1", "exit-recall-hard-none-s2",
    ]  # fmt: skip
    part = Part(seeds=[2])
    assert [c.seed for c in make_plan(study, tmp_path / "out", part).cells] == [2]
    part = Part(agents=["gru"], scenarios=["exit-recall-hard"])
    with pytest.raises(DrivememError, match="no run of agents gru; scenarios exit-recall-hard"):
        make_plan(study, tmp_path / "out", part)


def test_drivers_meet_every_scenario_once(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(TINY.replace("seeds = [0]", "seeds = 3") + 'drivers = ["idm", "constant:*"]')
    cells = [c for c in make_plan(load_study(tiny), tmp_path / "out").cells if c.is_driver]
    assert [cell.config["driver"] for cell in cells] == [
        "idm", "constant:LANE_LEFT", "constant:IDLE", "constant:LANE_RIGHT",
    ]  # fmt: skip


def test_a_study_keeps_its_settings_when_a_preset_changes(tiny: Path, tmp_path: Path) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text("gamma = 0.5\n")
    text = TINY.replace("preset = false", f"preset = '{preset}'")
    tiny.write_text(text)
    first = make_plan(load_study(tiny), tmp_path / "out")
    first.save()
    preset.write_text("gamma = 0.6\n")
    again = make_plan(load_study(tiny), tmp_path / "out")
    assert [cell.config["gamma"] for cell in again.cells] == [0.5, 0.5]
    assert "gamma" in again.notes[0] and again.hash() == first.hash()
    tiny.write_text(text.replace("steps = 1024", "steps = 2048", 1))  # now the file asks for more
    changed = make_plan(load_study(tiny), tmp_path / "out")
    assert [cell.config["gamma"] for cell in changed.cells] == [0.6, 0.6]
    assert changed.hash() != first.hash()


def test_settings_that_came_since_change_nothing(tiny: Path, tmp_path: Path) -> None:
    """A study begun by a version that had fewer settings goes on without a note."""
    study = load_study(tiny)
    first = make_plan(study, tmp_path / "out")
    plain = json.loads(first.save().read_text())
    for resolved in plain["resolved"].values():
        del resolved["settings"]["privileged_view"]
    (tmp_path / "out" / PLAN).write_text(json.dumps(plain))
    again = make_plan(study, tmp_path / "out")
    assert not again.notes and again.hash() == first.hash()


def test_other_runs_in_the_folder_are_refused(
    ran: tuple[Path, Path, str, int], tmp_path: Path
) -> None:
    _, out, _, _ = ran
    file = tmp_path / "tiny.toml"
    file.write_text(TINY.replace("num_envs = 4", "num_envs = 4\ngamma = 0.5"))
    with pytest.raises(DrivememError, match=r"holds a run with other settings \(gamma"):
        missing_cells(make_plan(load_study(file), out))
    file.write_text("name = 'other'\n" + TINY)
    with pytest.raises(DrivememError, match="holds the study 'tiny'"):
        make_plan(load_study(file), out)
