"""drivemem: does memory make a better driver when part of the road is hidden?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drivemem.version import __version__ as __version__

if TYPE_CHECKING:
    from drivemem.comparison import compare_runs as compare
    from drivemem.config import DistillConfig, TrainConfig
    from drivemem.distillation.distill import distill
    from drivemem.errors import DrivememError
    from drivemem.evaluation.evaluate import evaluate
    from drivemem.evaluation.loading import load
    from drivemem.explaining.explain import explain
    from drivemem.probes import probe
    from drivemem.probes.edits import edit
    from drivemem.replays import replay
    from drivemem.replays.watching import watch
    from drivemem.studies.running import study
    from drivemem.studies.tuning import tune
    from drivemem.submissions.submit import submit
    from drivemem.touring import tour
    from drivemem.training.train import train

__all__ = [
    "DistillConfig",
    "DrivememError",
    "TrainConfig",
    "compare",
    "distill",
    "edit",
    "evaluate",
    "explain",
    "load",
    "probe",
    "replay",
    "study",
    "submit",
    "tour",
    "train",
    "tune",
    "watch",
]

_HOMES = {
    "DrivememError": ("errors", "DrivememError"),
    "DistillConfig": ("config", "DistillConfig"),
    "TrainConfig": ("config", "TrainConfig"),
    "distill": ("distillation.distill", "distill"),
    "train": ("training.train", "train"),
    "evaluate": ("evaluation.evaluate", "evaluate"),
    "explain": ("explaining.explain", "explain"),
    "load": ("evaluation.loading", "load"),
    "compare": ("comparison", "compare_runs"),
    "probe": ("probes", "probe"),
    "edit": ("probes.edits", "edit"),
    "replay": ("replays", "replay"),
    "study": ("studies.running", "study"),
    "submit": ("submissions.submit", "submit"),
    "tour": ("touring", "tour"),
    "tune": ("studies.tuning", "tune"),
    "watch": ("replays.watching", "watch"),
}


def __getattr__(name: str) -> Any:
    """Load on first use: `import drivemem` is quick."""
    if name not in _HOMES:
        from drivemem.errors import did_you_mean

        raise AttributeError(
            f"module '{__name__}' has no attribute '{name}'{did_you_mean(name, __all__)}"
        )
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted([*__all__, *(name for name in globals() if name[:2] == "__")])
