"""A run killed at any moment and resumed is the run that was never interrupted."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from drivemem.errors import DrivememError
from drivemem.runs import Run, read_json, write_json_file
from drivemem.training.train import train
from tests.drivemem.conftest import small

COMMAND = [
    sys.executable, "-m", "drivemem", "train", "exit-recall", "--memory", "gru", "--steps", "1024",
    "--num-envs", "4", "--n-steps", "32", "--batch-size", "64", "--num-workers", "1",
    "--checkpoint-every", "2",
]  # fmt: skip
CHILDREN = multiprocessing.get_context("forkserver")
"""Children of a server that has imported everything, most of what a process of its own costs."""
CHILDREN.set_forkserver_preload(["drivemem.training.train"])


CONFIG = small(steps=1024, aux_coef=1.0, normalize_observations=True)


def start(out: Path) -> Any:
    """A process that trains, or goes on training, the run in a folder."""
    keywords = {"resume": True, "quiet": True}
    process = CHILDREN.Process(target=train, args=(CONFIG, out), kwargs=keywords)
    process.start()
    return process


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    train(CONFIG, whole, quiet=True)
    broken = tmp_path / "broken"
    chance = random.Random(0)
    killed = 0
    for _ in range(2):  # after the next checkpoint, wait for a random moment and kill
        known = set((broken / "checkpoints").glob("*"))
        process = start(broken)
        while process.is_alive() and set((broken / "checkpoints").glob("[0-9]*")) <= known:
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.1))
        killed += process.is_alive()
        process.kill()
        process.join()
    assert killed, "training was over before it could be killed"
    train(CONFIG, broken, resume=True, quiet=True)
    assert weights(broken) == weights(whole)

    def curve(folder: Path) -> list[dict[str, float]]:
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        return [
            {k: v for k, v in json.loads(line).items() if not k.startswith("time/")}
            for line in lines
        ]

    assert curve(broken) == curve(whole)


def test_ctrl_c_leaves_a_resumable_run_and_says_how(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [*COMMAND, "--steps", "1000000", "--out", str(out)]  # the last one counts
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        # A suite that a script started in the background ignores Ctrl-C, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    metrics = out / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > 1):
        time.sleep(0.05)  # until training goes on after an update
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "go on with: drivemem train exit-recall" in errors and "--resume" in errors
    assert "Traceback" not in errors


def test_a_finished_run_is_not_trained_again(run: Run) -> None:
    before = (run.model / "model.safetensors").stat().st_mtime_ns
    assert train(small(), run.folder, resume=True, quiet=True).folder == run.folder
    assert (run.model / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["empty", "cut", "gone", "no description"])
def test_a_finished_run_whose_agent_is_damaged_is_restored(
    run: Run, tmp_path: Path, damage: str
) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(run.folder, copy.folder)
    file = copy.model / ("agent.json" if damage == "no description" else "model.safetensors")
    whole = file.read_bytes()
    file.unlink()
    if damage in ("empty", "cut"):
        file.write_bytes(b"" if damage == "empty" else whole[:-1])
    train(small(), copy.folder, resume=True, quiet=True)
    assert weights(copy.folder) == weights(run.folder) and copy.has_agent()


def test_a_damaged_agent_without_a_checkpoint_is_not_begun_anew(run: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(run.folder, copy.folder)
    shutil.rmtree(copy.checkpoints)
    (copy.model / "model.safetensors").write_bytes(b"")
    with pytest.raises(DrivememError, match=r"is damaged, and .* has no checkpoint to restore"):
        train(small(), copy.folder, resume=True, quiet=True)


def test_a_run_that_ended_before_its_last_note_is_done(run: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(run.folder, copy.folder)
    manifest = copy.folder / "manifest.json"
    write_json_file(manifest, {**read_json(manifest), "status": "running"})
    train(small(), copy.folder, resume=True, quiet=True)
    assert copy.manifest()["status"] == "done" and weights(copy.folder) == weights(run.folder)


def test_the_agent_is_saved_before_any_afterthought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("one of the tensors does not require grad\nand more")

    monkeypatch.setattr("drivemem.training.warm_start.fisher_information", fail)
    done = train(small(steps=128), tmp_path / "run", quiet=True)
    assert done.has_agent() and done.manifest()["status"] == "done"
    said = capsys.readouterr().err
    assert "(one of the tensors does not require grad); the agent is saved" in said


def test_an_existing_run_is_not_overwritten(run: Run) -> None:
    with pytest.raises(DrivememError, match=r"exists: add --resume .* or choose another --out"):
        train(small(), run.folder, quiet=True)


def test_resuming_with_other_settings_names_them(run: Run) -> None:
    with pytest.raises(DrivememError, match=r"other settings \(learning_rate, gamma\)"):
        train(small(gamma=0.5, learning_rate=1.0), run.folder, resume=True, quiet=True)


LONGER = small(steps=512, checkpoint_every=1)


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with two checkpoints."""
    return train(LONGER, tmp_path_factory.mktemp("runs") / "longer", quiet=True)


