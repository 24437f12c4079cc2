"""Replaying recorded episodes: a page, a video, or the proof that they can be simulated again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drivemem.tables import Shown, Table

if TYPE_CHECKING:
    from drivemem.replays.load import Recording, Trace
    from drivemem.replays.verify import Verification

__all__ = ["ReplayResult", "replay"]


@dataclass(frozen=True)
class ReplayResult(Shown):
    """What `replay` wrote and found."""

    page: Path | None = None
    video: Path | None = None
    verifications: list[Verification] = field(default_factory=list)

    @property
    def verified(self) -> bool:
        """Whether every episode agrees with its recording, on the backend that recorded it.

        The other backend is held to nothing here: where traffic is chaotic, a difference in the
        last bit grows.
        """
        return all(found.agrees for found in self.verifications if found.recorded_on_it)

    def as_tables(self) -> list[Table]:
        """The episodes that were simulated again; none where that was not asked for."""
        if not self.verifications:
            return []
        rows = [
            (found.run, str(found.episode), found.where, found.words)
            for found in self.verifications
        ]
        columns = ("run", "episode", "simulated on", "found")
        return [Table(columns, rows, records=[vars(found) for found in self.verifications])]


def replay(
    run_or_recording: str | Path,
    episode: int | None = None,
    against: str | Path | None = None,
    page: str | Path | None = None,
    video: str | Path | None = None,
    verify: bool = False,
    layers: Collection[str] | None = None,
    speed: float = 1.0,
) -> ReplayResult:
    """Show recorded episodes; with nothing asked for, write `replay.html` beside the recording.

    Args:
        run_or_recording: a run's folder or name (its newest recording), or a recording's folder.
        episode: number of the episode; None: the most telling for pictures, all for `verify`.
        against: another run or recording, shown beside the first on the same seeds.
        page: where to write the page (.html).
        video: where to write the video (.mp4 or .gif).
        verify: simulate again and compare; what kernels recorded also on highway-env's objects
            in exact arithmetic, in a process of its own.
        layers: what the video draws: truth, sees, remembers, shown; None: all.
        speed: of the video; 1 is real time.

    Raises:
        DrivememError: anything wrong with what was given; the message says the way out.
    """
    from drivemem.replays.load import find_recording

    first = find_recording(run_or_recording)
    second = None if against is None else find_recording(against)
    written_page = written_video = None
    if page is None and video is None and not verify:
        page = first.folder / "replay.html"
    if page is not None:
        from drivemem.replays.page import write_page

        written_page = write_page(first, Path(page), against=second, episode=episode)
    if video is not None:
        from drivemem.replays.video import write_video

        traces = _chosen(first, second, episode)
        written_video = write_video(traces, Path(video), layers=layers, speed=speed)
    return ReplayResult(
        written_page, written_video, _verify(first, second, episode) if verify else []
    )


def _chosen(first: Recording, second: Recording | None, episode: int | None) -> list[Trace]:
    from drivemem.errors import DrivememError
    from drivemem.replays.page import most_telling, paired

    recordings = [kept for kept in (first, second) if kept is not None]
    pairs = paired(*recordings)
    number = most_telling(pairs) if episode is None else first.episode(episode).episode
    for rows in pairs:
        if rows[0].episode == number:
            return [kept.trace(row) for kept, row in zip(recordings, rows, strict=True)]
    raise DrivememError(f"episode {number}'s seed was not recorded in {second and second.folder}")


def _verify(first: Recording, second: Recording | None, episode: int | None) -> list[Verification]:
    from drivemem.replays.exact import verify_exactly
    from drivemem.replays.simulate import other_backend
    from drivemem.replays.verify import verify

    found = []
    for kept in (kept for kept in (first, second) if kept is not None):
        rows = kept.episodes if episode is None else [kept.episode(episode)]
        found += [verify(kept.trace(row)) for row in rows]
        compiled = [row for row in rows if row.backend == "compiled"]
        found += verify_exactly(kept, compiled) if compiled else []
        others = [(row, other_backend(row)) for row in rows if row.backend != "compiled"]
        found += [verify(kept.trace(row), other) for row, other in others if other is not None]
    return found
