"""Where else metrics are shown while they are made: TensorBoard, Weights & Biases.

`metrics.jsonl` is the run's own record; what cannot be mirrored never stops training.
"""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter, TensorBoardOutputFormat

from drivemem.errors import DrivememError, did_you_mean
from drivemem.runs import Run, saving
from drivemem.training.metrics import numbers_of

LOG = "DRIVEMEM_LOG"
"""Environment variable: names of mirrors with commas between, where none are asked for."""
WANDB_ID = "wandb-id.txt"
"""In a run's folder: which run of Weights & Biases shows it."""


def mirrors_of(run: Run, settings: Mapping[str, Any], names: Sequence[str]) -> list[KVWriter]:
    """The mirrors of a run's metrics.

    Args:
        run: its folder.
        settings: of its training, to be shown beside.
        names: of `MIRRORS`.

    Raises:
        DrivememError: one is not installed, or does not begin.
    """
    return [MIRRORS[name](run, settings) for name in names]


def chosen(asked: Sequence[str] | None) -> list[str]:
    """Names of the mirrors that are to be used, each once.

    Args:
        asked: names of `MIRRORS`, or none; None: those of the environment variable `DRIVEMEM_LOG`,
            else TensorBoard.

    Raises:
        DrivememError: an unknown name.
    """
    words = os.environ.get(LOG, "tensorboard").split(",") if asked is None else asked
    names = list(dict.fromkeys(word.strip() for word in words if word.strip() not in ("", "none")))
    for name in names:
        if name not in MIRRORS:
            raise DrivememError(
                f"log '{name}' is unknown{did_you_mean(name, MIRRORS)} (one of: "
                f"{', '.join([*MIRRORS, 'none'])})"
            )
    return names


@contextlib.contextmanager
def logging_to(asked: Sequence[str] | None) -> Iterator[None]:
    """Let runs that processes started inside train be shown there; None: as before.

    Raises:
        DrivememError: an unknown name.
    """
    before = os.environ.get(LOG)
    if asked is not None:
        os.environ[LOG] = ",".join(chosen(asked)) or "none"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(LOG, None)
        else:
            os.environ[LOG] = before


class TensorBoardMirror(KVWriter):
    """The metrics for TensorBoard, if the extra is installed: training goes on without them.

    Args:
        run: whose folder they go to.
        settings: not shown.
    """

    def __init__(self, run: Run, settings: Mapping[str, Any]) -> None:
        self._path = run.folder / "tensorboard"
        self._writer: KVWriter | None = None
        with contextlib.suppress(ImportError, AssertionError), self._guarded():
            self._writer = TensorBoardOutputFormat(str(self._path))

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Mirror a line."""
        if self._writer is not None:
            with self._guarded():
                self._writer.write(key_values, key_excluded, step)

    def close(self) -> None:
        """Close the files."""
        if self._writer is not None:
            with self._guarded():
                self._writer.close()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """What cannot be mirrored is said once, and nothing is mirrored any more."""
        try:
            yield
        except OSError as error:
            self._writer = None
            print(
                f"drivemem: {self._path} cannot be written ({error.strerror or error}): what "
                "TensorBoard shows ends here, metrics.jsonl goes on",
                file=sys.stderr,
            )


class WandbMirror(KVWriter):
    """The metrics for Weights & Biases; a resumed run goes on in the same run there.

    Where and how is W&B's own matter: its environment variables, such as WANDB_PROJECT and
    WANDB_MODE=offline.

    Args:
        run: whose metrics they are; offline files go to its folder.
        settings: shown beside.

    Raises:
        DrivememError: W&B is not installed, or does not begin, as without an account.
    """

    def __init__(self, run: Run, settings: Mapping[str, Any]) -> None:
        try:
            import wandb
        except ImportError as error:
            raise DrivememError(
                "Weights & Biases is not installed: pip install wandb (the extra `wandb`)"
            ) from error
        run.folder.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {
            "project": os.environ.get("WANDB_PROJECT", "drivemem"),
            "name": run.name,
            "id": _wandb_id(run.folder / WANDB_ID),
            "resume": "allow",
            "dir": str(run.folder),
            "config": dict(settings),
        }
        try:
            self._run: Any = wandb.init(**options)
            self._run.define_metric("step")
            self._run.define_metric("*", step_metric="step")
        except Exception as error:  # W&B's own, of many kinds
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise DrivememError(
                f"Weights & Biases does not begin ({why}): log in with `wandb login`, set "
                "WANDB_MODE=offline, or train without it"
            ) from error

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Mirror a line."""
        self._try(lambda: self._run.log({"step": step, **numbers_of(key_values)}))

    def close(self) -> None:
        """Say that the run is over."""
        self._try(lambda: self._run.finish())

    def _try(self, action: Callable[[], Any]) -> None:
        if self._run is None:
            return
        try:
            action()
        except Exception as error:  # W&B's own, of many kinds
            self._run = None
            print(
                f"drivemem: Weights & Biases takes no more ({error}): what it shows ends here, "
                "metrics.jsonl goes on",
                file=sys.stderr,
            )


def _wandb_id(path: Path) -> str:
    """The id of the run there, which is kept in this file."""
    with saving(path):
        if not path.is_file() or not path.read_text(encoding="utf-8").strip().isalnum():
            path.write_text(uuid.uuid4().hex[:12] + "\n", encoding="utf-8")
        return path.read_text(encoding="utf-8").strip()


MIRRORS: Mapping[str, Callable[[Run, Mapping[str, Any]], KVWriter]] = {
    "tensorboard": TensorBoardMirror,
    "wandb": WandbMirror,
}
"""All mirrors by name."""
