"""The configuration of a run: settings declared once, and an identity that stays what it was."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

import drivemem_envs
from drivemem.commands.parsing import read_options
from drivemem.commands.train import GROUPED
from drivemem.config import TrainConfig, build_config
from drivemem.errors import DrivememError
from drivemem.training.train import LinearSchedule, build_model
from drivemem.training.vec_env import WorldsVecEnv
from drivemem_agents.ppo_settings import PPOSettings, TrainingSettings
from drivemem_envs.sensing import MISSED_PRESETS, SECTOR_PRESETS

RESULTS = Path(__file__).parents[2] / "experiments" / "scenario_cards" / "results"
HASHES = {
    "blind-merge-easy-frame_stack-s0": "14db53f087821873d11783165a51231f",
    "yield-recall-medium-none_hold_last-s2": "d594b9e2c1eae4c1ea6d12a3da51f35b",
}
"""How the hashes begin of configurations that committed results were trained by."""


def read(*words: str) -> TrainConfig:
    """The configuration that the command line makes of words."""
    start = GROUPED.starting(TrainConfig(scenario=""))
    options = read_options(GROUPED.options, "train SCENARIO", words, start)
    return TrainConfig(**GROUPED.settings(options))


def test_the_table_of_ppo_is_the_one_that_the_command_line_offers():
    for name, field in TrainingSettings.model_fields.items():
        assert TrainConfig.model_fields[name].default == field.default
    config = TrainConfig(
        scenario="exit-recall", memory_kwargs=("hidden_size=8",), n_steps=16, batch_size=16,
        device="cpu",
    )  # fmt: skip
    worlds = drivemem_envs.make_vec(drivemem_envs.scenario("exit-recall"), 1)
    with pytest.warns(UserWarning, match="gradients reach 16 steps back"):
        model = build_model(config, WorldsVecEnv(worlds))
    expected = PPOSettings(n_steps=16, batch_size=16, memory_kwargs={"hidden_size": 8})
    chosen = {"encoder_kwargs": {}, "memory_horizon_steps": model.settings.memory_horizon_steps}
    assert model.settings == expected.model_copy(update=chosen)
    falling = LinearSchedule(config.learning_rate, config.final_learning_rate_share)
    assert model.lr_schedule(0.5) == falling(0.5) == pytest.approx(0.55 * config.learning_rate)


def test_every_option_is_explained(capsys):
    import tyro

    with pytest.raises(SystemExit):
        tyro.cli(GROUPED.options, args=["--help"])
    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    for name in {*TrainConfig.model_fields} - {"sensors"}:
        option = next(
            i for i, line in enumerate(lines) if line.startswith(f"--{name}".replace("_", "-"))
        )
        assert not lines[option + 1].startswith("("), name


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("front_and_rear", SECTOR_PRESETS["front_and_rear"]),
        ("0:60:80,180:50", ((0.0, 60.0, 80.0), (180.0, 50.0, None))),
        ("none", ()),
    ],
)
def test_the_command_line_takes_sectors_as_one_word(word, expected):
    config = read(f"--sensors.sectors={word}")
    given = config.scenario_changes()["sensors"]["sectors"]
    assert [tuple(one.values()) for one in given] == [
        one if isinstance(one, tuple) else tuple(one.model_dump().values()) for one in expected
    ]
    assert build_config(json.loads(config.canonical())) == config


def test_the_command_line_takes_misses_as_one_word(capsys):
    config = read("--sensors.missed", "camera,mean_gap_s=3")
    assert config.sensors.missed == MISSED_PRESETS["camera"].model_copy(update={"mean_gap_s": 3.0})
    from_file = build_config({"scenario": "", "sensors": {"missed": {"mean_gap_s": 3.0}}})
    assert from_file.sensors.missed.mean_gap_s == 3.0
    for wrong, said in (
        ("radar", "'radar' is no model of misses"),
        ("lidar,far_m=0", "far_m is '0': input should be greater than or equal to 0.1"),
    ):
        with pytest.raises(SystemExit):
            read("--sensors.missed", wrong)
        told = capsys.readouterr().err.replace("│", " ")
        assert said in " ".join(told.split()) and "pydantic" not in told


@pytest.mark.parametrize("cell", HASHES)
def test_the_identity_of_stored_runs_has_not_changed(cell):
    query = "SELECT text FROM read_parquet($path) WHERE cell = $cell AND file = 'config.json'"
    given = {"path": str(RESULTS / "runs.parquet"), "cell": cell}
    [(text,)] = duckdb.execute(query, given).fetchall()
    assert build_config(json.loads(text)).hash().startswith(HASHES[cell])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lerning_rate": 1.0}, "unknown setting 'lerning_rate'; did you mean 'learning_rate'"),
        ({"n_steps": 0}, "setting 'n_steps' is 0: input should be greater than or equal to 1"),
        (
            {"critic": "shred"},
            "'critic': 'shred' is not one of 'shared', 'separate', 'privileged'",
        ),
    ],
)
def test_wrong_settings_say_what_would_do(settings, words):
    with pytest.raises(DrivememError, match=words) as caught:
        TrainConfig(scenario="exit-recall", **settings)
    assert "\n" not in str(caught.value)
