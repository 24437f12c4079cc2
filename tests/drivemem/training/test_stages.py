"""A finished run is trained on when asked, as a new stage; nothing of it is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import drivemem
from drivemem.errors import DrivememError
from drivemem.runs import Run, read_metrics, write_json_file
from drivemem.training import train as training
from drivemem.training.train import train
from tests.drivemem.conftest import small

SHORT, LONG = small(steps=256), small(steps=512)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short run, evaluated; tests must not change it."""
    run = train(SHORT, tmp_path_factory.mktemp("stages") / "short", quiet=True)
    drivemem.evaluate(run.folder, episodes=2, quiet=True)
    return run


@pytest.fixture(scope="module")
def longer(finished: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same, trained on."""
    folder = tmp_path_factory.mktemp("stages") / "long"
    shutil.copytree(finished.folder, folder)
    return train(LONG, folder, resume=True, quiet=True)


def weights(run: Run, under: str = "model") -> bytes:
    return (run.folder / under / "model.safetensors").read_bytes()


def test_a_finished_run_is_trained_on_from_its_end(finished: Run, longer: Run) -> None:
    assert weights(longer) != weights(finished)
    assert weights(longer, "stages/256/model") == weights(finished), "what it was is kept"
    assert (longer.folder / "stages/256/evaluations/test-intact/episodes.parquet").is_file()
    assert not (longer.folder / "evaluations").exists(), "it was of the agent before"
    first, last = (read_metrics(run.metrics_file) for run in (finished, longer))
    assert [line["step"] for line in last] == [128, 256, 384, 512]
    assert last[:2] == first


def test_the_manifest_says_what_was_trained_in_which_stage(finished: Run, longer: Run) -> None:
    earlier, last = longer.manifest()["stages"]
    assert (earlier["until"], earlier["config_hash"]) == (256, SHORT.hash())
    assert earlier["written"] == finished.manifest()["written"] and earlier["versions"]
    assert last == {"until": 512, "config_hash": LONG.hash()}
    assert longer.config() == LONG and longer.status() == "done"
    assert "stages" not in finished.manifest()


class Killed(BaseException):
    """In place of a signal."""


@pytest.mark.parametrize("moment", ["begin_stage", "_learn", "save_agent", "_measure_importance"])
def test_killed_in_a_stage_and_resumed_is_the_same(
    finished: Run, longer: Run, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(shutil.copytree(finished.folder, tmp_path / "run"))
    original = getattr(training, moment)

    def kill(*arguments: object, **keywords: object) -> None:
        if moment == "begin_stage":  # everything is put aside, the configuration is the old one
            original(*arguments, **keywords)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(training, moment, kill)
        with pytest.raises(Killed):
            train(LONG, run.folder, resume=True, quiet=True)
    train(LONG, run.folder, resume=True, quiet=True)
    assert weights(run) == weights(longer)
    assert weights(run, "stages/256/model") == weights(finished)
    assert run.manifest()["stages"][0]["until"] == 256 and run.status() == "done"


def test_a_third_stage_follows_the_second(longer: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(longer.folder, tmp_path / "run"))
    train(small(steps=640), run.folder, resume=True, quiet=True)
    assert [stage["until"] for stage in run.manifest()["stages"]] == [256, 512, 640]
    assert weights(run, "stages/512/model") == weights(longer)


def test_unasked_nothing_of_a_finished_run_changes(finished: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(finished.folder, tmp_path / "run"))
    before = {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
    train(SHORT, run.folder, resume=True, quiet=True)
    refused = [
        (SHORT, False, "add --resume"),
        (LONG, False, "add --resume"),
        (small(steps=128), True, "trained with other settings (steps)"),
        (small(steps=512, gamma=0.9), True, "trained with other settings (steps, gamma)"),
    ]
    for config, resume, says in refused:
        with pytest.raises(DrivememError) as error:
            train(config, run.folder, resume=resume, quiet=True)
        assert says in str(error.value)
    assert {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()} == before


def test_what_cannot_go_on_says_why(finished: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(finished.folder, tmp_path / "run"))
    write_json_file(run.config_file, small(steps=200).model_dump(mode="json"))
    with pytest.raises(DrivememError, match="trained for 256 decisions"):
        train(small(steps=250), run.folder, resume=True, quiet=True)
    shutil.rmtree(run.checkpoints / "256")
    with pytest.raises(DrivememError, match=r"no checkpoint of its end, .* --start-from"):
        train(LONG, run.folder, resume=True, quiet=True)
    shutil.rmtree(run.model)
    write_json_file(run.manifest_file, {**run.manifest(), "status": "running"})
    with pytest.raises(DrivememError, match="has not ended yet: repeat its own command"):
        train(LONG, run.folder, resume=True, quiet=True)
