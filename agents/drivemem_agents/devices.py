"""The name of a device, checked where it enters."""

from __future__ import annotations

from typing import Any

import torch


def check_device(device: Any) -> None:
    """Refuse what names no device.

    Raises:
        ValueError: no string or torch.device, or none that PyTorch knows; in one line.
    """
    known = isinstance(device, str | torch.device)
    try:
        if known and device != "auto":
            torch.device(device)
    except RuntimeError:  # of several lines
        known = False
    if not known:
        raise ValueError(f"device is {device!r}: give 'auto', 'cpu', 'cuda' or a torch.device")
