"""Report which of the machine's resources this process can use."""

from __future__ import annotations

import os


def processors() -> int:
    """Return how many processors this process can use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
