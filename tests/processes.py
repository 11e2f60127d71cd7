"""Processes that should be gone."""

import contextlib
from collections.abc import Iterable

import psutil


def left_of(family: Iterable[psutil.Process], *, within: float) -> list[psutil.Process]:
    """Return who still runs after so many seconds; the dead whom nobody has buried yet do not count."""
    _, there = psutil.wait_procs(list(family), timeout=within)
    running = []
    for process in there:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                running.append(process)
    return running
