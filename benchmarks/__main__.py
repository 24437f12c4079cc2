"""All benchmarks of this machine, beside their peers: `python -m benchmarks`, or `make bench`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.tables import Row, machine, markdown, text

TITLES = {
    "simulation": "Simulation: decisions a second beside highway-env, by turns of ten seconds",
    "resets": "Resets: milliseconds of processor time to begin an episode, beside highway-env's",
    "memories": "Memories: milliseconds of processor time to learn from and to act T steps",
    "updates": "PPO: seconds of an update and of a rollout beside RecurrentPPO and PPO",
    "waiting": "Waiting: seconds of processor time and of the wall until something happens",
    "training": "Training end to end on CartPole without velocities beside RecurrentPPO and PPO",
}


def measure(name: str) -> list[Row]:
    """Rows of one benchmark with its default settings."""
    run: Callable[[], list[Row]] = import_module(f"benchmarks.{name}").run
    return run()


def measure_all(names: Sequence[str]) -> dict[str, list[Row]]:
    """Rows of the benchmarks that can run here, each printed when it is done."""
    print(machine(), flush=True)
    found: dict[str, list[Row]] = {}
    for name in names:
        try:
            found[name] = measure(name)
        except ImportError as error:
            print(f"\n{TITLES[name]}: cannot run here: {error}", file=sys.stderr)
            continue
        print(f"\n{TITLES[name]}\n{text(found[name])}", flush=True)
    return found


def write(found: dict[str, list[Row]], as_json: Path | None, as_markdown: Path | None) -> None:
    """Write all rows, or all tables, where a file is named for them."""
    if as_json:
        report = {"machine": machine(), "benchmarks": found}
        as_json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if as_markdown:
        parts = [f"## {TITLES[name]}\n\n{markdown(rows)}" for name, rows in found.items()]
        as_markdown.write_text("\n\n".join([machine() + ".", *parts]) + "\n", encoding="utf-8")


def main(words: list[str] | None = None) -> int:
    """Command line; exit code 1 if a benchmark cannot run here."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(TITLES), default=list(TITLES))
    parser.add_argument("--json", type=Path, help="also write all rows here")
    parser.add_argument("--markdown", type=Path, help="also write all tables here")
    told = parser.parse_args(words)
    found = measure_all(told.only)
    write(found, told.json, told.markdown)
    return int(len(found) < len(told.only))


if __name__ == "__main__":
    sys.exit(main())
