"""A worker process as its study sees it: it runs one cell after another, warm from the last.

A process that begins imports PyTorch and loads the kernels, 3 s of processor time, as much as
20,000 decisions of training take; so a worker stays for the next cell.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

CELLS_EACH = 50
"""After so many cells a worker is replaced: what libraries never give back stays bounded."""


class WarmWorker:
    """A process that runs cells of a study, one at a time; it ends when this one does.

    Args:
        folder: of the study.
        threads: for the worlds; they change nothing but the speed.
        news: set when a cell has ended.
    """

    def __init__(self, folder: Path, threads: int, news: threading.Event | None = None) -> None:
        self._news = news or threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "drivemem.studies.worker", str(folder), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env=worker_environment(threads),
        )  # fmt: skip
        self._code: int | None = None
        self._begun = 0
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def begin(self, name: str) -> None:
        """Run a cell; the one before must have ended."""
        self._code = None
        self._news.clear()
        self._begun += 1
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # its process is gone: `code` says so
            self._process.stdin.write(f"{name}\n".encode())
            self._process.stdin.flush()

    def code(self) -> int | None:
        """How the cell ended: 0 well, 1 failed, negative: killed by that signal; None: it runs."""
        if self._code is None and not self._listener.is_alive():
            return self._process.wait()
        return self._code

    def wait(self) -> int:
        """Wait for the cell to end; see `code`."""
        while (code := self.code()) is None:
            self._news.wait()
        return code

    @property
    def may_go_on(self) -> bool:
        """Whether it takes a further cell, after one that ended."""
        return self._code == 0 and self._begun < CELLS_EACH

    def interrupt(self) -> None:
        """Ask it to save what it has and end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """End its process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _listen(self) -> None:
        """Take in the exit code of each cell, until the process ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._code = int(line)
            self._news.set()
        self._news.set()


def worker_environment(threads: int) -> dict[str, str]:
    """The environment of a worker: one thread for PyTorch, so that results do not depend on it."""
    return {
        **os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
