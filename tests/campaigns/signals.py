"""Part 3: SIGKILL at random points; the same command again must give what an unkilled one gives."""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.campaigns.apart import Ending, apart, end, is_over, run_here, start, warm
from tests.campaigns.figures import RIGHT, Tally
from tests.campaigns.files import curve_of
from tests.campaigns.project import STUDY, study_words, train

SECONDS = 180.0


@dataclass(frozen=True)
class Job:
    """A command that is killed.

    Attributes:
        prepare: makes what it needs below a folder.
        work: the command; the same again goes on.
        result: of a finished folder, to be compared bit for bit.
    """

    prepare: Callable[[Path], None]
    work: Callable[[Path], Any]
    result: Callable[[Path], Any]


def run(name: str, points: int, seed: int = 0) -> Tally:
    """Kill one of `JOBS` at so many random points, going on after each.

    A killed job is begun anew until its end comes before the next point; then it is judged and the
    next begins in an empty folder.
    """
    tally, job, chance = Tally("signals", name), JOBS[name], random.Random(seed)
    whole, lasted = _undisturbed(job)
    killed, rounds = 0, 0
    while killed < points and rounds < 10 * points:
        rounds += 1
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "project"
            root.mkdir()
            job.prepare(root)
            moments: list[float] = []
            after = chance.uniform(0.02, lasted)
            while killed < points and _killed(job, root, after, moments):
                killed, after = killed + 1, chance.uniform(0.02, lasted)
            if killed < points:  # it was over before: the machine is less busy than it was
                lasted = min(lasted, max(after, 0.1))
            ending = apart(partial(_finish, job, root), SECONDS, None)
            what = f"{name} killed after {', '.join(f'{m:.3f}' for m in moments)} s"
            _judge(tally, job, what, ending, whole, root, len(moments))
    return tally


def _killed(job: Job, root: Path, after: float, moments: list[float]) -> bool:
    """Whether a job that was begun had to be killed; False: it was over before."""
    child = start(partial(job.work, root))
    until = time.monotonic() + after
    while time.monotonic() < until and not is_over(child):
        time.sleep(0.002)
    is_late = is_over(child)
    end(child)
    moments += [] if is_late else [after]
    return not is_late


def _judge(
    tally: Tally, job: Job, what: str, ending: Ending, whole: Any, root: Path, kills: int
) -> None:
    left = [path.relative_to(root).as_posix() for path in root.rglob(".*") if _is_left(path)]
    if ending.how != "done":
        tally.add_fault(f"the same command again: {ending.how}: {ending.kind}", what, ending.text)
    elif ending.value != whole:
        tally.add_fault("another result than undisturbed", what, _difference(ending.value, whole))
    elif left:
        tally.add_fault("temporary files left", what, ", ".join(left))
    else:
        tally.add(RIGHT)
    tally.measured["kills"] = tally.measured.get("kills", 0) + kills


def _is_left(path: Path) -> bool:
    """Whether this is what a killed writer leaves (locks stay)."""
    return not path.name.endswith(".lock") and path.name not in (".lock",)


def _difference(seen: Any, whole: Any) -> str:
    names = [key for key in whole if seen.get(key) != whole[key]] if isinstance(whole, dict) else []
    return f"differs: {', '.join(names)}"


def _finish(job: Job, root: Path) -> Any:
    ending = job.work(root)
    if isinstance(ending, Ending) and ending.how != "done":
        return ending
    return job.result(root)


def _undisturbed(job: Job) -> tuple[Any, float]:
    """What a job gives when nobody kills it, and how long it takes, s."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        root.mkdir()
        job.prepare(root)
        warm()
        begun = time.monotonic()
        ending = apart(partial(_finish, job, root), SECONDS, None)
        if ending.how != "done":
            raise RuntimeError(f"the job fails undisturbed: {ending}")
        return ending.value, time.monotonic() - begun


# ---- jobs ----------------------------------------------------------------------------------


def run_files(run: Path) -> dict[str, Any]:
    """What a trained run is, less what says when and how fast."""
    files = ["model/model.safetensors", "model/agent.json", "config.json"]
    found: dict[str, Any] = {
        name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in files
    }
    status = json.loads((run / "manifest.json").read_text())["status"]
    return {**found, "curve": curve_of(run), "status": status}


def tables(root: Path) -> dict[str, Any]:
    """Every Parquet file below a folder by its rows, less archives of what says when."""
    import duckdb

    return {
        path.relative_to(root).as_posix(): repr(
            duckdb.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        )
        for path in sorted(root.rglob("*.parquet"))
        if path.name != "runs.parquet"
    }


def _nothing(root: Path) -> None:
    pass


def _prepare_evaluation(root: Path) -> None:
    ending = apart(lambda: train(root / "run"))
    if ending.how != "done":
        raise RuntimeError(f"training failed: {ending}")


def _evaluate(root: Path) -> Ending:
    words = ("--episodes", "24", "--num-envs", "4", "--num-workers", "1", "--record", "4")
    return run_here("evaluate", str(root / "run"), *words)


def _prepare_study(root: Path) -> None:
    (root / "tiny.toml").write_text(STUDY)


def _study_result(root: Path) -> dict[str, Any]:
    (run,) = (path for path in (root / "out").iterdir() if (path / "metrics.jsonl").exists())
    return {**run_files(run), **tables(root)}


JOBS = {
    "train": Job(
        _nothing,
        lambda root: train(root / "run", resume=True),
        lambda root: run_files(root / "run"),
    ),
    "evaluate --record": Job(_prepare_evaluation, _evaluate, tables),
    "study": Job(_prepare_study, lambda root: run_here(*study_words(root)), _study_result),
}
