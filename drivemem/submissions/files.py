"""Submissions on disk: `submission.json` and `episodes.parquet`, sealed, nothing unpickled.

They come from elsewhere, so every value is checked as it is read, and no name in them is a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivemem.episodes import read_episodes, write_table
from drivemem.errors import DrivememError
from drivemem.evaluation.suites import check_stored
from drivemem.lesions import INTACT
from drivemem.runs import Run, read_json, write_json_file
from drivemem.schemas import EPISODE_COLUMNS, SCHEMA_VERSION
from drivemem.settings import check_name
from drivemem.submissions.manifest import FORMAT, Manifest
from drivemem_agents.checksums import SEAL, VERSION, changed_file, is_description_whole, sealed
from drivemem_agents.files import atomic_folder
from drivemem_envs.outcomes import OUTCOMES
from drivemem_envs.sensing import TRACKERS

FILE = "submission.json"
EPISODES = "episodes.parquet"
FILES = (FILE, EPISODES)
SUITE = "test"
"""The stream of seeds that submissions are driven on."""
_TYPES = {"INTEGER": int, "BIGINT": int, "DOUBLE": float, "VARCHAR": str, "BOOLEAN": bool}


@dataclass(frozen=True)
class SubmittedRun(Run):
    """One training run of a submission: what is known of it is in the submission's files."""

    facts: dict[str, Any] = field(compare=False)

    def manifest(self) -> dict[str, Any]:
        """What the submission says of the run."""
        return self.facts


@dataclass(frozen=True)
class Submission:
    """A submission as it was read: whole, and what its manifest says."""

    folder: Path
    manifest: Manifest
    rows: list[dict[str, Any]]

    def run(self, seed: int) -> SubmittedRun:
        """A training run, in a folder that cannot be: nothing lies below a file."""
        said = self.manifest
        facts = {"steps": said.steps, "parameters": said.parameters, "versions": said.versions}
        return SubmittedRun(self.folder / FILE / f"s{seed}", facts)

    def settings(self, seed: int) -> dict[str, Any]:
        """What was trained, in the words of a run's configuration."""
        said = self.manifest
        return {
            "scenario": said.trained_on, "sensors": {}, "dials": [], "steps": said.steps,
            "seed": seed, "by": said.by, "saw": said.saw,
        }  # fmt: skip

    def episodes(self, seed: int) -> list[dict[str, Any]]:
        """Rows of a training run, in the suite's order."""
        rows = [row for row in self.rows if row["train_seed"] == seed]
        return sorted(rows, key=lambda row: int(row["episode"]))


def write_submission(folder: Path, manifest: Manifest, rows: list[dict[str, Any]]) -> None:
    """Write a submission, which takes the place of one that is there.

    Args:
        folder: for its two files.
        manifest: what it says of itself.
        rows: the episodes of all its training runs.

    Raises:
        DrivememError: the folder holds something else, or cannot be written.
    """
    described = {"format": FORMAT, "version": VERSION, **manifest.model_dump(mode="json")}
    try:
        with atomic_folder(folder, own=FILES) as temporary:
            write_table(temporary / EPISODES, EPISODE_COLUMNS, rows)
            write_json_file(temporary / FILE, sealed(described, temporary, [EPISODES]))
    except FileExistsError as error:
        raise DrivememError(f"{error.strerror} with --out") from error
    except OSError as error:
        raise DrivememError(f"cannot write {folder}: {error.strerror or error}") from error


def find_submissions(path: Path) -> Iterator[Path]:
    """Folders of submissions at or below a path, sorted."""
    if path.name == FILE and path.is_file():
        yield path.parent
    elif path.is_dir():
        yield from sorted(file.parent for file in path.rglob(FILE) if file.is_file())


def read_submission(folder: Path) -> Submission:
    """A submission, every value of it checked.

    Raises:
        DrivememError: missing, changed or damaged files, another version, or episodes that are not
            those of the manifest.
    """
    manifest = _manifest(folder)
    rows = [
        {name: row[name] for name in EPISODE_COLUMNS} for row in read_episodes(folder / EPISODES)
    ]
    for row in rows:
        _check_row(row, manifest, folder / EPISODES)
    found = Submission(folder, manifest, rows)
    for seed in manifest.seeds:
        driven = [(row["episode"], row["seed"]) for row in found.episodes(seed)]
        if driven != list(enumerate(manifest.suite["seeds"])):
            raise DrivememError(
                f"{folder / EPISODES} is damaged: the episodes of seed {seed} are not those of "
                "the suite; ask for the submission again"
            )
    return found


