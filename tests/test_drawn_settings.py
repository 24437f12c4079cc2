"""Everything that can be set takes what strangers write, or refuses it in one line.

The campaigns (`tests/campaigns`) draw the same values, and also build and run what is accepted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import drivemem_envs
from drivemem import DrivememError
from drivemem.config import TrainConfig, build_config
from drivemem.evaluation.config import EvaluateConfig, evaluate_config
from drivemem.evaluation.suites import MOST_EPISODES, load_suite, make_suite
from drivemem.studies import load_study
from drivemem.studies.spec import MOST_SEEDS, EvaluationPlan, Resources, study_from
from drivemem.training.presets import read_preset
from drivemem_agents.encoders import encoder_names
from drivemem_agents.encoders.base import encoder_class
from drivemem_agents.memory import memory_class, memory_names
from drivemem_agents.ppo_settings import PPOSettings
from drivemem_envs.scenario_spec import ObservationSpec
from drivemem_envs.sensing.spec import Sensors
from tests.campaigns.apart import is_one_line
from tests.campaigns.draws import WRONG, changes, of_model

Take = Callable[[dict[str, Any]], Any]

EXIT = drivemem_envs.scenario("exit-recall")


def _study(given: dict[str, Any]) -> Any:
    tables = {"scenarios": {"exit-recall": {}}, "agents": {"gru": {}}, "seeds": 1, "name": "a"}
    return study_from({**tables, **given})


SUBJECTS: dict[str, tuple[Any, Take]] = {
    "sensors": (Sensors, lambda given: EXIT.with_(sensors=given)),
    "observation": (ObservationSpec, lambda given: EXIT.with_(observation=given)),
    "training": (TrainConfig, lambda given: build_config({"scenario": "exit-recall", **given})),
    "evaluation": (EvaluateConfig, lambda given: evaluate_config(**given)),
    "learner": (PPOSettings, PPOSettings.checked),
    "[evaluation]": (EvaluationPlan, lambda given: _study({"evaluation": given})),
    "[resources]": (Resources, lambda given: _study({"resources": given})),
    "[train]": (TrainConfig, lambda given: _study({"train": given})),
    **{name: (memory_class(name).Settings, memory_class(name).Settings.checked)
       for name in memory_names()},
    **{name: (encoder_class(name).Settings, encoder_class(name).Settings.checked)
       for name in encoder_names()},
}  # fmt: skip


@pytest.mark.parametrize("subject", SUBJECTS)
def test_any_value_is_taken_or_refused_in_one_line(subject: str) -> None:
    model, take = SUBJECTS[subject]
    if not model.model_fields:
        pytest.skip("it has no settings")

    @hypothesis.settings(max_examples=30, deadline=None, derandomize=True, database=None)
    @hypothesis.given(changes(of_model(model), most=2))
    def meet(given: dict[str, Any]) -> None:
        try:
            take(given)
        except (DrivememError, ValueError) as error:
            assert isinstance(error, DrivememError) or type(error) is ValueError
            assert is_one_line(str(error)), str(error)

    meet()


@hypothesis.settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)  # fmt: skip
@hypothesis.given(
    key=st.sampled_from(["name", "scenario", "config", "sensors", "seeds", "hash", "format"]),
    value=st.sampled_from(WRONG),
)
def test_a_suite_with_any_value_is_refused_in_one_line(
    tmp_path: Path, key: str, value: Any
) -> None:
    path = tmp_path / "suite.json"
    path.write_text(json.dumps({**make_suite(EXIT, 3).to_json(), key: value}))
    try:
        load_suite(path)
    except DrivememError as error:
        assert is_one_line(str(error))


@pytest.mark.parametrize("content", [b"\xff\xfe{}", b"steps = " + b"[" * 5000, b"a ="])
@pytest.mark.parametrize("read", [load_study, read_preset])
def test_a_file_that_is_no_toml_is_one_line(
    tmp_path: Path, content: bytes, read: Callable[[Path], Any]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(DrivememError, match=r"mine\.toml cannot be read as TOML: [^\n]+$"):
        read(path)


def test_numbers_without_end_are_refused_at_once() -> None:
    with pytest.raises(DrivememError, match=rf"seeds is 10{'0' * 11}: .*at most {MOST_SEEDS}"):
        _study({"seeds": 10**12})
    with pytest.raises(DrivememError, match=rf"evaluate 1 to {MOST_EPISODES:,}"):
        make_suite(EXIT, 10**12)
    with pytest.raises(DrivememError, match=r"evaluation\.episodes is 1000000000000: "):
        _study({"evaluation": {"episodes": 10**12}})
