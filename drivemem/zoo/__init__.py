"""The zoo: trained agents that come with the package, each a run less what only training needs.

`zoo:SCENARIO/AGENT` stands wherever a run does. It means a copy, which is the user's: what commands
write about an agent goes there, and never into the package (docs/zoo.md).
"""

from __future__ import annotations

import filecmp
import fnmatch
import shutil
from importlib.resources import files
from pathlib import Path

from drivemem.errors import DrivememError, did_you_mean
from drivemem.output import console
from drivemem_agents.files import atomic_folder

PREFIX = "zoo:"
ROOT = Path(str(files(__name__).joinpath("agents")))
"""Where the package keeps them: a folder for each scenario, in it one for each agent."""
FOLDER = "zoo"
"""Of copies, beside the user's runs."""
_TELLING = ("config.json", "model/agent.json")
"""Files by which one version of an agent is told from another; the second has weights' digests."""
_EPISODES = "episodes.parquet"


def agents() -> dict[str, Path]:
    """Folders in the package, by name (`SCENARIO/AGENT`)."""
    found = sorted(file.parent for file in ROOT.glob("*/*/config.json"))
    return {f"{folder.parent.name}/{folder.name}": folder for folder in found}


def is_named(place: str | Path) -> bool:
    """Whether a place is that of an agent of the zoo."""
    return Path(place).as_posix().startswith(PREFIX)


def named(place: str | Path) -> str:
    """The name of the agent that a place means.

    Args:
        place: such as `zoo:exit-recall/gru`; the prefix may be left out.

    Raises:
        DrivememError: there is none of this name; the message has the nearest.
    """
    name, known = Path(place).as_posix().removeprefix(PREFIX), agents()
    if name not in known:
        near = did_you_mean(PREFIX + name, [PREFIX + one for one in known])
        raise DrivememError(
            f"there is no agent '{PREFIX}{name:.100}'{near} (`drivemem zoo list` shows all)"
        )
    return name


def matching(pattern: str | Path) -> list[str]:
    """Places of all agents that a pattern such as `zoo:exit-recall/*` means.

    Raises:
        DrivememError: it means none.
    """
    wanted = Path(pattern).as_posix().removeprefix(PREFIX)
    return [PREFIX + one for one in fnmatch.filter(agents(), wanted) or [named(wanted)]]


def copy_name(name: str) -> str:
    """What the folder of an agent's copy is called."""
    return name.replace("/", "-")


def located(place: str | Path, below: Path) -> Path:
    """The copy of an agent, made where it is not there yet.

    Args:
        place: such as `zoo:exit-recall/gru`.
        below: the folder of copies.

    Raises:
        DrivememError: no such agent, a copy of another version in its place, or a folder that
            cannot be written.
    """
    name = named(place)
    source, copy = agents()[name], below / copy_name(name)
    if not copy.exists():
        _copy(source, copy)
        words = f"{PREFIX}{name} is copied to {copy}: what is found out about it is kept there"
        console(stderr=True).print(words, soft_wrap=True)
    if not all(_same(copy / file, source / file) for file in _TELLING):
        raise DrivememError(
            f"{copy} is no copy of today's {PREFIX}{name}: move or delete it, and it is made anew"
        )
    return copy


def is_kept(result: Path) -> bool:
    """Whether the zoo keeps the episodes of an evaluation or a recording, so that none is lost.

    Args:
        result: its folder in a run's.
    """
    run, kind = result.parent.parent, result.parent.name
    folders = {copy_name(name): folder for name, folder in agents().items()}
    if run.name not in folders:
        return False
    kept = folders[run.name] / kind / result.name / _EPISODES
    return _same(result / _EPISODES, kept)


def _copy(source: Path, copy: Path) -> None:
    try:
        with atomic_folder(copy) as made:
            for file in (path for path in source.rglob("*") if path.is_file()):
                target = made / file.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)  # without its rights: the package may be read-only
    except OSError as error:
        raise DrivememError(
            f"cannot write {copy}: {error.strerror or error}; work in a folder that can be written"
        ) from error


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)
