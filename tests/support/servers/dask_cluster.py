"""A real Dask cluster on this machine: a scheduler and workers in separate processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.program import wait_until


class Cluster:
    """A scheduler and its workers."""

    def __init__(self) -> None:
        # Chrome creates its sockets in this folder, and their paths must be short.
        self._folder = tempfile.TemporaryDirectory(prefix="dask", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.processes: list[subprocess.Popen[str]] = []
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        self.address = self._word_with(self.scheduler, "tcp://")

    def worker(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a worker without a nanny process; return once it has registered with the scheduler."""
        worker = self._start(
            *("worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard"),
            *(arguments or ("--resources", "browser=1")),
        )
        self._word_with(worker, "Registered to:")
        return worker

    def close(self) -> None:
        """End all processes."""
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._folder.cleanup()

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        # Write the output to a file, because a full pipe that nobody reads from would block the process.
        with self._log(len(self.processes)).open("xb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=self.folder,
                # The timeout limits how long the scheduler tries to reach a worker that has ended.
                env={**os.environ, "TMPDIR": str(self.folder), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "3s"},
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def _log(self, number: int) -> Path:
        return self.folder / f"{number}.log"

    def _word_with(self, process: subprocess.Popen[str], words: str) -> str:
        """Wait for a line that contains these words; return the last word of the line."""
        log = self._log(self.processes.index(process))
        wait_until(lambda: words in log.read_text(), process)
        return next(line for line in log.read_text().splitlines() if words in line).split()[-1]
