"""RareLog limits how often the server logs warnings that clients can cause."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

# Minimum time between two log lines with the same message, in seconds.
_EVERY: Final = 60.0


class RareLog:
    """Logs each message at most once per minute, and appends the number of suppressed repetitions.

    ``clock`` is in seconds.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._next: dict[str, float] = {}
        self._unlogged: dict[str, int] = {}

    def warning(self, message: str) -> None:
        """Log a message, which must come from a fixed set and contain no text from a client."""
        now = self._clock()
        if now < self._next.get(message, 0.0):
            self._unlogged[message] = self._unlogged.get(message, 0) + 1
            return
        self._next[message] = now + _EVERY
        more = self._unlogged.pop(message, 0)
        self._log.warning("%s%s", message, f" ({more} more since this was last logged)" if more else "")
