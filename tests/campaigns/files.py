"""Part 2: every file that a command reads, damaged or edited in every way we know of.

Damage (missing, empty, cut, garbage, flipped bits of binary files): the command gives the numbers
of the whole file, or refuses in one line. Edits (another version, hostile strings, dropped keys,
flipped bits of text): whatever comes of them, it is no traceback and nothing is written elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from tests.campaigns.apart import Ending, apart, run_here
from tests.campaigns.figures import REFUSED, RIGHT, SLOW, Tally
from tests.campaigns.project import EPISODES, kept_folder, make, make_study, study_words, train

PARTS = 16
_BY_HAND = ".toml"
"""Files that people write."""
HOSTILE = (
    "../../escaped", "/", "", "\x00", "[bold]red[/bold]", "<script>alert(1)</script>",
    "__import__('os').system('x')", "{0}%s", "two\nlines", "ünïcode 🚗\u202e", "x" * 5000,
    "cuda:99", "1e999",
)  # fmt: skip
VALUES: tuple[Any, ...] = (None, -1, 10**30, 1e308, [], {}, True, "", [None], {"a": {}})


@dataclass(frozen=True)
class Mutation:
    """What is done to a file: its name in reports, its new bytes, whether it is damage."""

    name: str
    change: Callable[[bytes], bytes | None]
    is_damage: bool = True


Reader = Callable[[Path], Any]
"""Runs in a child: given the project's folder, returns what must be equal to the undamaged's."""


# ---- commands that read, and what they give ------------------------------------------------


def evaluate(root: Path) -> Any:
    """Drive anew and read the episodes."""
    return _evaluate(root, "--again")


def evaluate_kept(root: Path) -> Any:
    """Evaluate what is evaluated already."""
    return _evaluate(root)


def evaluate_suite(root: Path) -> Any:
    """Drive a published suite."""
    ending = run_here("evaluate", str(root / "gru"), "--suite", str(root / "suite.json"), *EPISODES)
    return _with(ending, lambda: [_rows(file) for file in _episodes(root / "gru")])


def compare(root: Path) -> Any:
    """The table, without what names folders."""
    ending = run_here("compare", str(root / "gru"), str(root / "none"))
    if ending.how == "done" and "left out: " in ending.text:
        return Ending("refused", text=ending.text)
    return _with(ending, lambda: ending.text)


def report(root: Path) -> Any:
    """Table and learning curves, as files."""
    out = root / "report"
    ending = run_here("compare", str(root / "gru"), str(root / "none"), "--report", str(out))
    if ending.how == "done" and "left out: " in ending.text:
        return Ending("refused", text=ending.text)
    return _with(ending, lambda: (out / "table.csv").read_text())


def replay(root: Path) -> Any:
    """The page."""
    page = root / "page.html"
    ending = run_here("replay", str(root / "gru"), "--page", str(page))
    return _with(ending, lambda: hashlib.sha256(page.read_bytes()).hexdigest())


def verify(root: Path) -> Any:
    """Simulate the recording again."""
    return _with(run_here("replay", str(root / "gru"), "--verify"), lambda: None)


def resume(root: Path) -> Any:
    """Go on training from a checkpoint."""
    train(root / "begun", resume=True)
    return _trained(root / "begun")


def resume_curve(root: Path) -> Any:
    """Go on training where the curve is damaged: the weights. Lines that are lost are said."""
    train(root / "begun", resume=True)
    return _trained(root / "begun")[0]


def resume_finished(root: Path) -> Any:
    """Go on with a run that is done: its model must be there and whole."""
    train(root / "gru", resume=True)
    return hashlib.sha256((root / "gru/model/model.safetensors").read_bytes()).hexdigest()


def fine_tune(root: Path) -> Any:
    """Start from another run's weights, held by its importance file."""
    train(root / "tuned", start_from=str(root / "gru"), consolidation_coef=1.0)
    return hashlib.sha256((root / "tuned/model/model.safetensors").read_bytes()).hexdigest()


def load(root: Path) -> Any:
    """Load the agent and act once."""
    import drivemem

    model = drivemem.load(root / "gru", device="cpu")
    total = sum(float(value.double().sum()) for value in model.policy.state_dict().values())
    return repr(total)


def preset(root: Path) -> Any:
    """Train with a preset's settings."""
    words = ("--n-steps", "16", "--batch-size", "32", "--num-workers", "1")
    out = root / "preset-run"
    ending = run_here(
        "train", "exit-recall", "--preset", str(root / "preset.toml"), *words, "--out", str(out)
    )
    return _with(ending, lambda: _trained(out))


def dry_run(root: Path) -> Any:
    """Plan the study."""
    return _with(run_here(*study_words(root, "--dry-run")), lambda: None)


def study_again(root: Path) -> Any:
    """Go on with the study."""
    return _with(run_here(*study_words(root)), lambda: (root / "results/table.csv").read_text())


