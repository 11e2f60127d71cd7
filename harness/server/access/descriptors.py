"""File descriptors: how many this process may have, and how many are reserved for recordings."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import Final

# The most that a server with all its rooms, recordings and connections needs.
_MAX_NEEDED: Final = 65_536
# Reserved for beginning and finishing recordings: at most a third of all.
_RESERVE: Final = 96


def raise_soft_limit() -> None:
    """Raise this process's limit of file descriptors to the hard limit, as far as a server can use them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_NEEDED if hard == resource.RLIM_INFINITY else min(hard, _MAX_NEEDED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS has a lower bound of its own below a hard limit that it reports as infinite.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def max_for_connections() -> int:
    """Return the number below which the descriptors of connections stay, so that recordings have the rest."""
    maximum = _maximum()
    return maximum - min(_RESERVE, maximum // 3)


def enough_for_recording() -> bool:
    """Return whether another recording can begin without using the descriptors that finish the others.

    The system assigns the lowest free number, so the next one shows how many are in use.
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
