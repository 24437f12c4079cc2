"""Lesions: interventions on memory at evaluation time, on the same checkpoint and episodes.

A working-memory lesion changes the state between steps; a long-term one changes the weights once.
"""

from drivemem.lesions import weights, working  # noqa: F401  they register themselves
from drivemem.lesions.base import (
    INTACT,
    Lesion,
    folder_name,
    lesion_names,
    make_lesion,
    parse_lesions,
    register_lesion,
)

__all__ = [
    "INTACT",
    "Lesion",
    "folder_name",
    "lesion_names",
    "make_lesion",
    "parse_lesions",
    "register_lesion",
]
