"""Presets are found by scenario and level, checked, and start `drivemem train`."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivemem.cli import run_command
from drivemem.errors import DrivememError
from drivemem.runs import Run
from drivemem.training.presets import find_preset, merged, preset_names, read_preset
from drivemem_agents.memory import memory_names
from drivemem_envs import scenario
from drivemem_envs.registry import LEVELS


def test_every_shipped_preset_is_of_a_scenario_and_complete() -> None:
    assert "exit-recall" in preset_names()
    for name in preset_names():
        preset = find_preset(scenario(name).name)
        assert preset is not None and preset.name == name
        for memory in memory_names():
            assert preset.of(memory)["steps"] > 0
        file = Path(__file__).parents[3] / "drivemem" / "training" / "presets" / f"{name}.toml"
        assert "# Provenance: " in file.read_text()


def test_levels_and_memories_have_settings_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(
        "steps = 10\nmemory_kwargs = {hidden_size = 8}\n[memories.gru]\n"
        "memory_kwargs = {gate_bias = 30}\n[levels.hard]\nsteps = 20\n"
        "[levels.hard.memories.gru]\nmemory_kwargs = {gate_bias = 99}\n"
    )
    assert read_preset(file).of("lstm") == {"steps": 10, "memory_kwargs": ("hidden_size=8",)}
    easy, hard = read_preset(file, "easy").of("gru"), read_preset(file, "hard").of("gru")
    assert easy == {"steps": 10, "memory_kwargs": ("hidden_size=8", "gate_bias=30")}
    assert hard == {"steps": 20, "memory_kwargs": ("hidden_size=8", "gate_bias=99")}
    names = ["exit-recall", "drivemem/exit-recall-v0", "exit-recall-easy-v0", "exit-recall-twin-v0"]
    presets = [find_preset(name) for name in names]
    assert all(preset == presets[0] is not None for preset in presets)
    assert find_preset("exit-recall-medium") != presets[0] and find_preset("merge-v1") is None


def test_a_table_may_name_several(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(
        '[memories."gru, lstm"]\ngamma = 0.9\n[memories.gru]\nsteps = 7\n'
        '[levels."medium, hard"]\nsteps = 20\n'
    )
    preset = read_preset(file)
    assert preset.of("gru") == {"gamma": 0.9, "steps": 7}
    assert preset.of("lstm") == {"gamma": 0.9} and preset.of("none") == {}
    assert [read_preset(file, level).of("none").get("steps") for level in LEVELS] == [None, 20, 20]


def test_a_preset_may_start_from_another(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(
        "steps = 10\ngamma = 0.9\n[memories.gru]\nlearning_rate = 0.1\n[levels.hard]\nsteps = 20\n"
    )
    file = tmp_path / "p.toml"
    file.write_text('same_as = "base"\ngamma = 0.8\n')
    assert read_preset(file).of("none") == {"steps": 10, "gamma": 0.8}
    assert read_preset(file, "hard").of("gru") == {"steps": 20, "gamma": 0.8, "learning_rate": 0.1}


@pytest.mark.parametrize("other", ['"p"', '"q"', '"nothing"', '["base"]', "3"])
def test_a_preset_cannot_start_from_itself_or_from_nothing(tmp_path: Path, other: str) -> None:
    (tmp_path / "p.toml").write_text(f"same_as = {other}\n")
    (tmp_path / "q.toml").write_text('same_as = "p"\n')
    (tmp_path / "base.toml").write_text("steps = 10\n")
    with pytest.raises(DrivememError, match="it can be one of: base"):
        read_preset(tmp_path / "p.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step = 10", "unknown setting 'step'; did you mean 'steps'?"),
        ("[memories.grv]\nsteps = 1", "memory 'grv' is unknown; did you mean 'gru'?"),
        ('[memories."gru, lstn"]\nsteps = 1', "memory 'lstn' is unknown; did you mean 'lstm'?"),
        ("[levels.eazy]\nsteps = 1", "level 'eazy' is unknown; did you mean 'easy'?"),
        ("[memories]\ngru = 1", "is no table of tables"),
        ("steps = 0", "setting 'steps' is 0"),
    ],
)
def test_mistakes_in_presets_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "p.toml"
    file.write_text(text)
    with pytest.raises(DrivememError) as caught:
        read_preset(file)
    assert message in str(caught.value)


def test_sensors_and_words_are_merged_by_key() -> None:
    first = {"sensors": {"range_m": 50, "dropout_rate": 1}, "dials": ("a=1", "b=2"), "steps": 1}
    second = {"sensors": {"range_m": 80}, "dials": ["b=3"], "steps": 2}
    assert merged(first, second) == {
        "sensors": {"range_m": 80, "dropout_rate": 1}, "dials": ("a=1", "b=3"), "steps": 2,
    }  # fmt: skip


def test_settings_of_one_encoder_are_not_given_to_another() -> None:
    preset = {"encoder_kwargs": ("widths=[128]",), "steps": 1}
    same = merged(preset, {"encoder": "vector", "encoder_kwargs": ("normalise=true",)})
    assert same["encoder_kwargs"] == ("widths=[128]", "normalise=true")
    assert merged(preset, {"encoder": "vehicles"}) == {"steps": 1, "encoder": "vehicles"}
    other = merged(preset, {"encoder": "vehicles", "encoder_kwargs": ("width=32",)})
    assert other["encoder_kwargs"] == ("width=32",)


def test_training_starts_from_the_preset_and_flags_win(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from drivemem.training import train as training

    seen = []

    def stop(config: object, out: str, **_: object) -> Run:
        seen.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", stop)
    words = ["exit-recall", "--steps", "1e3", "--memory-kwargs", "hidden_size=8"]
    run_command("train", words)
    run_command("train", [*words, "--preset", "none"])
    run_command("train", [*words, "--memory", "elman", "--preset"])
    output = capsys.readouterr().out
    assert "preset exit-recall" in output and "steps=1000" in output
    run_command("train", ["blackout-highway", "--encoder", "vehicles", "--preset"])
    run_command("train", ["blackout-highway", "--encoder=vector", "--preset"])
    *seen, vehicles, vector = seen
    assert (vehicles.encoder, vehicles.encoder_kwargs) == ("vehicles", ())
    assert vector.encoder_kwargs == ("widths=[128, 128]",) and vehicles.steps == vector.steps
    preset, plain, elman = seen
    assert (preset.steps, preset.num_envs, preset.aux_coef) == (1000, 32, 1.0)
    assert sorted(preset.memory_kwargs) == ["gate_bias=100", "hidden_size=8"]
    assert (plain.steps, plain.num_envs, plain.memory_kwargs) == (1000, 16, ("hidden_size=8",))
    assert elman.memory_kwargs == ("hidden_size=8",) and elman.num_envs == 32
    assert run_command("train", ["merge-v1", "--preset"]) == 1
    assert "'merge-v1' has no preset" in capsys.readouterr().err
