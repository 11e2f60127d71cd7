"""The clock that all rooms share."""

from __future__ import annotations

import time


def room_time() -> float:
    """Return the room time: the server's monotonic clock, in ms."""
    return time.monotonic() * 1000
