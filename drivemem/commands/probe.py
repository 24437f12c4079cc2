"""`drivemem probe`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from drivemem.commands.parsing import read_options
from drivemem.errors import UsageError


@dataclass
class Options:
    """Decode what is hidden from the memory state of trained runs, and see where they look."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Folders of trained runs."""
    episodes: int = 200
    """How many episodes."""
    suite: str = "test"
    """test, eval, train, or the path of a suite.json."""
    lesion: str = "intact"
    """Probe the memory while it is cut: name:argument; `drivemem list lesions`."""
    frames: int = 4
    """Depth of the frame stack that the memory is compared with."""
    backend: Literal["auto", "compiled", "reference"] = "auto"
    """auto: compiled where the scenario supports it."""
    num_envs: int = 16
    """Worlds driven at once."""
    num_workers: int | None = None
    """Threads (compiled) or processes (reference); default: the machine's cores."""
    edit: str | None = None
    """In place of decoding: make memory hold another value of this (latent, or part of a target's
    name), and see whether what the agent does follows."""
    edit_after: float = 0.0
    """How long it has been hidden when it is edited, s; 0: as soon as it is."""
    edit_by: float | None = None
    """How far a quantity is moved; default: its standard deviation. A kind becomes another one."""


def run(words: list[str]) -> int:
    """Probe and print a table for each run."""
    options = read_options(Options, "probe", words)
    if not options.runs:
        raise UsageError("give trained runs, such as runs/gru")
    settings = vars(options)
    runs, target = settings.pop("runs"), settings.pop("edit")
    after_s, by = settings.pop("edit_after"), settings.pop("edit_by")
    if target is None:
        if after_s or by is not None:
            raise UsageError("--edit-after and --edit-by say how to edit: give --edit TARGET too")
        from drivemem.probes import probe

        for path in runs:
            _show(probe(path, **settings))
        return 0
    from drivemem.probes.edits import edit

    del settings["frames"]
    for path in runs:
        _show_edits(edit(path, target, after_s=after_s, by=by, **settings))
    return 0


def _show(found: Any) -> None:
    from rich.table import Table

    from drivemem.comparison.formats import interval_text
    from drivemem.progress import console

    out = console()
    if found.scores:
        inputs = list(dict.fromkeys(score.input for score in found.scores))
        title = f"{found.run}: what can be decoded, episodes that the probe was not fitted on"
        caption = (
            "latent: what the scenario hides that is no actor, such as what a sign said\n"
            "age: since it was last shown; of what is never shown, since the episode began"
        )
        heads = ("target", "age, s", "measure", *inputs, "chance")
        table = Table(*heads, title=title, caption=caption, caption_justify="left")
        cells: dict[tuple[Any, ...], dict[str, Any]] = {}
        for score in found.scores:
            key = (score.target, score.age_low_s, score.age_high_s, score.measure)
            cells.setdefault(key, {})[score.input] = score
        for (target, low, high, measure), by_input in cells.items():
            first = next(iter(by_input.values()))
            values = [
                interval_text(by_input[name].value) if name in by_input else "" for name in inputs
            ]
            table.add_row(target, age_text(low, high), measure, *values, f"{first.chance:.2f}")
        out.print(table)
    for line in _words(found):
        out.print(line, markup=False, highlight=False)
    out.print(f"probes: {found.folder}", markup=False, soft_wrap=True)


def _show_edits(found: Any) -> None:
    from rich.table import Table

    from drivemem.comparison.formats import interval_text
    from drivemem.probes.edits import ARMS
    from drivemem.progress import console

    table = Table(
        "measure", *ARMS,
        title=f"{found.run}: {found.target} edited after {found.after_s:g} s",
        caption=f"control: as large ({found.size:.2g} standardised), where the probe does not read",
    )  # fmt: skip
    cells: dict[str, dict[str, str]] = {}
    for one in found.effects:
        cells.setdefault(one.measure, {})[one.arm] = interval_text(one.value)
    for measure, by_arm in cells.items():
        table.add_row(measure, *(by_arm.get(arm, "") for arm in ARMS))
    out = console()
    out.print(table)
    out.print(f"edits: {found.folder}", markup=False, soft_wrap=True)


def age_text(low: float | None, high: float | None) -> str:
    """A band of ages for people."""
    if low is None or high is None:
        return "any time"
    if high == 0:
        return "shown now"
    return f"over {low:g}" if high == float("inf") else f"{low:g} to {high:g}"


def _words(found: Any) -> list[str]:
    lines = list(found.notes)
    marked = [mass for mass in found.attention if mass.age_steps is None]
    for what in dict.fromkeys(mass.what for mass in marked):
        heads = [mass for mass in marked if mass.what == what]
        best = max(heads, key=lambda mass: mass.mass)
        mean = sum(mass.mass for mass in heads) / len(heads)
        lines.append(
            f"attention on the frame with the {what}: {mean:.3f} over heads (equal attention: "
            f"{best.uniform:.3f}); most in layer {best.layer}, head {best.head}: {best.mass:.3f}"
        )
    if found.saliency:
        past = 1.0 - found.saliency[0].share
        lines.append(f"saliency: {past:.0%} of the gradient falls on past frames")
    lines += [
        f"{one.layer}: {one.dormant:.1%} of {one.units} units dormant, feature rank "
        f"{one.feature_rank}, effective rank {one.effective_rank:.1f} ({one.decisions:,} decisions "
        "of a driver that acts at random)"
        for one in found.plasticity
    ]
    return lines
