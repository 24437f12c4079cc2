"""What was probed, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivemem.comparison.formats import interval_text
from drivemem.tables import Table

if TYPE_CHECKING:
    from drivemem.probes import Probe

CAPTION = (
    "latent: what the scenario hides that is no actor, such as what a sign said\n"
    "age: since it was last shown; of what is never shown, since the episode began"
)


def score_table(found: Probe) -> Table:
    """How well each target is decoded from each input."""
    inputs = list(dict.fromkeys(score.input for score in found.scores))
    cells: dict[tuple[Any, ...], dict[str, Any]] = {}
    for score in found.scores:
        key = (score.target, score.age_low_s, score.age_high_s, score.measure)
        cells.setdefault(key, {})[score.input] = score
    rows = []
    for (target, low, high, measure), by_input in cells.items():
        first = next(iter(by_input.values()))
        values = [
            interval_text(by_input[name].value) if name in by_input else "" for name in inputs
        ]
        rows.append((target, age_text(low, high), measure, *values, f"{first.chance:.2f}"))
    return Table(
        ("target", "age, s", "measure", *inputs, "chance"), rows,
        title=f"{found.run}: what can be decoded, episodes that the probe was not fitted on",
        caption=CAPTION, records=[record(found.run, score) for score in found.scores],
    )  # fmt: skip


def record(run: str, score: Any) -> dict[str, Any]:
    """A score or an effect as a flat record."""
    value = score.value
    limits = {"value": value.estimate, "value_low": value.low, "value_high": value.high}
    return {"run": run, **{k: v for k, v in vars(score).items() if k != "value"}, **limits}


def age_text(low: float | None, high: float | None) -> str:
    """A band of ages for people."""
    if low is None or high is None:
        return "any time"
    if high == 0:
        return "shown now"
    return f"over {low:g}" if high == float("inf") else f"{low:g} to {high:g}"


def told(found: Probe) -> list[str]:
    """What else there is to say, in lines."""
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
