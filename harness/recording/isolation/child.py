"""Start a confined Python process that reads untrusted media, and limit the process's CPU time.

The parent creates a ``Child``, or a ``ConnectedChild`` to exchange messages with the child, and waits with a
``CpuDeadline``. The child calls ``confine`` after importing everything, and ``exit_with_parent`` if it has a
connection.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Final

import psutil

from harness.errors import SetupError
from harness.recording.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Number of bytes that the child can allocate in addition to the memory that Python and its libraries use.
MEMORY: Final = 1_500_000_000
# Linear-algebra libraries start one thread per processor and reserve memory for each.
_ONE_THREAD: Final = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
_PROGRAM: Final = "import sys; sys.path[:] = {path!r}; {program}"
# CPU time that a child can use before it is ready, in seconds. Imports usually take half a second.
_READY_WITHIN: Final = 60.0
# Maximum time that a killed process may take to end, in seconds. It ends within milliseconds, unless a disk does not
# respond.
_ENDS_WITHIN: Final = 5.0
# A process that uses no CPU time for this many seconds counts as stuck. A working process never pauses for this long,
# even on a very busy machine.
_STALLED: Final = 30.0
_LOOK_EVERY: Final = 0.25
_LONGEST_REASON: Final = 300


class Child:
    """A Python process that reads media: it runs ``program``, a line of code, with this process's import path.

    ``process`` is the Popen object. Raises SetupError if the process can't be started.
    """

    def __init__(
        self, program: str, *arguments: str, pass_fds: Sequence[int] = (), stdout: int = subprocess.DEVNULL
    ) -> None:
        if not sys.executable:
            message = "The process that reads media can't be started: Python does not know the path of its executable."
            raise SetupError(message)
        # Python ignores entries of sys.path that are not paths, such as numbers that a program has added.
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
            message = f"The process that reads media ({sys.executable}) can't be started: {error.strerror}."
            raise SetupError(message) from error

    def failed_to_start(self, why: str) -> SetupError:
        """Return the error for a child that never became ready; ``why`` is used if the child reported no reason."""
        return SetupError(
            f"The process that reads media ({sys.executable}) did not start: {self._reason() or why}. "
            "The installation is the problem, not the file: run 'harness doctor', or reinstall the harness."
        )

    def end(self) -> None:
        """Kill the process, since it has nothing to clean up; wait only briefly, because a disk access may hang."""
        self._close_errors()
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_ENDS_WITHIN)

    def _reason(self) -> str:
        """Return the last line that the process wrote to standard error."""
        if self._errors is None or self._errors.closed:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            # A process may still be writing its error message after it has closed its connection.
            self.process.wait(_ENDS_WITHIN)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return printable(lines[-1])[:_LONGEST_REASON].rstrip(".") if lines else ""

    def _close_errors(self) -> None:
        if self._errors is not None:
            self._errors.close()


class ConnectedChild(Child):
    """A ``Child`` with a connection; the program's first argument is the file descriptor of the child's end."""

    def __init__(self, program: str) -> None:
        self.connection, theirs = socket.socketpair()
        try:
            with theirs:
                super().__init__(program, str(theirs.fileno()), pass_fds=[theirs.fileno()])
        except SetupError:
            self.connection.close()
            raise

    def deadline(self, seconds: float) -> CpuDeadline:
        """Return a deadline that expires when the process has used another ``seconds`` seconds of CPU time."""
        return CpuDeadline(self.process.pid, seconds)

    def wait_until_ready(self, is_ready: Callable[[CpuDeadline], bool]) -> None:
        """Wait until the child is ready; ``is_ready`` receives and checks the child's first message.

        ``is_ready`` can raise TimeoutError and ConnectionError. If the child does not become ready, the process is
        killed and SetupError is raised.
        """
        try:
            why = "" if is_ready(self.deadline(_READY_WITHIN)) else "the process gave no reason"
        except ConnectionError:
            why = "the process exited without giving a reason"
        except TimeoutError:
            why = "the process was not ready in time"
        except BaseException:
            self.end()
            raise
        if why:
            error = self.failed_to_start(why)
            self.end()
            raise error

    def end(self) -> None:
        """Kill the process and close the connection."""
        # Kill the process first, because it removes its partial output as soon as the connection is closed.
        super().end()
        self.connection.close()


class CpuDeadline:
    """Limits a process's CPU time instead of its real time, so that nothing fails just because the machine is busy.

    ``seconds`` is the CPU time that the process can use from now on. The deadline also expires if the process uses no
    CPU time for half a minute.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self.seconds = seconds
        self._pid = pid
        self._began = self._moved = time.monotonic()
        self._before = self._last = self._cpu_time(0.0)

    @property
    def elapsed(self) -> float:
        """Return how many seconds of real time have passed."""
        return time.monotonic() - self._began

    def wait(self) -> float:
        """Return how many seconds to wait before the next call; raises TimeoutError when the deadline has expired."""
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
            # The process has already ended; reading from its connection will report this.
            return last
        return float(times.user + times.system)


def confine(*, files: int | None = None, seconds: float | None = None, writes: bool = False) -> None:
    """Permanently limit this process to MEMORY more bytes, and forbid core dumps and writing to files.

    ``files`` is the maximum number of open files, and ``seconds`` is the maximum CPU time since the process started. If
    ``writes`` is true, writing to files is allowed.
    """
    # Ignore Ctrl-C, because the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Linux counts all writable private memory toward this limit, so add MEMORY to the amount that is already in use. On
    # systems where psutil does not report this amount, the loaded libraries use up part of MEMORY.
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


def exit_with_parent(connection: int, clean_up: Callable[[], object] = lambda: None) -> None:
    """Exit as soon as the parent has closed its end of the connection, even if a decoder never returns.

    ``connection`` is the file descriptor of this process's end; ``clean_up`` is called before exiting.
    """

    def watch() -> None:
        closed = select.poll()
        # poll() reports a closed connection even if the event mask is empty.
        closed.register(connection, 0)
        closed.poll()
        clean_up()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _limit(what: int, most: int) -> None:
    """Set a limit that can't be raised again; a lower existing limit is not changed."""
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _scratch() -> IO[Any] | None:
    """Return a file for the process's error output, or None if the disk is full."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return None
