"""Distillation from end to end: a run like any other, resumable to the bit, that tells its gap."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivemem
from drivemem.comparison.collect import collect
from drivemem.config import DistillConfig, TrainConfig, build_config
from drivemem.distillation.check import Check, read_check
from drivemem.distillation.distill import distill
from drivemem.errors import DrivememError
from drivemem.runs import Run, read_json, read_metrics, write_json_file
from drivemem.training.train import train
from tests.drivemem.conftest import small

from .conftest import lesson

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["drivemem.distillation.distill"])


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def curve(folder: Path) -> list[dict[str, float]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if not k.startswith("time/")} for line in lines
    ]


@pytest.mark.parametrize("who", ["run", "oracle"])
def test_killed_and_resumed_equals_uninterrupted(who: str, teacher: Run, tmp_path: Path) -> None:
    """With a teacher that has a state, over the beginning of fine-tuning."""
    config = lesson(
        teacher.folder if who == "run" else "oracle", steps=1024, finetune_steps=384,
        beta_share=0.8, observe_previous_action=True, checkpoint_every=1,
    )  # fmt: skip
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    distill(config, whole, quiet=True)
    chance, killed = random.Random(0), 0
    for _ in range(2):  # after the next checkpoint, wait for a random moment and kill
        known = set((broken / "checkpoints").glob("*"))
        keywords = {"resume": True, "quiet": True}
        process = CHILDREN.Process(target=distill, args=(config, broken), kwargs=keywords)
        process.start()
        while process.is_alive() and set((broken / "checkpoints").glob("[0-9]*")) <= known:
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.05))
        killed += process.is_alive()
        process.kill()
        process.join()
    assert killed, "training was over before it could be killed"
    distill(config, broken, resume=True, quiet=True)
    assert weights(broken) == weights(whole)
    assert curve(broken) == curve(whole)


@pytest.mark.slow
def test_a_student_with_memory_learns_what_one_without_cannot(tmp_path: Path) -> None:
    """The oracle of `exit-recall` knows the sign that is gone; that this is the gap is told."""
    shared: dict[str, Any] = {
        "memory_kwargs": (), "num_envs": 32, "n_steps": 64, "batch_size": 512,
        "learning_rate": 1.5e-3, "steps": 160_000, "check_episodes": 100, "aux_coef": 1.0,
    }  # fmt: skip
    recalls = distill(
        lesson("oracle", **{**shared, "memory_kwargs": ("gate_bias=100",)}), tmp_path / "gru",
        quiet=True,
    )  # fmt: skip
    forgets = distill(lesson("oracle", memory="none", **shared), tmp_path / "none", quiet=True)
    with_memory, without = read_check(recalls), read_check(forgets)
    assert with_memory is not None and without is not None
    assert with_memory.teacher_success == without.teacher_success == 1.0
    assert with_memory.student_success > 0.95
    assert without.student_success < 0.55
    assert without.verdict == "imitation gap" and "imitation gap" in without.words
    assert without.below_low > 0.3
    assert with_memory.divergence < 0.5 * without.divergence


def test_a_student_is_a_run_that_says_from_whom_it_learnt(teacher: Run, tmp_path: Path) -> None:
    config = lesson(teacher.folder, steps=256, check_episodes=4)
    run = drivemem.distill(config, tmp_path / "runs" / "student", quiet=True)
    assert isinstance(run.config(), DistillConfig) and run.config() == config
    told = run.manifest()["teacher"]
    assert told["label"] == "gru (full sensors)" and len(told["weights"]) == 64
    assert read_json(run.distillation)["episodes"] == 4
    betas = [line["distill/beta"] for line in read_metrics(run.metrics_file)]
    assert betas == [1.0, 0.0]
    (result,) = drivemem.evaluate(run.folder, episodes=10, quiet=True)
    assert len(result.rows) == 10
    (one,) = collect([tmp_path / "runs"]).groups[0]
    assert one.agent() == "gru distilled from gru (full sensors)"


def test_students_that_differ_in_seed_alone_are_one_agent(
    write: Any, teacher: Run, tmp_path: Path
) -> None:
    for seed in (0, 1):
        folder = write(
            f"student-s{seed}", "SSSC", memory="gru", seed=seed,
            settings={"teacher": f"teacher-s{seed}"},
        )  # fmt: skip
        facts = {"label": "none (full sensors)", "settings": "abc"}
        write_json_file(folder / "manifest.json", {"status": "done", "teacher": facts})
    comparison = drivemem.compare([tmp_path / "runs"])
    labels = [row.label for table in comparison.tables for row in table.rows]
    assert labels == ["gru distilled from none (full sensors)"]
    assert comparison.tables[0].rows[0].runs == 2


def test_a_taught_memoryless_agent_is_no_baseline_of_those_that_learnt_alone(
    write: Any, tmp_path: Path
) -> None:
    write("none-s0", "SCCC", seed=0)
    write("gru-s0", "SSSC", memory="gru", seed=0)
    write("taught-s0", "CCCC", seed=0, settings={"teacher": "oracle"})
    comparison = drivemem.compare([tmp_path / "runs"])
    rows = {row.label: row for table in comparison.tables for row in table.rows}
    assert "none distilled from oracle" in rows
    difference = rows["gru"].versus
    assert difference is not None and difference.estimate == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("matched", "drives as well as its teacher"),
        ("still learning", "more --steps"),
        ("imitation gap", "at a divergence of 0.250 on its own states"),
    ],
)
def test_what_was_not_learnt_is_said_in_words(verdict: Any, words: str, tmp_path: Path) -> None:
    found = Check(
        teacher="oracle", episodes=9, student_return=0.5, teacher_return=1.0, below=0.5,
        below_low=0.4, below_high=0.6, student_success=0.5, teacher_success=1.0,
        divergence=0.25, agreement=0.9, verdict=verdict,
    )  # fmt: skip
    assert words in found.words
    if verdict != "matched":
        assert "0.500 [0.400, 0.600] below its teacher's" in found.words
    run = Run(tmp_path)
    write_json_file(run.distillation, asdict(found))
    assert read_check(run) == found


def test_configurations_keep_their_kind_and_identity() -> None:
    plain = small().model_dump(mode="json")
    assert type(build_config(plain)) is TrainConfig
    config = build_config({**plain, "teacher": "oracle"})
    assert isinstance(config, DistillConfig)
    assert build_config(config.model_dump(mode="json")).hash() == config.hash()
    assert config.hash() != small().hash()
    assert config.model_copy(update={"check_episodes": 3}).hash() == config.hash()
    assert config.run_name() == "exit-recall-gru-distilled-oracle-s0"
    run = config.model_copy(update={"teacher": "runs/exit-recall-none-full-aux-s3", "seed": 4})
    assert run.run_name() == "exit-recall-gru-distilled-none-full-aux-s4"


def test_more_fine_tuning_than_decisions_is_refused() -> None:
    with pytest.raises(DrivememError, match="finetune_steps is 2000, more than all 512 steps"):
        lesson("oracle", finetune_steps=2000)


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("runs/nobody-s0", "is no run"),
        ("orcale", "is no folder of a run, and unknown driver 'orcale'; did you mean 'oracle'"),
        ("sb3:PPO:model.zip", "cannot teach"),
        ("manual", "cannot teach"),
    ],
)
def test_a_teacher_that_is_not_there_is_refused(who: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match=words):
        distill(lesson(who), tmp_path / "student", quiet=True)


def test_a_teacher_without_an_agent_is_refused(teacher: Run, tmp_path: Path) -> None:
    copy = tmp_path / "teacher"
    shutil.copytree(teacher.folder, copy)
    shutil.rmtree(copy / "model")
    with pytest.raises(DrivememError, match="has no trained agent"):
        distill(lesson(copy), tmp_path / "student", quiet=True)


def test_going_on_with_another_teacher_is_refused(teacher: Run, run: Run, tmp_path: Path) -> None:
    copy, student = tmp_path / "teacher", tmp_path / "student"
    shutil.copytree(teacher.folder, copy)
    config = lesson(copy, steps=512, checkpoint_every=1)
    distill(config, student, quiet=True)
    shutil.rmtree(student / "model")  # as if it had been stopped before its end
    shutil.rmtree(copy)
    other = small(full_sensors=True, steps=256, seed=5)
    train(other, copy, quiet=True)
    with pytest.raises(DrivememError, match="was begun with another teacher: the weights"):
        distill(config, student, resume=True, quiet=True)


def test_training_alone_refuses_a_configuration_with_a_teacher(tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match=r"use drivemem\.distill"):
        train(lesson("oracle"), tmp_path / "run", quiet=True)


def test_the_name_of_a_folder_beside_the_students_is_enough(teacher: Run, tmp_path: Path) -> None:
    """So that a folder of runs can be moved."""
    shutil.copytree(teacher.folder, tmp_path / "here" / "teacher")
    config = lesson("teacher", steps=128)
    run = distill(config, tmp_path / "here" / "student", quiet=True)
    assert run.manifest()["teacher"]["kind"] == "run"


def test_a_teacher_may_teach_in_continuous_worlds(tmp_path: Path) -> None:
    config = lesson(
        "planner:candidates=6,horizon_s=1", scenario="drivemem/racetrack-v0", memory="none",
        memory_kwargs=(), steps=128, check_episodes=2,
    )  # fmt: skip
    run = distill(config, tmp_path / "student", quiet=True)
    found = read_check(run)
    assert found is not None and found.agreement is None and np.isfinite(found.divergence)
