"""Start a Python of our own that reads media from elsewhere, within limits, and follow how much it has worked.

The asker makes a ``Child`` and waits with a ``CpuDeadline``; the child calls ``confine`` once everything is imported.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO, TYPE_CHECKING, Any, Final

import psutil

from harness.errors import SetupError
from harness.recording.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

# How much memory media may make the child allocate, in bytes, beyond what Python and its libraries take.
MEMORY: Final = 1_500_000_000
# A linear-algebra library reserves memory for each of its threads, and takes one for each processor that it sees.
_ONE_THREAD: Final = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
_PROGRAM: Final = "import sys; sys.path[:] = {path!r}; {program}"
# A process that was killed ends in milliseconds, unless it waits for a disk that does not answer.
_ENDS_WITHIN: Final = 5.0
# How long, in seconds, a process may use no processor time at all; one that gets a twentieth still uses some.
_STALLED: Final = 30.0
_LOOK_EVERY: Final = 0.25
_LONGEST_REASON: Final = 300


class Child:
    """A Python process that reads media: it runs ``program``, a line of Python, with this process's import path.

    ``process`` is its Popen. Raises SetupError where it can't be started.
    """

    def __init__(
        self, program: str, *arguments: str, pass_fds: Sequence[int] = (), stdout: int = subprocess.DEVNULL
    ) -> None:
        if not sys.executable:
            message = "The process that reads media can't be started: this Python does not know its own executable."
            raise SetupError(message)
        # Importing ignores everything else that somebody may have put there.
        path = [os.fspath(entry) for entry in sys.path if isinstance(entry, str | os.PathLike)]
        self._errors = _scratch()
        try:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM.format(path=path, program=program), *arguments],
                env={**os.environ, **_ONE_THREAD},
                pass_fds=pass_fds,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=self._errors or subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._close_errors()
            message = f"The process that reads media can't be started by {sys.executable}: {error.strerror}."
            raise SetupError(message) from error

    def failed_to_start(self, why: str) -> SetupError:
        """Return the error to raise for a child that never became ready; ``why`` is used where it left no reason."""
        return SetupError(
            f"The process that reads media, {sys.executable}, did not start: {self._reason() or why}. "
            "This concerns the installation, not the file: check it with 'harness doctor', or install the harness anew."
        )

    def end(self) -> None:
        """Kill the process, which holds nothing; one that a dead disk keeps is not waited for."""
        self._close_errors()
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_ENDS_WITHIN)

    def _reason(self) -> str:
        """Return the last line that the process wrote to standard error."""
        if self._errors is None or self._errors.closed:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            # A process whose connection has ended may still be writing why.
            self.process.wait(_ENDS_WITHIN)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return printable(lines[-1])[:_LONGEST_REASON].rstrip(".") if lines else ""

    def _close_errors(self) -> None:
        if self._errors is not None:
            self._errors.close()


class CpuDeadline:
    """Limits how long a process may take by the processor time it uses, so that a busy machine fails nobody.

    ``seconds`` is how much it may use from now on. A process that uses none at all for half a minute is late as well.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self.seconds = seconds
        self._pid = pid
        self._began = self._moved = time.monotonic()
        self._before = self._last = self._cpu_time(0.0)

    @property
    def elapsed(self) -> float:
        """Return how many seconds have passed on the clock."""
        return time.monotonic() - self._began

    def wait(self) -> float:
        """Return for how many seconds to wait before asking again; raises TimeoutError when the time is over."""
        now, used = time.monotonic(), self._cpu_time(self._last)
        if used > self._last:
            self._last, self._moved = used, now
        if used - self._before > self.seconds or now - self._moved > _STALLED:
            raise TimeoutError
        return _LOOK_EVERY

    def _cpu_time(self, last: float) -> float:
        try:
            times = psutil.Process(self._pid).cpu_times()
        except psutil.Error:
            # The process has ended, which its connection reports.
            return last
        return float(times.user + times.system)


def confine(*, files: int | None = None, seconds: float | None = None, writes: bool = False) -> None:
    """Limit this process for good: to MEMORY bytes beyond what is in use now, no core file, and no file that grows.

    ``files`` is how many files may be open, ``seconds`` how much processor time may be used since the process started.
    ``writes`` lets files grow.
    """
    # Ctrl-C is for the program that asks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Linux counts what is writable and private; where psutil does not tell it, libraries are part of the limit.
    in_use: int = getattr(psutil.Process().memory_info(), "data", 0)
    _limit(resource.RLIMIT_DATA, in_use + MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    if not writes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        _limit(resource.RLIMIT_FSIZE, 0)
    if files is not None:
        _limit(resource.RLIMIT_NOFILE, files)
    if seconds is not None:
        _limit(resource.RLIMIT_CPU, max(1, round(seconds)))


def _limit(what: int, most: int) -> None:
    """Set a limit that can't be raised again; a lower one that is in force stays."""
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _scratch() -> IO[Any] | None:
    """Return a file for what the process complains of; None where there is no room for one."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return None
