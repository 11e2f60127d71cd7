"""Lower the CPU priority of pages that only send, so that pages that record get CPU time first."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The amount added to a page's nice value. If the page competes with the recording page for a processor, the recording
# page gets 90 % of the time.
_ADDED_NICENESS: Final = 10
# Processor time is counted in hundredths of a second, separately for the process and for the kernel on its behalf.
_ROUNDING: Final = 0.02
_ATTEMPTS: Final = 5


class Renderers:
    """The renderer processes of a room's pages, each of which has a key.

    Remote browsers have no processes on this machine, so the priority of their pages is not changed.
    """

    def __init__(self) -> None:
        self._known = _running()
        self._lowered: set[int] = set()
        # The renderers of our own pages. Pages of other applications can move to another renderer at any time.
        self._own: dict[object, frozenset[int]] = {}
        self._cpu_clocks: dict[object, Callable[[], float | None]] = {}

    def appeared(self) -> frozenset[int]:
        """Return the IDs of the renderer processes that have started since the last call."""
        now = _running()
        new = frozenset(now - self._known)
        self._known = now
        return new

    def opened(self, page: object) -> None:
        """Remember that the renderers that have started since the last call belong to one of our own pages."""
        self._own[page] = self.appeared()

    def attached(self, page: object, cpu_clock: Callable[[], float | None]) -> None:
        """Remember another application's page. See ``find`` for ``cpu_clock``."""
        self._cpu_clocks[page] = cpu_clock

    def yield_to(self, recording: object) -> None:
        """Lower the priority of all other pages, because a recording page without enough CPU time drops frames."""
        found = dict(self._own)
        if not found.keys() | self._cpu_clocks.keys() > {recording}:
            return
        for page, renderer in zip(self._cpu_clocks, find(self._cpu_clocks.values()), strict=True):
            found[page] = frozenset(() if renderer is None else (renderer,))
        others = [renderers for page, renderers in found.items() if page is not recording]
        self.lower(frozenset[int]().union(*others) - found[recording])

    def lower(self, renderers: Iterable[int]) -> None:
        """Permanently lower the priority of the given processes, on Linux only and at most once per process."""
        for renderer in set(renderers) - self._lowered:
            self._lowered.add(renderer)
            # The process of a closed page no longer exists.
            with contextlib.suppress(psutil.Error):
                for thread in psutil.Process(renderer).threads():
                    _raise_niceness(thread.id)


def find(cpu_clocks: Iterable[Callable[[], float | None]]) -> list[int | None]:
    """Return the IDs of the renderer processes that have used as much processor time as pages report.

    Args:
        cpu_clocks: For each page, a function that returns the processor time that the page's process has used, in
            seconds, or None if the page can't report it.

    Returns:
        For each page, its process, or None if no process of this program's browsers has used that time, or several
        have.
    """
    clocks = list(cpu_clocks)
    running = [psutil.Process(renderer) for renderer in _running()] if clocks else []
    found = [_candidates(running, read) for read in clocks]
    taken = {renderer for (renderer, *more) in filter(None, found) if not more}
    # A process that certainly belongs to one page is unlikely to belong to another page too.
    left = [candidates if len(candidates) == 1 else candidates - taken for candidates in found]
    return [next(iter(candidates)) if len(candidates) == 1 else None for candidates in left]


def _running() -> set[int]:
    renderers = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in process.cmdline():
                renderers.add(process.pid)
    return renderers


def _candidates(running: Iterable[psutil.Process], read: Callable[[], float | None]) -> set[int]:
    """Return the IDs of the processes whose processor time agrees with the time that a page reports repeatedly."""
    candidates = list(running)
    for _ in range(_ATTEMPTS):
        before = _cpu_times(candidates)
        used = read()
        if used is None:
            return set()
        after = _cpu_times(candidates)
        candidates = [
            process
            for process in candidates
            if before.get(process.pid, math.inf) - _ROUNDING <= used <= after.get(process.pid, 0) + _ROUNDING
        ]
        if len(candidates) <= 1:
            break
    return {process.pid for process in candidates}


def _cpu_times(running: Iterable[psutil.Process]) -> dict[int, float]:
    """Return the processor time that each process has used, in seconds, except for processes that have ended."""
    used = {}
    for process in running:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            used[process.pid] = times.user + times.system
    return used


def _raise_niceness(thread: int) -> None:
    """Raise a thread's nice value; on Linux, every thread has its own value, and new threads inherit it."""
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(thread)
        process.nice(process.nice() + _ADDED_NICENESS)
