"""The report in a real browser: with every kind of figure and table, for keyboards and ears too."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from drivemem.comparison import compare_runs
from drivemem.episodes import write_table
from drivemem.runs import write_json_file
from drivemem.schemas import EDIT_READ, FOLLOWS_KIND, PROBES
from tests.accessibility import assert_accessible, controls, tab_stops, unfold
from tests.browser import SIZES, Browser, Keys, needs_browser
from tests.drivemem.comparison.test_edited import put_edit, put_plasticity
from tests.drivemem.conftest import writer

pytestmark = needs_browser

FIGURES = {
    "Success", "How episodes ended", "Pace and collisions", "Learning", "Performance profiles",
    "Probability of improvement", "How much memory is needed", "What memory costs",
    "Retention, exit-recall-easy-v0: cue_window_s", "Decoded: latent", "Where attention goes",
    "Which past frames move the decision", "Edits of memory that are followed",
    "How many dimensions are at work",
}  # fmt: skip
TABLES = {
    "Transfer of gru", "Agents and how they drove", "Runs made readable",
    "Edits of memory", "Layers at work",
    "Over runs", "Training episodes against unseen ones", "Forgetting", "Episodes that differ most",
    "How they drive", "Runs",
}  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of runs that have all that a report can show."""
    place = tmp_path_factory.mktemp("report")
    write = writer(place)
    endings = {"none": "SSCCTC", "gru": "SSSSSC", "lstm": "SSSCSC"}
    for number, (memory, ends) in enumerate(endings.items()):
        for seconds, runs in ((1.0, 4), (2.0, 1)):
            for seed in range(runs):
                sensors = {"cue_window_s": seconds}
                name = f"{memory}-{seconds:.0f}-s{seed}"
                folder = write(
                    name, ends[seed:] + ends[:seed], memory=memory, seed=seed,
                    sensors=sensors, mean_speed=10.0 + number,
                )  # fmt: skip
                _as_trained(folder, 256 * number)
        for span in (1, 4):
            write(f"{memory}-1-s0", "SCCCCC", memory=memory, lesion=f"span:{span}",
                  sensors={"cue_window_s": 1.0})  # fmt: skip
    one = {"cue_window_s": 1.0}
    # Long names leave narrow axes.
    named = {"aux_coef": 1.0, "memory_kwargs": ["gate_bias=100"]}
    many = write("many-s0", "SSSCCC", memory="gru", sensors=one, settings=named)
    put_edit(many, {FOLLOWS_KIND: (0.5, 0.0)})
    write("gru-1-s0", "SSSSSS", memory="gru", stream="train", sensors=one)
    write("idle", "SCCCCC", memory="constant:IDLE", seed=None, sensors=one)
    write("abroad", "SCCCCC", memory="gru", settings={"scenario": "occluded-intersection"},
          sensors=one)  # fmt: skip
    then = write("then", "SCCCCC", memory="gru", sensors=one)
    start = str(place / "runs" / "gru-1-s0")
    config = {"scenario": "blackout-highway", "memory": "gru", "seed": 0, "start_from": start}
    write_json_file(then / "config.json", config)
    write_json_file(place / "runs" / "unfinished" / "config.json", {"memory": "gru"})
    _probe(place / "runs" / "gru-1-s0")
    put_edit(place / "runs" / "gru-1-s0", {FOLLOWS_KIND: (0.9, 0.1), EDIT_READ: (1.0, 0.0)})
    put_plasticity(place / "runs" / "gru-1-s0", {"encoder": 7.0, "memory": 11.0})
    _make_readable(place / "runs" / "gru-1-s0")
    compare_runs([place / "runs"], report=place / "out", claims="One claim.")
    return place / "out" / "report.html"


def _as_trained(run: Path, state_bytes: int) -> None:
    """What training leaves, and a replay page."""
    write_json_file(run / "manifest.json", {"memory_state_bytes": state_bytes, "parameters": 1000})
    lines = [{"step": k, "rollout/success_rate": k / 400} for k in range(0, 400, 100)]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (run / "metrics.jsonl").write_text(text, encoding="utf-8")
    (run / "recordings" / "test-intact").mkdir(parents=True)
    (run / "recordings" / "test-intact" / "replay.html").write_text("a replay", encoding="utf-8")


