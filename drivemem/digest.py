"""The digest of an episode: SHA-256 over the truth at every decision, bit for bit.

Recorders write it and `replay --verify` compares it with a simulation of the same actions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

_WHOLE = ("id", "kind", "crashed")
_REAL = ("x", "y", "heading", "speed", "length", "width", "visible_fraction", "age_s")
TRACE_COLUMNS = (*_WHOLE, *_REAL)
"""What of an actor the digest covers, in its order."""


class TraceDigest:
    """Takes in the truth at decisions 0, 1, … of one episode, its last state included."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, truth: Mapping[str, Any]) -> None:
        """Take in the truth at the next decision.

        Args:
            truth: arrays (A,) by name, at least `TRACE_COLUMNS`; the ego first, then in the order
                of the backend, which is part of what is compared.
        """
        self._hash.update(np.int64(len(truth["id"])).tobytes())
        for name in _WHOLE:
            self._hash.update(np.ascontiguousarray(truth[name], dtype="<i8").tobytes())
        for name in _REAL:
            # Adding zero makes -0.0 and 0.0 the same bytes.
            values = np.asarray(truth[name], dtype="<f8") + 0.0
            self._hash.update(np.ascontiguousarray(values).tobytes())

    def hexdigest(self) -> str:
        """The digest so far, 64 hexadecimal characters."""
        return self._hash.hexdigest()


def digest_of(truths: Any) -> str:
    """The digest of a whole episode, from the truth at each of its decisions."""
    digest = TraceDigest()
    for truth in truths:
        digest.update(truth)
    return digest.hexdigest()
