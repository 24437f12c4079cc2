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


def run(words: list[str]) -> int:
    """Probe and print a table for each run."""
    options = read_options(Options, "probe", words)
    if not options.runs:
        raise UsageError("give trained runs, such as runs/gru")
    from drivemem.probes import probe

    settings = vars(options)
    for path in settings.pop("runs"):
        _show(probe(path, **settings))
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
    return lines