def restore(root: Path) -> Any:
    """Take the study's runs from its results, and report them."""
    shutil.rmtree(root / "out")
    words = study_words(root, "--restore", str(root / "results"), "--only-report")
    words[words.index("--results") + 1] = str(root / "again")
    ending = run_here(*words)
    if ending.how == "done" and re.search(r"not restored: |^0 runs", ending.text, re.MULTILINE):
        return Ending("refused", text=ending.text)
    return _with(ending, lambda: (root / "again/table.csv").read_text())


def _evaluate(root: Path, *more: str) -> Any:
    ending = run_here("evaluate", str(root / "gru"), *EPISODES, *more)
    return _with(ending, lambda: [_rows(file) for file in _episodes(root / "gru")])


def _with(ending: Ending, value: Callable[[], Any]) -> Ending:
    return replace(ending, value=value()) if ending.how == "done" else ending


def _episodes(run: Path) -> list[Path]:
    return sorted(run.glob("evaluations/*/episodes.parquet"))


def _rows(file: Path) -> list[Any]:
    import duckdb

    query = 'SELECT episode, seed, outcome, "return", length FROM read_parquet(?) ORDER BY 1'
    return duckdb.execute(query, [str(file)]).fetchall()


def _trained(run: Path) -> Any:
    """Weights and curve of a run."""
    return hashlib.sha256((run / "model/model.safetensors").read_bytes()).hexdigest(), curve_of(run)


def curve_of(run: Path) -> Any:
    """Its metrics less what says when; the bare text where that cannot be read."""
    text = (run / "metrics.jsonl").read_bytes()
    try:
        lines = [json.loads(line) for line in text.decode().splitlines()]
    except ValueError:
        return text
    return [{k: v for k, v in line.items() if not k.startswith("time/")} for line in lines]


# ---- files, and who reads them -------------------------------------------------------------

RUN_FILES: dict[str, tuple[Reader, ...]] = {
    "gru/config.json": (evaluate, compare, resume_finished, replay, load),
    "gru/manifest.json": (evaluate, compare, resume_finished),
    "gru/metrics.jsonl": (report, resume_finished),
    "gru/importance.safetensors": (fine_tune,),
    "gru/model/model.safetensors": (evaluate, load, resume_finished, fine_tune),
    "gru/model/agent.json": (evaluate, load, resume_finished, fine_tune),
    "gru/evaluations/test-intact/episodes.parquet": (compare, evaluate_kept),
    "gru/evaluations/test-intact/suite.json": (compare, evaluate_kept),
    "gru/evaluations/test-intact/manifest.json": (compare, evaluate_kept),
    "gru/recordings/test-intact/episodes.parquet": (replay, verify),
    "gru/recordings/test-intact/steps.parquet": (replay, verify),
    "gru/recordings/test-intact/actors.parquet": (replay, verify),
    "gru/recordings/test-intact/suite.json": (replay, verify),
    "begun/config.json": (resume,),
    "begun/manifest.json": (resume,),
    "begun/metrics.jsonl": (resume_curve,),
    "begun/checkpoints/192/model.safetensors": (resume,),
    "begun/checkpoints/192/optimizer.safetensors": (resume,),
    "begun/checkpoints/192/rollout.safetensors": (resume,),
    "begun/checkpoints/192/worlds.safetensors": (resume,),
    "begun/checkpoints/192/state.json": (resume,),
    "begun/checkpoints/192/run.json": (resume,),
    "suite.json": (evaluate_suite,),
    "preset.toml": (preset,),
}
STUDY_FILES: dict[str, tuple[Reader, ...]] = {
    "tiny.toml": (dry_run,),
    "out/study.json": (dry_run, study_again),
    "out/exit-recall-none-s0/config.json": (dry_run, study_again),
    "out/exit-recall-none-s0/manifest.json": (dry_run, study_again),
    "out/exit-recall-none-s0/done.json": (dry_run, study_again),
    "out/exit-recall-none-s0/evaluations/test-intact/episodes.parquet": (study_again,),
    "out/exit-recall-none-s0/evaluations/test-intact/suite.json": (study_again,),
    "results/runs.parquet": (restore,),
    "results/episodes.parquet": (restore,),
}
FILES = {"run": RUN_FILES, "study": STUDY_FILES}


# ---- mutations -----------------------------------------------------------------------------


def mutations(name: str, content: bytes, flips: int, chance: random.Random) -> list[Mutation]:
    """Everything that is done to a file of this name and content."""
    is_text = not name.endswith((".safetensors", ".parquet"))
    found = [Mutation("missing", lambda _: None), Mutation("empty", lambda _: b"")]
    found += [_cut(part) for part in range(1, PARTS)]
    garbage = chance.randbytes(max(len(content), 64))
    found += [
        Mutation("garbage", lambda _: garbage),
        Mutation("not UTF-8", lambda _: b"\xff\xfe{}"),
    ]
    found.append(Mutation("another kind of JSON", lambda _: b"[1, 2]"))
    found += [_flip(content, chance, is_text) for _ in range(flips)]
    if name.endswith(".json"):
        found += list(_edits(content))
    if name.endswith(_BY_HAND):  # what is left of it may be another sound text
        found = [replace(mutation, is_damage=False) for mutation in found]
    return found