def _probe(run: Path) -> None:
    """What a probe leaves of a run."""
    folder = run / "probes" / "test-intact"
    folder.mkdir(parents=True)
    shutil.copy(run / "evaluations" / "test-intact" / "suite.json", folder)
    about = {"run": run.name, "driver": "gru", "lesion": "intact", "scenario": "exit-recall"}
    scores = [
        {
            **about, "input": name, "target": "latent", "measure": "balanced accuracy",
            "age_low_s": low, "age_high_s": low + 1.0, "score": score, "low": 0.1, "high": 0.9,
            "chance": 0.33, "decisions": 10, "episodes": 5,
        }
        for name, score in (("memory", 0.9), ("observation", 0.3), ("frame stack", 0.4))
        for low in (0.0, 1.0)
    ]  # fmt: skip
    write_table(folder / "scores.parquet", PROBES["scores"], scores)
    ages = [{"run": run.name, "age_steps": k, "age_s": 0.2 * k, "decisions": 10} for k in range(4)]
    attention = [
        {**age, "what": "age", "layer": 0, "head": 0, "mass": 0.25, "uniform": 0.25} for age in ages
    ]
    write_table(folder / "attention.parquet", PROBES["attention"], attention)
    saliency = [{**age, "share": 0.25, "low": 0.2, "high": 0.3} for age in ages]
    write_table(folder / "saliency.parquet", PROBES["saliency"], saliency)


def _make_readable(run: Path) -> None:
    """What `distill --to machine` leaves of a run."""
    facts = dict.fromkeys(("agreement", "commonest", "success", "agents_success"), 0.5)
    write_json_file(run / "machine" / "machine.json", {**facts, "size": 4})
    picture = io.BytesIO()
    Image.new("RGB", (900, 300), "white").save(picture, format="PNG")
    (run / "machine" / "machine.png").write_bytes(picture.getvalue())


def test_every_reader_meets_the_whole_report(browser: Browser, report: Path) -> None:
    browser.look("desktop", "light")
    browser.errors()
    browser.visit(report)
    titles = browser.js("[...document.querySelectorAll('figcaption')].map(e => e.firstChild.data)")
    assert set(titles) >= FIGURES
    assert any("as a machine of 4 states" in title for title in titles)
    tables = browser.js(
        "[...document.querySelectorAll('.scroll:has(table)')].map(e => e.ariaLabel)"
    )
    assert {label.partition(":")[0] for label in tables} == TABLES
    assert browser.js("[...document.querySelectorAll('tbody tr')].every(e => e.cells[0].scope)")
    unfold(browser)
    assert_accessible(browser)
    assert browser.errors() == []


_OUTSIDE = """(() => {
  const found = [];
  for (const svg of document.querySelectorAll("figure svg")) {
    const whole = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll("text")) {
      const part = text.getBoundingClientRect();
      if (part.left < whole.left - 1 || part.right > whole.right + 1) found.push(text.textContent);
    }
  }
  return found;
})()"""


def test_no_word_of_a_figure_is_cut_off(browser: Browser, report: Path) -> None:
    browser.look("desktop", "light")
    browser.visit(report)
    unfold(browser)
    assert browser.js("document.querySelectorAll('figure svg text').length") > 100
    assert browser.js(_OUTSIDE) == []


def test_figures_say_what_they_show(browser: Browser, report: Path) -> None:
    browser.look("desktop", "light")
    browser.visit(report)
    told = browser.js(
        """[...document.querySelectorAll('figure svg')].map((svg) => [
          svg.ariaLabel, document.getElementById(svg.getAttribute('aria-describedby')).textContent,
        ])"""
    )
    assert len({label for label, _ in told}) == len(told) >= len(FIGURES)
    words = dict(told)
    suite = "exit-recall-easy-v0, cue_window_s=1.0"
    learning = words[f"Success during training on {suite}"]
    assert learning.startswith("success, last 100 episodes against decisions trained. ")
    assert "gru: 0 at 0, " in learning and "0.75 at 300." in learning
    ended = words[f"How episodes of {suite} ended, by agent"]
    assert "constant:IDLE: success 0.167, collision 0.833." in ended
    assert "constant:IDLE: 0.167." in words[f"Success on {suite} with intervals, by agent"]
    assert "memory: 0–1 0.90, 1–2 0.90." in words[f"What decodes latent on {suite}, by age"]


@pytest.mark.parametrize("size", SIZES)
def test_the_tab_key_comes_to_all_that_can_be_used(
    browser: Browser, report: Path, size: str
) -> None:
    browser.look(size, "light")
    browser.visit(report)
    wanted = controls(browser)
    assert {"summary Runs", "a replay"} <= set(wanted)
    assert tab_stops(browser) == wanted
    assert browser.js("document.documentElement.scrollWidth") == SIZES[size][0]
    browser.driver.execute_script("document.querySelector('summary').focus()")
    browser.keys(Keys.ENTER)
    assert browser.js("document.querySelector('details').open")
    if size == "phone":  # where tables are wider than the screen
        browser.driver.execute_script(
            "window.wide = [...document.querySelectorAll('.scroll')]"
            ".find((one) => one.scrollWidth > one.clientWidth); wide.focus()"
        )
        browser.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        browser.wait("wide.scrollLeft > 0")
