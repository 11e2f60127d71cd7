"""The log beside the raw bytes: the mixer's ticks and the recorder's states, as they were written, pauses cut out."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.recording.grid import Grid


# Bytes that are read and taken apart at a time.
_AT_ONCE: Final = 1_000_000


@dataclass(frozen=True)
class Cut:
    """Where a pause lies in the file, and how much it cuts out, both in seconds."""

    at: float
    seconds: float


class FileClock:
    """Places moments in a file from which pauses are cut out; ``cuts`` are in the file's order."""

    def __init__(self, cuts: Iterable[Cut]) -> None:
        self._cuts: list[Cut] = []
        # When each pause began and how much was cut out by its end, in seconds after the file's zero, pauses included.
        self._starts: list[float] = []
        self._out: list[float] = []
        out = 0.0
        for cut in cuts:
            self._cuts.append(cut)
            self._starts.append(cut.at + out)
            out += cut.seconds
            self._out.append(out)

    def place(self, at: float) -> float:
        """Return where in the file a moment is, ``at`` seconds after its zero; a moment in a pause is at its cut."""
        last = bisect_left(self._starts, at) - 1
        return at if last < 0 else max(self._cuts[last].at, at - self._out[last])


class Pauses:
    """The recorder's pauses in order, from ``start`` to ``end`` in ms on the page's clock.

    ``step`` is that of the ticks. Each question takes about as long with very many pauses as with one.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        # Since when the recorder is paused, if it is.
        self.open: float | None = None
        self._starts: list[float] = []
        self._ends: list[float] = []
        # Where each pause begins once those before it are cut out; and how much, how many ticks and how much more than
        # whole ticks is cut out by its end.
        self._cut_starts: list[float] = []
        self._out: list[float] = [0.0]
        self._ticks: list[int] = [0]
        self._excess: list[float] = [0.0]

    def begin(self, time: float) -> None:
        """Begin a pause, which cannot be before the last one ended; one that is open goes on."""
        if self.open is None:
            self.open = max(time, self._ends[-1]) if self._ends else time

    def end(self, time: float) -> None:
        """End the pause that is open, if one is."""
        if self.open is None:
            return
        start, end = self.open, max(time, self.open)
        ticks = round((end - start) / self._step) if self._step else 0
        self.open = None
        self._starts.append(start)
        self._ends.append(end)
        self._cut_starts.append(start - self._out[-1])
        self._out.append(self._out[-1] + end - start)
        self._ticks.append(self._ticks[-1] + ticks)
        self._excess.append(self._excess[-1] + end - start - ticks * self._step)

    def hold(self, time: float) -> bool:
        """Return whether the recorder was paused at a time."""
        if self.open is not None and time > self.open:
            return True
        later = bisect_right(self._ends, time)
        return later < len(self._ends) and self._starts[later] < time

    def without(self, time: float) -> tuple[float, int]:
        """Return a time as if the pauses before it had not been, and how many ticks they cut out."""
        over = bisect_right(self._ends, time)
        return time - self._out[over], self._ticks[over]

    def excess_at(self, time: float) -> float:
        """Return how much more than whole ticks was cut out by a time that does not count pauses, in ms."""
        return self._excess[bisect_right(self._cut_starts, time)]

    def cuts(self, zero: float) -> tuple[Cut, ...]:
        """Return the pauses that have ended as cuts in the file, whose zero is at ``zero``."""
        spans = zip(self._cut_starts, self._starts, self._ends, strict=True)
        return tuple(Cut((at - zero) / 1000, (end - start) / 1000) for at, start, end in spans)


class Log:
    """Reads the log as it grows, and tells the grid; only whole lines count.

    ``step`` is in ms, 0 for sound alone. MediaRecorder's stamps stand still in a pause, so ticks written meanwhile are
    dropped, and later ones are counted and timed as if the pause had not been.
    """

    def __init__(self, path: Path, step: float) -> None:
        self.started: float | None = None
        self._pauses = Pauses(step)
        self._file = path.open("rb")
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
        return self._pauses.cuts(zero_on_page)

    def excess(self, stamp: float, zero_on_page: float) -> float:
        """Return how much more than whole ticks the pauses before a stamp cut out, in ms.

        The picture goes on by whole ticks; the sound, which the recorder cut to the millisecond, follows by this.
        ``stamp`` is in ms from the file's zero, which lies at ``zero_on_page`` on the page's clock.
        """
        return self._pauses.excess_at(stamp + zero_on_page)

    def _take(self, line: dict[str, Any], grid: Grid | None) -> None:
        match line:
            case {"recorder": "started", "time": time}:
                self.started = time
                if grid:
                    grid.recorder_started = time
            case {"recorder": "stopped", "time": time} if grid:
                end = time if self._pauses.open is None else self._pauses.open
                grid.recorder_stopped = self._pauses.without(end)[0]
            case {"recorder": "paused", "time": time}:
                self._pauses.begin(time)
            case {"recorder": "resumed", "time": time}:
                self._pauses.end(time)
            case {"first": first, "written": written} if grid:
                self._ticks(first, written, grid)

    def _ticks(self, first: int, written: list[float | None], grid: Grid) -> None:
        for index, time in enumerate(written):
            if time is None or self._pauses.hold(time):
                continue
            at, ticks = self._pauses.without(time)
            grid.tick(first + index - ticks, at)
