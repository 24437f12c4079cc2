"""An ONNX file as a driver: one acting step, its memory state as inputs and outputs.

The names are those that `drivemem export` gives (docs/memories.md), so that files of other packages
drive too, if they use them. Nothing is unpickled: an ONNX file is a graph of operations.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from drivemem.errors import DrivememError, first_line
from drivemem_envs.sensing.spec import Tracker

OBSERVATION = "observation"
"""The input of a file that takes the observation as one vector."""
STARTS, MASKS, STATE, NEXT, ACTION = "episode_start", "action_masks", "state.", "next_", "action"
_TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64,
    "tensor(int32)": np.int32, "tensor(bool)": np.bool_,
}  # fmt: skip


class OnnxDriver:
    """A driver that runs an ONNX file.

    Args:
        path: of the file.

    Raises:
        DrivememError: no such file or no ONNX, the extra is missing, or the file's inputs and
            outputs are no acting step.
    """

    tracker: Tracker = "none"

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise DrivememError(f"{path} does not exist: give an ONNX file")
        if find_spec("onnxruntime") is None:
            raise DrivememError("an ONNX file needs onnxruntime: install drivemem's extra `onnx`")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # sums in one order, whatever the machine
        try:
            self._session = onnxruntime.InferenceSession(str(path), options)
        except Exception as error:  # onnxruntime's errors have no common class
            raise DrivememError(f"{path} is no ONNX file: {first_line(error)}") from error
        self._path = path
        self._inputs = {given.name: given for given in self._session.get_inputs()}
        self._outputs = [given.name for given in self._session.get_outputs()]
        self._state = [name for name in self._inputs if name.startswith(STATE)]
        missing = {ACTION, *(NEXT + name for name in self._state)} - set(self._outputs)
        if missing:
            raise DrivememError(
                f"{path} gives {', '.join(self._outputs)}: an acting step also gives "
                f"{', '.join(sorted(missing))}"
            )

    @property
    def is_flat(self) -> bool:
        """Whether it takes the observation as one vector."""
        return OBSERVATION in self._inputs

    def check_fits(self, observation: spaces.Space[Any], scenario: str) -> None:
        """Refuse a scenario whose observation has other parts than the file takes.

        Raises:
            DrivememError: it has; the message says which.
        """
        parts = (
            dict(observation)
            if isinstance(observation, spaces.Dict)
            else {OBSERVATION: observation}
        )
        told = {STARTS, MASKS, *self._state}
        unknown = [name for name in self._inputs if name not in told | parts.keys()]
        if unknown:
            raise DrivememError(
                f"{self._path} takes {', '.join(unknown)}, which a driver of {scenario} is not "
                f"given (there are: {', '.join(sorted({*parts, STARTS, MASKS}))}, and state.NAME)"
            )
        for name in parts.keys() & self._inputs.keys():
            wanted, shape = self._inputs[name].shape[1:], parts[name].shape or ()
            if len(wanted) != len(shape) or any(
                isinstance(one, int) and one != other
                for one, other in zip(wanted, shape, strict=True)
            ):
                raise DrivememError(
                    f"{self._path} takes {name} of shape {tuple(wanted)}, but in {scenario} it is "
                    f"{shape}: it was made for another environment"
                )

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[Any], Any]:
        """Actions (N, ...) and the next state."""
        given = observation if isinstance(observation, dict) else {OBSERVATION: observation}
        count = len(next(iter(given.values())))
        starts = np.zeros(count, dtype=bool) if episode_start is None else episode_start
        given = {**given, STARTS: starts, MASKS: action_masks}
        given |= self._zeros(count) if state is None else self._begun(state, starts)
        fed: dict[str, NDArray[Any]] = {
            name: np.asarray(given[name], dtype=_TYPES[one.type])
            for name, one in self._inputs.items()
        }
        out = dict(zip(self._outputs, self._session.run(None, fed), strict=True))
        return out[ACTION], {name: out[NEXT + name] for name in self._state}

    def _zeros(self, count: int) -> dict[str, NDArray[Any]]:
        return {
            name: np.zeros((count, *self._inputs[name].shape[1:]), _TYPES[self._inputs[name].type])
            for name in self._state
        }

    @staticmethod
    def _begun(
        state: dict[str, NDArray[Any]], starts: NDArray[np.bool_]
    ) -> dict[str, NDArray[Any]]:
        """The state, zero where an episode begins, for files that do not take `episode_start`."""
        return {
            name: np.where(starts.reshape(-1, *[1] * (value.ndim - 1)), value.dtype.type(0), value)
            for name, value in state.items()
        }
