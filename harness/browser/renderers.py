"""Whose pages go first where the processors don't suffice: the one that records, before those that only send."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

# So much nicer are those who give way: where both want a processor it is the other's for nine tenths of the time.
_NICER: Final = 10


class Renderers:
    """The processes in which pages of this program's browsers run, told apart by when they appeared.

    A browser elsewhere has none here, so nothing there is touched.
    """

    def __init__(self) -> None:
        self._known = _running()
        self._nicer: set[int] = set()

    def appeared(self) -> frozenset[int]:
        """Return the process numbers that came since this was asked last."""
        now = _running()
        fresh = frozenset(now - self._known)
        self._known = now
        return fresh

    def yield_to_others(self, renderers: Iterable[int]) -> None:
        """Let these processes give way to all others from now on (Linux); done once, as it can't be taken back."""
        for renderer in set(renderers) - self._nicer:
            self._nicer.add(renderer)
            # A page that is gone has no threads to be nice.
            with contextlib.suppress(psutil.Error):
                for thread in psutil.Process(renderer).threads():
                    _make_nicer(thread.id)


def _running() -> set[int]:
    renderers = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in process.cmdline():
                renderers.add(process.pid)
    return renderers


def _make_nicer(thread: int) -> None:
    """Raise a thread's nice value: on Linux each has its own, and new ones take that of their maker."""
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(thread)
        process.nice(process.nice() + _NICER)
