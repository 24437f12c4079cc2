"""The tour's page: the replay page with a question above its player and the answer below."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from drivemem.catalogue.adding import CUT
from drivemem.comparison.formats import interval_text
from drivemem.comparison.statistics import Interval
from drivemem.probes.shown import CAPTION, age_text
from drivemem.replays.page import Around, page_of
from drivemem.replays.simulate import scenario_of
from drivemem.tables import Table
from drivemem.touring.material import Material

TITLE = "Does memory make a better driver when part of the road is hidden?"
_INPUTS = {
    "observation": "from what it is shown now", "frame stack": "from the last 4 frames",
    "memory": "from its memory",
}  # fmt: skip


def page_text(material: Material) -> str:
    """The HTML of a tour."""
    summary = scenario_of(material.episodes[0][0]).summary
    question = _in_plain_words(material.scenario, summary)
    around = Around(
        kind="tour",
        title=TITLE,
        summary=f"{material.scenario}: {summary}",
        labels=_labels(material),
        before=_filled("before.html", question=question, **_answer(material)),
        after=_filled("after.html", scenario=material.scenario, **_findings(material)),
        style=_read("tour.css"),
    )
    return page_of(material.recordings, material.episodes, material.telling, around)


def _labels(material: Material) -> tuple[str, str, str]:
    memory = material.with_memory.config.memory
    return "without memory", f"with memory: {memory}", f"the same {memory}, its memory cut"


def _answer(material: Material) -> dict[str, Any]:
    """What the episodes say, in a sentence and in bars."""
    shares = [f"{100 * one.success.estimate:.0f} %" for one in material.stated]
    episodes, memory = material.stated[0].episodes, material.with_memory.config.memory
    begun = "Here it does" if material.gap > 0 else "Here that is not shown"
    answer = (
        f"{begun}: of {episodes} episodes of {material.scenario} that neither has seen before, an "
        f"agent without memory ends {shares[0]} well, one with a memory ({memory}) {shares[1]}; "
        f"take its memory away at every decision, and the same agent ends {shares[2]} well."
    )
    bars = [
        {"label": label, "success": one.success.estimate, "text": interval_text(one.success)}
        for label, one in zip(_labels(material), material.stated, strict=True)
    ]
    return {"answer": answer, "bars": bars}


def _in_plain_words(scenario: str, summary: str) -> str:
    """What is asked of drivers in a scenario, for somebody who has never heard of it."""
    return str(tomllib.loads(_read("words.toml")).get(scenario, f"{summary}."))


def _findings(material: Material) -> dict[str, Any]:
    """Tables and commands below the player."""
    place = material.with_memory.place
    scores = material.scores
    return {
        "held": _held([one for one in scores if one["age_low_s"] is None]),
        "by_age": _held([one for one in scores if one["age_low_s"] is not None]),
        "agents": _agents(material),
        "episodes": material.stated[0].episodes,
        "next": [
            f"drivemem evaluate {place} --episodes 200 --lesion span:1,4,16,64",
            f"drivemem replay {place} --against {material.without.place}",
            f"drivemem probe {place}",
            f"drivemem compare 'zoo:{material.without.name.partition('/')[0]}/*'",
        ],
        "anew": [one.command for one in material.entries],
    }


def _held(scores: list[dict[str, Any]]) -> Table | None:
    """What a probe reads from each input; None where nothing was probed."""
    by_input: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for one in scores:
        key = one["target"], one["age_low_s"], one["age_high_s"], one["measure"]
        by_input.setdefault(key, {})[one["input"]] = one
    rows = [
        (
            target, age_text(low, high), measure,
            *(_score(found[name]) if name in found else "" for name in _INPUTS),
            f"{next(iter(found.values()))['chance']:.2f}",
        )
        for (target, low, high, measure), found in by_input.items()
    ]  # fmt: skip
    columns = ("what is hidden", "shown, s ago", "measure", *_INPUTS.values(), "chance")
    return Table(columns, rows, caption=CAPTION) if rows else None


def _score(found: dict[str, Any]) -> str:
    return interval_text(Interval(found["score"], found["low"], found["high"]))


def _agents(material: Material) -> Table:
    rows = [
        (
            f"{one.place}", one.agent, "cut at every decision" if found.lesion == CUT else "whole",
            interval_text(found.success), f"{found.collision:z.3f}",
        )
        for one in material.entries
        for found in one.stated.values()
    ]  # fmt: skip
    return Table(("name", "memory", "which is", "success [95 %]", "collision"), rows)


def _read(name: str) -> str:
    return files("drivemem.touring").joinpath("templates", name).read_text(encoding="utf-8")


def _filled(template: str, **values: Any) -> str:
    """A template with values, which are escaped."""
    import jinja2
    from markupsafe import Markup

    def table(found: Table, label: str) -> Markup:
        opened = Markup('<div class="scroll" tabindex="0" role="region" aria-label="{}">')
        return opened.format(label) + Markup(found.to_html()) + Markup("</div>")

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("drivemem.touring"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals["table"] = table
    return environment.get_template(template).render(**values)
