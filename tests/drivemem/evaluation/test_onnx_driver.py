"""ONNX files as drivers: ours drive as the run's agent, others if they are an acting step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem.cli import run_command
from drivemem.errors import DrivememError
from drivemem.evaluation.evaluate import evaluate
from drivemem.evaluation.external_drivers import resolve_driver
from drivemem.runs import Run

SCENARIO = "exit-recall"


def write_graph(path: Path, inputs: dict[str, tuple[int, ...]], outputs: list[str]) -> Path:
    """An ONNX file whose outputs are its first input, summed, and then its inputs in order."""
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    names = list(inputs)
    nodes = [helper.make_node("ReduceSum", [names[0], "axes"], [outputs[0]], keepdims=0)]
    nodes += [
        helper.make_node("Add", [name, "one"], [out])
        for name, out in zip(names[1:], outputs[1:], strict=False)
    ]
    given = [helper.make_tensor_value_info(n, floats, ["N", *s]) for n, s in inputs.items()]
    made = [helper.make_tensor_value_info(name, floats, None) for name in outputs]
    constants = [
        helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [1]),
        helper.make_tensor("one", floats, [], [1.0]),
    ]
    graph = helper.make_graph(nodes, "g", given, made, constants)
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))
    return path


def test_an_exported_run_drives_as_the_run(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    assert run_command("export", [str(run.folder), str(tmp_path / "agent.onnx")]) == 0
    told: dict[str, Any] = {"episodes": 8, "num_envs": 3, "num_workers": 1, "quiet": True}
    (file,) = evaluate(
        driver=f"onnx:{tmp_path / 'agent.onnx'}", scenario=SCENARIO, out=tmp_path / "d", **told
    )
    (model,) = evaluate(driver=None, run=_copy(run, tmp_path), **told)
    assert file.identity.driver == "onnx:agent"
    shown = [[(r["outcome"], r["length"], r["return"]) for r in e.rows] for e in (file, model)]
    assert shown[0] == shown[1]


def _copy(run: Run, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(run.folder, tmp_path / "run"))


def test_the_state_is_carried_and_begins_at_zero(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = write_graph(
        tmp_path / "count.onnx", {"cue": (3,), "state.n": (1,)}, ["action", "next_state.n"]
    )
    driver = resolve_driver(f"onnx:{path}", drivemem_envs.scenario(SCENARIO)).driver
    observation = {"cue": np.array([[0, 1, 0], [1, 1, 0]], np.float32), "vehicles": np.zeros(2)}
    action, state = driver.predict(observation, None, np.array([True, True]))
    assert action.tolist() == [1.0, 2.0] and state["state.n"].ravel().tolist() == [1.0, 1.0]
    _, state = driver.predict(observation, state, np.array([False, True]))
    assert state["state.n"].ravel().tolist() == [2.0, 1.0]


def test_what_is_no_acting_step_is_said(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")

    def said(name: str) -> str:
        with pytest.raises(DrivememError) as error:
            resolve_driver(f"onnx:{tmp_path / name}", drivemem_envs.scenario(SCENARIO))
        return str(error.value)

    (tmp_path / "text.onnx").write_text("no graph")
    write_graph(tmp_path / "logits.onnx", {"cue": (3,)}, ["logits"])
    write_graph(tmp_path / "image.onnx", {"image": (3,)}, ["action"])
    write_graph(tmp_path / "five.onnx", {"cue": (5,)}, ["action"])
    write_graph(tmp_path / "forgets.onnx", {"cue": (3,), "state.n": (1,)}, ["action"])
    assert "does not exist" in said("gone.onnx")
    assert "is no ONNX file" in said("text.onnx")
    assert "also gives action" in said("logits.onnx")
    assert "also gives next_state.n" in said("forgets.onnx")
    assert "takes image, which a driver of exit-recall-easy-v0 is not given" in said("image.onnx")
    assert "takes cue of shape (5,), but in exit-recall-easy-v0 it is (3,)" in said("five.onnx")
