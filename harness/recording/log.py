"""The log beside the raw bytes: the mixer's ticks and the recorder's states, as they were written, pauses cut out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recording.grid import Grid


# Bytes that are read and taken apart at a time.
_AT_ONCE: Final = 1_000_000


@dataclass(frozen=True)
class Cut:
    """Where a pause lies in the file, and how much it cuts out, both in seconds."""

    at: float
    seconds: float


@dataclass
class Pause:
    """A pause of the recorder, ``start`` to ``end`` in ms on the page's clock; it cuts out ``ticks`` ticks."""

    start: float
    end: float = inf
    ticks: int = 0


class Log:
    """Reads the log as it grows, and tells the grid; only whole lines count.

    ``step`` is in ms, 0 for sound alone. MediaRecorder's stamps stand still in a pause, so ticks written meanwhile are
    dropped, and later ones are counted and timed as if the pause had not been.
    """

    def __init__(self, path: Path, step: float) -> None:
        self.started: float | None = None
        self._pauses: list[Pause] = []
        self._file = path.open("rb")
        self._step = step
        self._rest = b""

    def read(self, grid: Grid | None) -> None:
        """Tell the grid, if there is one, what is new."""
        while piece := self._file.read(_AT_ONCE):
            lines = (self._rest + piece).split(b"\n")
            self._rest = lines.pop()
            for line in lines:
                if line:
                    self._take(json.loads(line), grid)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def cuts(self, zero_on_page: float) -> tuple[Cut, ...]:
        """Return the pauses as cuts in the file, whose zero lies at ``zero_on_page`` on the page's clock."""
        ended = [pause for pause in self._pauses if pause.end < inf]
        return tuple(
            Cut((self._without_pauses(pause.start)[0] - zero_on_page) / 1000, (pause.end - pause.start) / 1000)
            for pause in ended
        )

    def excess(self, stamp: float, zero_on_page: float) -> float:
        """Return how much more than whole ticks the pauses before a stamp cut out, in ms.

        The picture goes on by whole ticks; the sound, which the recorder cut to the millisecond, follows by this.
        ``stamp`` is in ms from the file's zero, which lies at ``zero_on_page`` on the page's clock.
        """
        excess = 0.0
        out = 0.0
        for pause in self._pauses:
            if pause.end == inf or pause.start - out - zero_on_page > stamp:
                break
            out += pause.end - pause.start
            excess += pause.end - pause.start - pause.ticks * self._step
        return excess

    def _take(self, line: dict[str, Any], grid: Grid | None) -> None:
        match line:
            case {"recorder": "started", "time": time}:
                self.started = time
                if grid:
                    grid.recorder_started = time
            case {"recorder": "stopped", "time": time} if grid:
                last = self._pauses[-1] if self._pauses else None
                grid.recorder_stopped = self._without_pauses(last.start if last and last.end == inf else time)[0]
            case {"recorder": "paused", "time": time}:
                self._pauses.append(Pause(time))
            case {"recorder": "resumed", "time": time} if self._pauses:
                pause = self._pauses[-1]
                pause.end = max(time, pause.start)
                pause.ticks = round((pause.end - pause.start) / self._step) if self._step else 0
            case {"first": first, "written": written} if grid:
                self._ticks(first, written, grid)

    def _ticks(self, first: int, written: list[float | None], grid: Grid) -> None:
        for index, time in enumerate(written):
            if time is None or any(pause.start < time < pause.end for pause in self._pauses):
                continue
            at, ticks = self._without_pauses(time)
            grid.tick(first + index - ticks, at)

    def _without_pauses(self, time: float) -> tuple[float, int]:
        """Return a time as if the pauses before it had not been, and how many ticks they cut out."""
        over = [pause for pause in self._pauses if pause.end <= time]
        return time - sum(pause.end - pause.start for pause in over), sum(pause.ticks for pause in over)