def _cut(part: int) -> Mutation:
    return Mutation(f"cut at {part}/{PARTS}", lambda data: data[: len(data) * part // PARTS])


def _flip(content: bytes, chance: random.Random, is_text: bool) -> Mutation:
    bit = chance.randrange(8 * len(content))

    def change(data: bytes) -> bytes:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        return bytes(flipped)

    return Mutation(f"bit {bit} flipped", change, is_damage=not is_text)


def _edits(content: bytes) -> Iterator[Mutation]:
    """Other versions, and each value at the top and one level below replaced or dropped."""
    plain = json.loads(content)
    places = [(key,) for key in plain]
    places += [(key, inner) for key, below in plain.items() if isinstance(below, dict)
               for inner in below]  # fmt: skip
    for number, place in enumerate(places):
        seen = plain[place[0]] if len(place) == 1 else plain[place[0]][place[1]]
        others = HOSTILE if isinstance(seen, str) else VALUES
        for value in (others[number % len(others)], others[(3 * number + 1) % len(others)]):
            yield _edit(plain, place, value)
        yield _edit(plain, place, ...)
    if "version" in plain:
        yield _edit(plain, ("version",), 99)


def _edit(plain: dict[str, Any], place: tuple[str, ...], value: Any) -> Mutation:
    edited = json.loads(json.dumps(plain))
    table = edited if len(place) == 1 else edited[place[0]]
    if value is ...:
        del table[place[-1]]
    else:
        table[place[-1]] = value
    text = json.dumps(edited).encode()
    shown = "dropped" if value is ... else f"= {value!r:.60}"
    return Mutation(f"{'.'.join(place)} {shown}", lambda _: text, is_damage=False)


# ---- running -------------------------------------------------------------------------------


def run(
    kind: str,
    flips: int = 16,
    most: int | None = None,
    seed: int = 0,
    only: Collection[str] | None = None,
) -> Iterator[Tally]:
    """Put the files of a kind (`run` or `study`) to the test; one tally for each file.

    Args:
        kind: of `FILES`.
        flips: bits flipped in each file, one at a time.
        most: cases of each file and reader, drawn from all; None: all of them.
        seed: of what is drawn.
        only: names of files; None: all of them.
    """
    whole = _whole(kind)
    for name, readers in FILES[kind].items():
        if only is not None and name not in only:
            continue
        chance = random.Random(f"{seed} {name}")
        tally = Tally("files", name)
        content = (whole / name).read_bytes() if (whole / name).exists() else b"{}"
        for reader in readers:
            cases = mutations(name, content, flips, chance)
            for mutation in cases if most is None else chance.sample(cases, min(most, len(cases))):
                _meet(tally, whole, name, reader, mutation)
        yield tally


def _meet(tally: Tally, whole: Path, name: str, reader: Reader, mutation: Mutation) -> None:
    expected = _expected(whole, reader)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "a" / "b" / "project"
        shutil.copytree(whole, root)
        path = root / name
        changed = mutation.change(path.read_bytes() if path.exists() else b"{}")
        if changed is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(changed)
        ending = apart(lambda: reader(root), 60.0)
        strayed = _strayed(Path(folder), root)
    what = f"{reader.__name__} after {name} was {mutation.name}"
    if strayed:
        tally.add_fault("files written elsewhere", what, str(strayed))
    elif ending.how in ("refused", "usage"):
        tally.add(REFUSED)
    elif ending.how == "hung" and name.endswith(_BY_HAND):
        tally.add(SLOW)  # without its settings, a preset trains for as long as the defaults say
    elif ending.how != "done":
        tally.add_fault(f"{reader.__name__}: {ending.how}: {ending.kind}", what, ending.text)
    elif _differs(ending, expected, mutation):
        tally.add_fault(f"{reader.__name__}: other numbers, exit 0", what, ending.text)
    else:
        tally.add(RIGHT)


def _differs(ending: Ending, expected: Any, mutation: Mutation) -> bool:
    # An evaluation whose file is gone was never made: a table without it is right.
    if not mutation.is_damage or mutation.name == "missing":
        return False
    return bool(ending.value != expected)


def _strayed(folder: Path, root: Path) -> list[str]:
    """What lies outside the project, or under a name that a file asked for."""
    outside = [path for path in folder.rglob("*") if not path.is_relative_to(root)]
    outside = [path for path in outside if not root.is_relative_to(path)]
    inside = [
        path
        for path in root.rglob("*escaped*")
        if path.parent.name not in ("evaluations", "recordings", "probes")
    ]
    return [path.relative_to(folder).as_posix() for path in [*outside, *inside]]


@cache
def _whole(kind: str) -> Path:
    folder = kept_folder()
    (make if kind == "run" else make_study)(folder)
    return folder


@cache
def _expected(whole: Path, reader: Reader) -> Any:
    """What a reader gives of undamaged files."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "a" / "b" / "project"
        shutil.copytree(whole, root)
        ending = apart(lambda: reader(root), 120.0)
    if ending.how != "done":
        raise RuntimeError(f"{reader.__name__} fails on undamaged files: {ending}")
    return ending.value
