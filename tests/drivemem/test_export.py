"""`drivemem export`: the file drives as the run's agent does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivemem import load
from drivemem.cli import run_command
from drivemem.runs import Run


def test_the_file_drives_as_the_agent(run: Run, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "agent.onnx"
    assert run_command("export", [str(run.folder), str(path)]) == 0
    session = onnxruntime.InferenceSession(str(path))
    names = [given.name for given in session.get_inputs()]
    model = load(run.folder)
    state = None
    space = model.observation_space
    space.seed(0)
    fed = {name: np.zeros((1, 16), np.float32) for name in names if name.startswith("state.")}
    assert list(fed) == ["state.h"]
    random = np.random.default_rng(0)
    for step in range(10):
        observation = {key: value[None] for key, value in space.sample().items()}
        starts = np.array([step == 0])
        masks = random.random((1, 3)) < 0.5
        masks[:, step % 3] = True
        action, state = model.predict(observation, state, starts, True, masks)
        outputs = session.run(
            None, {**observation, "episode_start": starts, "action_masks": masks, **fed}
        )
        assert outputs[0] == action
        fed = {"state.h": outputs[2]}


def test_masks_can_be_left_out(run: Run, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "agent.onnx"
    assert run_command("export", [str(run.folder), str(path), "--action-masks", "False"]) == 0
    names = [given.name for given in onnxruntime.InferenceSession(str(path)).get_inputs()]
    assert "action_masks" not in names


def test_a_folder_without_an_agent_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("export", [str(tmp_path), str(tmp_path / "agent.onnx")]) == 1
    assert str(tmp_path) in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
