"""`drivemem replay`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options


@dataclass
class Options:
    """Show recorded episodes; with nothing else asked for, write a page beside the recording."""

    recording: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run (its newest recording) or the folder of a recording."""
    episode: int | None = None
    """Which episode; default: the most telling one."""
    against: str | None = None
    """Another run or recording, shown beside the first on the same seeds."""
    page: str | None = None
    """Write this HTML page: one file that opens anywhere."""
    video: str | None = None
    """Write this video, .mp4 (extra `video`) or .gif."""
    verify: bool = False
    """Simulate again and say whether, or where first, it differs from the recording."""
    verbose: bool = False
    """With --verify: a line for every episode, not only for those that differ."""
    layers: tuple[str, ...] | None = None
    """What the video draws: truth, sees, remembers, shown; default: all."""
    speed: float = 1.0
    """Of the video; 1 is real time."""


def run(words: list[str]) -> int:
    """Replay, and say what was written and found."""
    options = read_options(Options, "replay", words)
    from drivemem.output import console, keep
    from drivemem.replays import replay

    settings = dict(vars(options))
    verbose = settings.pop("verbose")
    done = replay(settings.pop("recording"), **settings)
    keep(*done.as_tables())
    for found in done.verifications:
        if verbose or not found.identical:
            console().print(str(found), soft_wrap=True)
    if done.verifications:
        from drivemem.replays.verify import summary

        line = summary(done.verifications)
        console().print(line, soft_wrap=True)
    for what, path in (("page", done.page), ("video", done.video)):
        if path is not None:
            console().print(f"{what}: {path} ({path.stat().st_size / 1e6:.2f} MB)", soft_wrap=True)
    return 0 if done.verified else 1
