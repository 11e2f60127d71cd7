"""Start programs that never outlive the league, and end all of them at once."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

import psutil

from harness import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

# A Linux process with this property becomes the parent of all its descendants that lose their own parent (prctl(2)).
_SUBREAPER: Final = 36
_ENDED_WITHIN: Final = 10.0
_VERSION_WITHIN: Final = 20.0
_READY_WITHIN: Final = 20.0


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ends, so that ``end_family`` finds them."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def family() -> set[psutil.Process]:
    """Return all running descendants of this process."""
    return set(psutil.Process().children(recursive=True))


def end_family(besides: Collection[psutil.Process] = ()) -> None:
    """Kill all descendants of this process, which all belong to the league, and wait until they have ended.

    Processes in ``besides`` keep running, for example those with which ``verify`` reads files.
    """
    for _ in range(3):
        family_now = family() - set(besides)
        if not family_now:
            return
        for process in family_now:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(family_now, timeout=_ENDED_WITHIN)


def kill_at_once(pid: int) -> None:
    """Kill a process and all its descendants with SIGKILL, as if the machine's power failed."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                one.kill()


def end_with_parent() -> None:
    """End this process and all its descendants when its standard input is closed, which its parent holds open."""

    def watch() -> None:
        # Python's own buffer for standard input would be locked while Python exits.
        while os.read(0, 4096):
            pass
        end_family()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end with parent").start()


def version_of(command: Sequence[str]) -> str:
    """Return the first line that a program prints about its version, or ``unknown``."""
    try:
        answer = subprocess.run(
            list(command),
            capture_output=True,
            text=True,
            check=False,
            timeout=_VERSION_WITHIN,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    lines = [line.strip() for line in f"{answer.stdout}\n{answer.stderr}".splitlines() if line.strip()]
    return lines[0][:120] if lines else "unknown"


class Program:
    """A program that runs in the background, with its output in a log file."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: dict[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.command = list(command)
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                pass_fds=descriptors,
            )

    @property
    def log(self) -> str:
        """The program's output so far."""
        return self._log.read_text(errors="replace")

    @property
    def ended(self) -> bool:
        """Whether the program has ended."""
        return self._process.poll() is not None

    def wait_for(self, condition: Callable[[], object], what: str, *, within: float = _READY_WITHIN) -> None:
        """Wait until ``condition()`` is true.

        Raises SetupError if the program ends before that, or if it takes longer than ``within`` seconds.
        """
        end = time.monotonic() + within
        while not condition():
            if self.ended or time.monotonic() > end:
                last = " / ".join(self.log.splitlines()[-2:])
                reason = "ended" if self.ended else f"took longer than {within:g} s"
                message = f"{self.command[0]} {reason} before {what}. Its last output: {last or 'nothing'}"
                raise SetupError(message)
            threading.Event().wait(0.05)

    def interrupt(self, *, within: float) -> None:
        """Send SIGINT, wait until the program has ended, and kill it if it takes longer than ``within`` seconds."""
        self._process.send_signal(2)
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the program if it still runs."""
        self._process.kill()
        self._process.wait(_ENDED_WITHIN)