def _manifest(folder: Path) -> Manifest:
    path = folder / FILE
    described = read_json(path)
    if described.get("format") != FORMAT:
        raise DrivememError(f"{path} is no submission (format {described.get('format')!r:.60})")
    if described.get("version") != VERSION:
        raise DrivememError(
            f"{path} is of version {described.get('version')!r:.60}, and this drivemem reads "
            f"{VERSION}: submit it again with this one, or compare with the one that wrote it"
        )
    sums = described.get(SEAL)
    whole = isinstance(sums, dict) and set(sums) == {EPISODES, ""}
    if not whole or not is_description_whole(described):
        raise DrivememError(
            f"{path} has changed since it was written (its checksum differs): ask for the "
            "submission again"
        )
    if not (folder / EPISODES).is_file():
        raise DrivememError(f"{folder / EPISODES} is missing: ask for the submission again")
    if changed_file(described, folder) is not None:
        raise DrivememError(
            f"{folder / EPISODES} is not what {FILE} was written for (its checksum differs): ask "
            "for the submission again"
        )
    given = {key: described[key] for key in described.keys() - {"format", "version", SEAL}}
    return _checked(given, path)


def _checked(given: dict[str, Any], path: Path) -> Manifest:
    """What a manifest says, where it is of the form, its suite a test suite, and its seeds apart.

    Raises:
        DrivememError: it is not.
    """
    try:
        manifest = Manifest.checked(given)
        check_stored(manifest.suite, f"the suite of {path}")
        check_name(manifest.suite["scenario"].removeprefix("drivemem/"))
    except ValueError as error:
        raise DrivememError(f"{path} is damaged: {error}") from error
    if manifest.suite["name"] != SUITE:
        raise DrivememError(f"{path} is of suite {manifest.suite['name']!r:.60}, not of {SUITE!r}")
    if len(set(manifest.seeds)) < len(manifest.seeds):
        raise DrivememError(f"{path} is damaged: it names a seed twice")
    check_tracker(manifest.agent, manifest.tracker)
    return manifest


def check_tracker(agent: str, tracker: str) -> None:
    """Refuse an agent that is shown what is hidden.

    Raises:
        DrivememError: its tracker shows the truth.
    """
    if TRACKERS[tracker].only_for_measuring:
        raise DrivememError(
            f"{agent} sees through {tracker}, which shows the truth and is only for measuring: "
            "submit an agent whose sensors a car could have"
        )


def _check_row(row: dict[str, Any], manifest: Manifest, path: Path) -> None:
    """Refuse an episode that is not of the manifest's agent, or holds values of other types.

    Raises:
        DrivememError: it is none.
    """
    seed, suite = row["train_seed"], manifest.suite
    due: dict[str, Any] = {
        "driver": manifest.agent, "tracker": manifest.tracker, "backend": manifest.backend,
        "scenario": suite["scenario"], "suite": suite["name"], "full_sensors": False,
        "lesion": INTACT, "deterministic": True, "schema_version": SCHEMA_VERSION,
        "train_seed": seed if seed in manifest.seeds else manifest.seeds[0],
        "run": manifest.run_name(seed),
        "outcome": row["outcome"] if row["outcome"] in OUTCOMES else OUTCOMES[0],
        "success": row["outcome"] == "success", "collision": row["outcome"] == "collision",
    }  # fmt: skip
    for name, value in row.items():
        kind = _TYPES[EPISODE_COLUMNS[name]]
        if value is not None and type(value) is not kind:
            raise DrivememError(f"{path} is damaged: '{name}' is {value!r:.60}, no {kind.__name__}")
        if name in due and value != due[name]:
            raise DrivememError(f"{path} is damaged: '{name}' is {value!r:.60}, not {due[name]!r}")
    for name in ("episode", "seed"):
        if row[name] is None:
            raise DrivememError(f"{path} is damaged: '{name}' is missing from an episode")
