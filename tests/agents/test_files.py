"""Folders are replaced only by what is of their kind; a user's file is never touched."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from drivemem_agents import CheckpointError, MemoryPPO
from drivemem_agents.checkpoint import save_training
from drivemem_agents.files import atomic_file, atomic_folder, write_json


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


WRITERS = {"agent": lambda model, folder: model.save(folder), "training": save_training}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("what", ["thesis.txt", "tb/events", "model.safetensors", "model/net.py"])
def test_a_folder_that_is_no_agent_is_left_alone(agent, tmp_path, kind, what):
    theirs = tmp_path / "proj" / what
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    before = tree(tmp_path)
    with pytest.raises(CheckpointError, match=what.split("/")[0]) as caught:
        WRITERS[kind](agent("gru"), tmp_path / "proj")
    assert "choose another folder" in str(caught.value) and "\n" not in str(caught.value)
    assert tree(tmp_path) == before


def test_the_name_of_a_zip_does_not_clear_the_folder_beside_it(agent, tmp_path):
    logs = tmp_path / "logs" / "ppo"
    logs.mkdir(parents=True)
    (logs / "events.out").write_text("curves")
    with pytest.raises(CheckpointError, match=r"events\.out"):
        agent("gru").save(tmp_path / "logs" / "ppo.zip")
    assert tree(tmp_path) == {"logs/ppo/events.out": "curves"}


def test_a_file_is_not_replaced_by_a_folder(agent, tmp_path):
    (tmp_path / "agent").write_text("mine")
    with pytest.raises(CheckpointError, match="is a file"):
        agent("gru").save(tmp_path / "agent")
    assert tree(tmp_path) == {"agent": "mine"}


@pytest.mark.parametrize("kind", WRITERS)
def test_what_lies_beside_an_agents_files_stays(agent, tmp_path, kind):
    folder, write = tmp_path / "agent", WRITERS[kind]
    model = agent("gru")
    write(model, folder)
    (folder / "notes").mkdir()
    (folder / "notes" / "why.txt").write_text("because")
    first = (folder / "model.safetensors").read_bytes()
    write(model.learn(64), folder)
    assert (folder / "model.safetensors").read_bytes() != first
    assert (folder / "notes" / "why.txt").read_text() == "because"
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]
    if kind == "agent":
        MemoryPPO.load(folder)


def test_an_empty_folder_and_a_link_to_an_agent_are_taken(agent, tmp_path):
    (tmp_path / "empty").mkdir()
    agent("gru").save(tmp_path / "empty")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    agent("gru").save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    MemoryPPO.load(tmp_path / "link")


def test_the_old_folder_is_back_where_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    folder, replace, calls = tmp_path / "kept", os.replace, []
    folder.mkdir()
    (folder / "own").write_text("old")

    def failing(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise OSError("quota")
        replace(source, target)

    monkeypatch.setattr("drivemem_agents.files.os.replace", failing)
    with pytest.raises(OSError, match="quota"), atomic_folder(folder, ("own",)) as temporary:
        (temporary / "own").write_text("new")
    assert tree(tmp_path) == {"kept/own": "old"}


def killed_while(work) -> None:
    """Fork a child that kills itself in the middle of some work, at the first `os.replace`."""
    child = os.fork()
    if child == 0:
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        work()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    def write_folder():
        with atomic_folder(tmp_path / "agent") as temporary:
            (temporary / "own").write_text("half")

    killed_while(lambda: write_json(tmp_path / "a.json", {}))
    killed_while(write_folder)
    assert len(list(tmp_path.glob(".*.tmp"))) >= 1
    theirs = [tmp_path / ".notes-old.tmp", tmp_path / ".a.json-mine", tmp_path / ".a.json-1-2.tmp"]
    for file in theirs:
        file.write_text("mine")
    with atomic_file(tmp_path / "slow") as slow:  # a writer that still runs
        slow.write_text("whole")
        write_json(tmp_path / "b.json", {})
        assert slow.exists()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"b.json", "slow", *(file.name for file in theirs)}


def test_a_folder_moved_away_for_one_that_never_came_is_put_back(tmp_path):
    folder = tmp_path / "agent"
    folder.mkdir()
    (folder / "own").write_text("old")
    replace = os.replace

    def die_at_second(source, target):
        if Path(source).suffix == ".tmp":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    child = os.fork()
    if child == 0:
        os.replace = die_at_second
        with atomic_folder(folder, ("own",)) as temporary:
            (temporary / "own").write_text("new")
        os._exit(0)
    os.waitpid(child, 0)
    assert not folder.exists()
    write_json(tmp_path / "b.json", {})
    assert tree(tmp_path) == {"agent/own": "old", "b.json": "{}\n"}
