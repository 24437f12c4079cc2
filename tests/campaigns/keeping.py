"""Part 6: what is there stays: a user's files among ours, finished results, a run in training.

Every folder that a command writes gets files of a user's before it runs.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.campaigns.apart import apart, end, is_over, run_here, start
from tests.campaigns.figures import REFUSED, RIGHT, Tally
from tests.campaigns.limits import JOBS, project
from tests.campaigns.project import EPISODES, train

Job = Callable[[Path], Any]


def save_agent(root: Path) -> Any:
    """Save a learner into a folder that the user names."""
    import gymnasium

    from drivemem_agents import MemoryPPO

    env = gymnasium.make("CartPole-v1")
    MemoryPPO("MemoryPolicy", env, memory="none", device="cpu").save(root / "saved")  # type: ignore[arg-type]


WRITERS: dict[str, Job] = {**{name: work for name, (work, _) in JOBS.items()}, "save": save_agent}


def among_files(names: Collection[str] = tuple(WRITERS)) -> Tally:
    """Plant files in every folder that commands write; all must be there afterwards."""
    tally = Tally("keeping", "a user's files")
    for name in names:
        work = WRITERS[name]
        with project() as whole:
            before = _folders(whole)
            apart(partial(work, whole), 120.0)
            made = _folders(whole) - before
            made |= {folder for folder in before if _is_written(name, folder)}
        for folder in sorted(made):
            with project() as root:
                planted = _plant(root / folder)
                ending = apart(partial(work, root), 120.0, library=name == "save")
                lost = [path for path, text in planted.items() if _text(path) != text]
            what = f"{name} with a user's files in {folder or '.'}"
            if lost:
                tally.add_fault(f"{name}: files lost", what, str([path.name for path in lost]))
            elif ending.how not in ("done", "refused", "usage"):
                tally.add_fault(f"{name}: {ending.how}: {ending.kind}", what, ending.text)
            else:
                tally.add(RIGHT if ending.how == "done" else REFUSED)
    return tally


def _folders(root: Path) -> set[str]:
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_dir()}
    return {name for name in found if "/." not in f"/{name}"}


def _is_written(name: str, folder: str) -> bool:
    """Whether a command that evaluates writes below a folder that is there already."""
    return name.startswith("evaluate") and folder.startswith("none/")


def _plant(folder: Path) -> dict[Path, str]:
    (folder / "mine").mkdir(parents=True)
    planted = {folder / "thesis.txt": "years of work", folder / "mine/notes.txt": "and notes"}
    for path, text in planted.items():
        path.write_text(text)
    return planted


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def finished_results() -> Tally:
    """Looking, and asking for less, change no result that is there."""
    tally = Tally("keeping", "finished results")
    for name, words in {
        "fewer episodes": ["evaluate", "{}", "--episodes", "2", "--num-workers", "1"],
        "without recording": ["evaluate", "{}", *EPISODES],
        "watch": ["watch", "{}", "--episodes", "1"],
        "replay": ["replay", "{}"],
        "train into it": [
            "train",
            "exit-recall",
            "--preset",
            "none",
            "--steps",
            "8",
            "--out",
            "{}",
        ],
        "tune into it": ["tune", "exit-recall", "--trials", "1", "--steps", "8", "--out", "{}"],
    }.items():
        with project() as root:
            before = dict(_results(root / "gru"))
            given = [word.replace("{}", str(root / "gru")) for word in words]
            ending = apart(partial(_quietly, given), 120.0)
            after = dict(_results(root / "gru"))
        changed = [path for path, digest in before.items() if after.get(path) != digest]
        if changed:
            tally.add_fault(f"{name}: results replaced", " ".join(words), ", ".join(changed))
        elif ending.how not in ("done", "refused", "usage"):
            tally.add_fault(f"{name}: {ending.how}: {ending.kind}", " ".join(words), ending.text)
        else:
            tally.add(RIGHT if ending.how == "done" else REFUSED)
    return tally


def _quietly(words: list[str]) -> Any:
    import os

    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        os.environ.pop(name, None)
    return run_here(*words)


def _results(run: Path) -> Iterator[tuple[str, str]]:
    for part in ("model", "evaluations", "recordings", "checkpoints"):
        for path in (run / part).rglob("*"):
            if path.suffix in (".parquet", ".safetensors") or path.name == "agent.json":
                yield (
                    path.relative_to(run).as_posix(),
                    hashlib.sha256(path.read_bytes()).hexdigest(),
                )


_NAMES_IT = re.compile(r"process|lock|already|in use|being|is training|running", re.IGNORECASE)
"""What says that somebody else trains there; running into each other's files does not."""


def two_at_once() -> Tally:
    """A second training into the folder of one that runs is refused, and does it no harm."""
    tally = Tally("keeping", "two trainings into one folder")
    settings = {"resume": True, "steps": 10**6}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        first = start(partial(train, run, **settings))
        until = time.monotonic() + 60.0
        while not (run / "manifest.json").exists() and time.monotonic() < until:
            time.sleep(0.005)
        second = apart(partial(train, run, **settings), 10.0)
        was_over = is_over(first)
        end(first)
        third = apart(partial(train, run, stop_at=1, **settings), 60.0)
    if second.how == "refused" and _NAMES_IT.search(second.text) and not was_over:
        tally.add(REFUSED)
    else:
        tally.add_fault("the second goes on, or the first ends", "while it trains", second.text)
    if third.how == "done":
        tally.add(RIGHT)
    else:
        tally.add_fault(f"after a kill: {third.how}: {third.kind}", "killed before", third.text)
    return tally


SUBJECTS: dict[str, Callable[[], Tally]] = {
    "a user's files": among_files,
    "finished results": finished_results,
    "two trainings into one folder": two_at_once,
}
