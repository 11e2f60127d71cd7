"""Processor priority of pages: a page that records comes before pages that only send."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

# The nice value that is added: if two pages need the same processor, the recording one gets nine tenths of the time.
_ADDED_NICENESS: Final = 10


class Renderers:
    """The renderer processes of this program's browsers, identified by when they appeared.

    Remote browsers have no processes here, so they are not changed.
    """

    def __init__(self) -> None:
        self._known = _running()
        self._lowered: set[int] = set()

    def appeared(self) -> frozenset[int]:
        """Return the ids of the processes that appeared since the last call."""
        now = _running()
        new = frozenset(now - self._known)
        self._known = now
        return new

    def yield_to_others(self, renderers: Iterable[int]) -> None:
        """Lower the priority of these processes from now on (Linux); once for each, since it can't be undone."""
        for renderer in set(renderers) - self._lowered:
            self._lowered.add(renderer)
            # A page that was closed has no threads.
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
    """Raise a thread's nice value: on Linux each thread has its own, and new threads inherit it."""
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(thread)
        process.nice(process.nice() + _ADDED_NICENESS)
