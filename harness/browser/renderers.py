"""Lower the CPU priority of pages that only send, so that pages that record get CPU time first."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

# The amount added to a page's nice value. If the page competes with the recording page for a processor, the recording
# page gets 90 % of the time.
_ADDED_NICENESS: Final = 10


class Renderers:
    """Tracks the renderer processes of this program's browsers, and reports which of them are new.

    Remote browsers have no processes on this machine, so the priority of their pages is not changed.
    """

    def __init__(self) -> None:
        self._known = _running()
        self._lowered: set[int] = set()

    def appeared(self) -> frozenset[int]:
        """Return the IDs of the renderer processes that have started since the last call."""
        now = _running()
        new = frozenset(now - self._known)
        self._known = now
        return new

    def yield_to_others(self, renderers: Iterable[int]) -> None:
        """Permanently lower the priority of the given processes, on Linux only and at most once per process."""
        for renderer in set(renderers) - self._lowered:
            self._lowered.add(renderer)
            # The process of a closed page no longer exists.
            with contextlib.suppress(psutil.Error):
                for thread in psutil.Process(renderer).threads():
                    _raise_niceness(thread.id)


def _running() -> set[int]:
    renderers = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in process.cmdline():
                renderers.add(process.pid)
    return renderers


def _raise_niceness(thread: int) -> None:
    """Raise a thread's nice value; on Linux, every thread has its own value, and new threads inherit it."""
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(thread)
        process.nice(process.nice() + _ADDED_NICENESS)
