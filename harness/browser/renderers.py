"""Lower the CPU priority of pages that only send, so that pages that record get CPU time first."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The amount added to a page's nice value. If the page competes with the recording page for a processor, the recording
# page gets 90 % of the time.
_ADDED_NICENESS: Final = 10


class Renderers:
    """The renderer processes of a room's pages, each of which has a key.

    Remote browsers have no processes on this machine, so the priority of their pages is not changed.
    """

    def __init__(self) -> None:
        self._known = _running()
        self._lowered: set[int] = set()
        # The renderers of our own pages. Pages of other applications can move to another renderer at any time.
        self._own: dict[object, frozenset[int]] = {}
        self._attached: dict[object, Callable[[], frozenset[int]]] = {}

    def appeared(self) -> frozenset[int]:
        """Return the IDs of the renderer processes that have started since the last call."""
        now = _running()
        new = frozenset(now - self._known)
        self._known = now
        return new

    def opened(self, page: object) -> None:
        """Remember that the renderers that have started since the last call belong to one of our own pages."""
        self._own[page] = self.appeared()

    def attached(self, page: object, renderers: Callable[[], frozenset[int]]) -> None:
        """Remember another application's page; ``renderers`` returns the IDs of the processes that run it now."""
        self._attached[page] = renderers

    def yield_to(self, recording: object) -> None:
        """Lower the priority of all other pages, because a recording page without enough CPU time drops frames."""
        if not self._own.keys() | self._attached.keys() > {recording}:
            return
        # A browser on another machine may use the same process IDs.
        running = _running()
        if not running:
            return
        found = self._own | {page: renderers() & running for page, renderers in self._attached.items()}
        own = found.pop(recording)
        # If the recording page's process is unknown, another page may share it.
        if own:
            self.lower(frozenset[int]().union(*found.values()) - own)

    def lower(self, renderers: Iterable[int]) -> None:
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
