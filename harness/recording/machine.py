"""Report the resources of the machine that this process may use."""

from __future__ import annotations

import os


def processors() -> int:
    """Return how many processors this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
