"""Raise the process's file descriptor limit, and reserve some descriptors for recordings."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import Final

# Maximum number of descriptors that one server needs for all its rooms, recordings and connections.
_MAX_NEEDED: Final = 65_536
# Number of descriptors reserved for starting and finishing recordings; at most a third of all descriptors is reserved.
_RESERVE: Final = 96


def raise_soft_limit() -> None:
    """Raise the soft limit on file descriptors to the hard limit, but no higher than one server can need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_NEEDED if hard == resource.RLIM_INFINITY else min(hard, _MAX_NEEDED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS reports the hard limit as infinite, but enforces a lower limit.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def max_for_connections() -> int:
    """Return the lowest descriptor number that is reserved for recordings; connections may only use lower numbers."""
    maximum = _maximum()
    return maximum - min(_RESERVE, maximum // 3)


def enough_for_recording() -> bool:
    """Return whether enough descriptors are free to start another recording and to finish all active recordings.

    The operating system assigns the lowest free descriptor number, so the number of a newly opened file shows how many
    descriptors are in use.
    """
    try:
        number = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return False
    os.close(number)
    maximum = _maximum()
    return number < maximum - min(_RESERVE, maximum // 3) // 2


def _maximum() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MAX_NEEDED if soft == resource.RLIM_INFINITY else min(soft, _MAX_NEEDED)
