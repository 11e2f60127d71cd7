"""StatisticsLog stores a recording's WebRTC statistics up to a maximum size, and drops later statistics."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Final

from harness.errors import RecordingError
from harness.server.spool.open_folder import encode_line

if TYPE_CHECKING:
    from harness.server.spool.messages import Statistics
    from harness.server.spool.open_folder import JsonLines
    from harness.server.spool.recording_log import RecordingLog

_log = logging.getLogger(__name__)

# Maximum size of a recording's statistics, in bytes. Readers reject larger files.
MAX_STATISTICS: Final = 900_000_000


class StatisticsLog:
    """Stores WebRTC statistics in ``lines`` up to ``max_bytes``; if any are dropped, adds an alarm to ``log``."""

    def __init__(self, lines: JsonLines, log: RecordingLog, name: str, max_bytes: int) -> None:
        self._lines = lines
        self._log = log
        self._name = name
        self._max_bytes = max_bytes
        self._dropped = 0

    def add(self, statistics: Statistics) -> None:
        """Store the statistics of one connection, or drop them if the maximum size is reached."""
        line = encode_line(statistics.model_dump(exclude={"type"}))
        if self._dropped or self._lines.size + len(line) > self._max_bytes:
            self._drop(statistics.time, f"the statistics file has reached the limit of {self._max_bytes} bytes")
            return
        try:
            self._lines.append_line(line)
        except (OSError, RecordingError) as error:
            # A recording with incomplete statistics is better than no recording.
            reason = error.strerror if isinstance(error, OSError) else "the disk is full"
            self._drop(statistics.time, f"the statistics file can't be written: {reason}")

    def warn_of_dropped_lines(self) -> None:
        """Log how many lines of statistics were dropped."""
        if self._dropped:
            _log.warning("%s: %d lines of statistics were dropped.", self._name, self._dropped)

    def _drop(self, time: float, reason: str) -> None:
        self._dropped += 1
        if self._dropped == 1:
            message = f"The WebRTC statistics are no longer being stored: {reason}."
            _log.warning("%s: %s", self._name, message)
            # If the disk is full, the error will be reported when the next chunk arrives.
            with contextlib.suppress(OSError, RecordingError):
                self._log.add_alarm(time, message)
