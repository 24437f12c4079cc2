"""Two processes never train in one folder, and a killed one bars nobody."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivemem.errors import DrivememError
from drivemem.training.lock import LOCK, alone_in
from drivemem.training.train import train
from tests.drivemem.conftest import small

HOLD = """
import sys
from pathlib import Path
from drivemem.training.lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a folder until its input ends."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process


def test_a_second_training_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with holder(out) as process:
        for resume in (False, True):
            with pytest.raises(DrivememError) as refusal:
                train(small(), out, resume=resume, quiet=True)
            said = str(refusal.value)
            assert f"being trained by process {process.pid} on {platform.node()} since 2" in said
            assert "\n" not in said and "another --out" in said
    assert not (out / "config.json").exists()


def test_it_is_free_again_after_an_end_or_a_kill(tmp_path: Path) -> None:
    with holder(tmp_path):
        pass
    assert not (tmp_path / LOCK).exists()
    with holder(tmp_path) as process:
        process.kill()
        process.wait()
        with alone_in(tmp_path):
            assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_children_of_a_killed_training_do_not_bar_the_next(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    note = {"pid": ended.pid, "host": platform.node(), "since": "2026-01-01T00:00:00Z"}
    (tmp_path / LOCK).write_text(json.dumps(note))
    with (tmp_path / LOCK).open() as inherited:
        fcntl.flock(inherited, fcntl.LOCK_EX)
        barred = pytest.raises(DrivememError, match=f"process {os.getpid()} on")
        with alone_in(tmp_path), barred, alone_in(tmp_path):
            pass


def test_a_lock_of_another_machine_is_left_alone(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    note = {"pid": 2**22 + 1, "host": "elsewhere", "since": "2026-01-01T00:00:00Z"}
    (tmp_path / LOCK).write_text(json.dumps(note))
    with (tmp_path / LOCK).open() as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(DrivememError, match="on elsewhere since"), alone_in(tmp_path):
            pass


def test_a_training_that_cannot_begin_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DrivememError, match="exit-recal"):
        train(small(scenario="exit-recal"), tmp_path / "new" / "run", quiet=True)
    assert not list(tmp_path.iterdir())
    with alone_in(tmp_path):
        pass
    assert tmp_path.exists(), "a folder that was there stays"


def test_a_lock_that_nobody_holds_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("half a no")
    with alone_in(tmp_path):
        pass
