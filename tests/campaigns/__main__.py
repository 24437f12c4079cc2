"""All campaigns, or some: `python -m tests.campaigns`, or `make campaign`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.campaigns import endurance, files, keeping, limits, settings, signals
from tests.campaigns.figures import Tally, table

Part = Callable[[float, int], Iterator[Tally]]


def of_settings(scale: float, seed: int) -> Iterator[Tally]:
    """10,000 inputs."""
    for subject, share in settings.SHARES.items():
        yield settings.run(subject, max(int(10_000 * scale * share), 4), seed)


def of_files(scale: float, seed: int) -> Iterator[Tally]:
    """Every mutation of every file, 16 bits flipped in each."""
    for kind in files.FILES:
        most = None if scale >= 1.0 else max(int(60 * scale), 1)
        yield from files.run(kind, 16, most, seed)


def of_signals(scale: float, seed: int) -> Iterator[Tally]:
    """200 kills."""
    for job, points in (("train", 100), ("evaluate --record", 60), ("study", 40)):
        yield signals.run(job, max(int(points * scale), 2), seed)


def of_limits(scale: float, seed: int) -> Iterator[Tally]:
    """Every writer, homes, caches and clocks."""
    most = None if scale >= 1.0 else 2
    for job in limits.JOBS:
        yield limits.file_size(job, most)
    if limits.can_mount():
        for job in limits.JOBS:
            yield limits.full_disk(job, most)
    yield limits.clocks()
    yield limits.homes(None if scale >= 1.0 else ["no home"])


def of_keeping(scale: float, seed: int) -> Iterator[Tally]:
    """Every folder that a command writes."""
    for subject in keeping.SUBJECTS.values():
        yield subject()


def of_endurance(scale: float, seed: int) -> Iterator[Tally]:
    """Minutes each."""
    for job in endurance.JOBS:
        yield endurance.run(job, scale)


PARTS: dict[str, Part] = {
    "settings": of_settings, "files": of_files, "signals": of_signals, "limits": of_limits,
    "keeping": of_keeping,
    "endurance": of_endurance,
}  # fmt: skip


def main(words: list[str] | None = None) -> int:
    """Command line; exit code 1 if a fault was found."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the long form")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--json", type=Path, help="also write all figures here")
    told = parser.parse_args(words)
    found: list[Tally] = []
    for name in told.only:
        for tally in PARTS[name](told.scale, told.seed):
            found.append(tally)
            print(f"{tally.report()}\n  ({tally.seconds:.0f} s)", flush=True)
    print(f"\n{table(found)}")
    faults = sum(len(tally.faults) for tally in found)
    inputs = sum(tally.inputs for tally in found)
    print(f"\n{inputs:,} inputs, {faults} kinds of faults")
    if told.json:
        report = {
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": f"{platform.platform()}, {os.cpu_count()} cores", "scale": told.scale,
            "seed": told.seed, "tallies": [tally.to_json() for tally in found],
        }  # fmt: skip
        told.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
