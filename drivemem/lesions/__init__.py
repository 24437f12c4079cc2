"""Lesions: interventions on memory at evaluation time, on the same checkpoint and episodes.

A working-memory lesion changes the state between steps; a long-term one changes the weights once.
"""

from drivemem.lesions.base import (
    INTACT,
    Lesion,
    LesionInfo,
    folder_name,
    lesion_info,
    lesion_names,
    lesions,
    make_lesion,
    parse_lesions,
    register_lesion,
    split_dose,
    split_lesion,
)

__all__ = [
    "INTACT",
    "Lesion",
    "LesionInfo",
    "folder_name",
    "lesion_info",
    "lesion_names",
    "lesions",
    "make_lesion",
    "parse_lesions",
    "register_lesion",
    "split_dose",
    "split_lesion",
]