def broken_off(run: Run, folder: Path) -> Run:
    """A copy of a run as it was before its agent was written."""
    copy = Run(folder)
    shutil.copytree(run.folder, copy.folder)
    shutil.rmtree(copy.model)
    return copy


@pytest.mark.parametrize("file", ["model.safetensors", "worlds.safetensors", "run.json"])
def test_training_goes_on_from_the_checkpoint_before_a_damaged_one(
    longer: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    copy = broken_off(longer, tmp_path / "copy")
    newest, before = copy.all_checkpoints()
    data = bytearray((newest / file).read_bytes())
    data[len(data) // 2] ^= 1
    (newest / file).write_bytes(data)
    train(LONGER, copy.folder, resume=True, quiet=True)
    assert weights(copy.folder) == weights(longer.folder)
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "going on" in one]
    assert f"{newest / file} is missing or has changed" in line and f"from {before}" in line
    aside = newest.with_name(f"{newest.name}-damaged")
    assert (aside / file).read_bytes() == data, "it is kept as it was"


def test_checkpoints_that_are_all_damaged_say_what_to_do(longer: Run, tmp_path: Path) -> None:
    copy = broken_off(longer, tmp_path / "copy")
    for folder in copy.all_checkpoints():
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:100])
    kept = copy.all_checkpoints()
    with pytest.raises(
        DrivememError, match=r"nor any older one of .*: delete .*checkpoints"
    ) as told:
        train(LONGER, copy.folder, resume=True, quiet=True)
    assert "\n" not in str(told.value) and copy.all_checkpoints() == kept


def test_a_finished_run_with_a_flipped_bit_is_restored(run: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(run.folder, copy.folder)
    data = bytearray(weights(run.folder))
    data[-1] ^= 1
    (copy.model / "model.safetensors").write_bytes(data)
    assert not copy.has_agent()
    train(small(), copy.folder, resume=True, quiet=True)
    assert weights(copy.folder) == weights(run.folder)


def test_a_run_ended_before_its_importance_was_kept_has_it_afterwards(
    run: Run, tmp_path: Path
) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(run.folder, copy.folder)
    manifest = copy.folder / "manifest.json"
    write_json_file(manifest, {**read_json(manifest), "status": "running"})
    copy.importance.unlink()
    shutil.rmtree(copy.checkpoints / "512")  # the end is kept after it
    assert copy.status() == "done", "to whoever reads it"
    train(small(), copy.folder, resume=True, quiet=True)
    assert read_json(manifest)["status"] == "done"
    assert copy.importance.read_bytes() == run.importance.read_bytes()
    assert weights(copy.folder) == weights(run.folder)


def test_a_folder_in_the_place_of_a_file_is_said_before_training(run: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(run.folder, copy.folder)
    (copy.model / "model.safetensors").unlink()
    (copy.model / "model.safetensors").mkdir()
    with pytest.raises(DrivememError, match=r"model\.safetensors is there, and training did not"):
        train(small(), copy.folder, resume=True, quiet=True)


def test_a_full_disk_ends_the_mirror_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("drivemem.training.mirrors.TensorBoardOutputFormat.write", full)
    assert train(small(steps=256), tmp_path / "run", quiet=True).status() == "done"
    assert capsys.readouterr().err.count("TensorBoard shows ends here") == 1
