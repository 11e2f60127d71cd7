"""File descriptors: how many this process may have, and how many are kept for recordings."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import Final

# What a server with all its rooms, recordings and connections needs at most.
_ENOUGH: Final = 65_536
# Kept free of connections, since recordings have to be begun and finished: at most a third of all.
_RESERVE: Final = 96


def raise_soft_limit() -> None:
    """Let this process have as many file descriptors as it may give itself, as far as a server can use them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS has a bound of its own below a hard limit that it calls infinite.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_for_connections() -> int:
    """Return below which number the descriptors of connections stay, so that recordings have the rest."""
    most = _most()
    return most - min(_RESERVE, most // 3)


def enough_for_recording() -> bool:
    """Return whether another recording can be begun without taking the descriptors with which others are finished.

    The system gives out the lowest number that is free, so the next one tells how many are in use.
    """
    try:
        number = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return False
    os.close(number)
    most = _most()
    return number < most - min(_RESERVE, most // 3) // 2


def _most() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH if soft == resource.RLIM_INFINITY else min(soft, _ENOUGH)
