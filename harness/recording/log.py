"""The log next to the raw bytes: the mixer's ticks and the recorder's states, as they were written, pauses cut out."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from harness.recording.timeline import Event, Member, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from harness.recording.grid import Grid

# In bytes.
LONGEST_LINE: Final = 10_000_000
# Ticks that lost lines may have held: some minutes.
_MOST_LOST_TICKS: Final = 10_000


class _Line(BaseModel):
    """A line of the log; fields that another version added are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RecorderLine(_Line):
    """MediaRecorder has another state from ``time`` on, in ms on the page's clock."""

    recorder: Literal["started", "stopped", "paused", "resumed"]
    time: Moment


class TicksLine(_Line):
    """When the mixer wrote its ticks from number ``first`` on, in ms on the page's clock."""

    first: Annotated[int, Field(ge=0, le=2**53)]
    written: list[Moment | None]


class MemberLine(_Line):
    """Somebody who was in the room."""

    member: Member

    @field_validator("member", mode="before")
    @classmethod
    def _known_fields(cls, member: Any) -> Any:
        return _known(member, Member) if isinstance(member, dict) else member


class EventLine(_Line):
    """Something that happened at ``time``, in ms on the room's clock; ``event.at`` is not known yet."""

    time: Moment
    event: Event

    @model_validator(mode="before")
    @classmethod
    def _with_time_apart(cls, line: Any) -> Any:
        event = line["event"]
        if not isinstance(event, dict) or "time" not in event:
            message = "an event without a time"
            raise ValueError(message)
        return {"time": event["time"], "event": {**_known(event, Event), "at": 0.0}}


def _known(fields: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in model.model_fields}


LogLine = RecorderLine | TicksLine | MemberLine | EventLine
_KINDS: Final[dict[str, type[LogLine]]] = {
    "recorder": RecorderLine,
    "first": TicksLine,
    "member": MemberLine,
    "event": EventLine,
}


def parse_line(line: bytes) -> LogLine | None:
    """Return what a line of the log says, or None for a line that can't be read."""
    try:
        content = json.loads(line)
        kind = next((key for key in _KINDS if key in content), None) if isinstance(content, dict) else None
        return _KINDS[kind].model_validate(content) if kind else None
    # A ValidationError is a ValueError as well.
    except (ValueError, RecursionError):
        return None


class WholeLines:
    """Yields the whole lines of a file that may grow; an unfinished line is left until its end has come.

    ``skipped`` counts the lines that were too long to be read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.skipped = 0
        self._file = file
        self._at = 0
        self._inside_long_line = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines that have come since the last call."""
        self._file.seek(self._at)
        while piece := self._file.readline(LONGEST_LINE):
            whole = piece.endswith(b"\n")
            if not whole and len(piece) < LONGEST_LINE:
                return
            self._at += len(piece)
            if not whole or self._inside_long_line:
                self.skipped += whole
                self._inside_long_line = not whole
            elif piece.strip():
                yield piece


@dataclass(frozen=True)
class Cut:
    """Where a pause lies in the file, and how much it cuts out, both in seconds."""

    at: float
    seconds: float


@dataclass(frozen=True)
class _Pauses:
    """The pauses that have ended, in order, none inside another.

    ``starts`` and ``ends`` are in ms on the page's clock. ``cut`` and ``ticks`` are how much all pauses up to each one
    cut out, in ms and in ticks; they begin with 0 for no pause.
    """

    starts: list[float]
    ends: list[float]
    cut: list[float]
    ticks: list[int]


class Log:
    """Reads the log as it grows, and tells the grid; only whole lines that can be read count.

    ``step`` is in ms, 0 for sound alone. MediaRecorder's stamps stand still in a pause, so ticks written meanwhile are
    dropped, and later ones are counted and timed as if the pause had not been.
    """

    def __init__(self, path: Path, step: float) -> None:
        self.started: float | None = None
        self._pauses = _Pauses([], [], [0.0], [0])
        # Where the pause began that has not ended yet.
        self._paused = inf
        self._file = path.open("rb")
        self._lines = WholeLines(self._file)
        self._step = step
        # The last tick that was logged, and whether a line that could not be read came after it.
        self._last: tuple[int, float] | None = None
        self._line_lost = False

    def read(self, grid: Grid | None) -> None:
        """Tell the grid, if there is one, what is new."""
        for line in self._lines:
            self._handle_line(parse_line(line), grid)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def cuts(self, zero_on_page: float) -> tuple[Cut, ...]:
        """Return the pauses as cuts in the file, whose zero lies at ``zero_on_page`` on the page's clock."""
        pauses = self._pauses
        return tuple(
            Cut((start - out - zero_on_page) / 1000, (end - start) / 1000)
            for start, end, out in zip(pauses.starts, pauses.ends, pauses.cut, strict=False)
        )

    def excess(self, stamp: float, zero_on_page: float) -> float:
        """Return how much more than whole ticks the pauses before a stamp cut out, in ms.

        The picture goes on by whole ticks; the sound, which the recorder cut to the millisecond, follows by this.
        ``stamp`` is in ms from the file's zero, which lies at ``zero_on_page`` on the page's clock.
        """
        pauses = self._pauses
        over = bisect_right(
            range(len(pauses.starts)), stamp + zero_on_page, key=lambda index: pauses.starts[index] - pauses.cut[index]
        )
        return pauses.cut[over] - pauses.ticks[over] * self._step

    def _handle_line(self, line: LogLine | None, grid: Grid | None) -> None:
        match line:
            case RecorderLine():
                self._on_recorder_state(line, grid)
            case TicksLine() if grid:
                if self._line_lost:
                    self._ticks_between(line, grid)
                for index, time in enumerate(line.written):
                    if time is not None:
                        self._tick(line.first + index, time, grid)
            case None:
                self._line_lost = True

    def _on_recorder_state(self, line: RecorderLine, grid: Grid | None) -> None:
        match line.recorder:
            case "started":
                self.started = line.time
                if grid:
                    grid.recorder_started = line.time
            case "stopped" if grid:
                grid.recorder_stopped = self._without_pauses(min(line.time, self._paused))[0]
            case "paused" if self._paused == inf:
                self._paused = max(line.time, self._pauses.ends[-1] if self._pauses.ends else line.time)
            case "resumed" if self._paused < inf:
                self._end_pause(max(line.time, self._paused))

    def _end_pause(self, end: float) -> None:
        length = end - self._paused
        pauses = self._pauses
        pauses.starts.append(self._paused)
        pauses.ends.append(end)
        pauses.cut.append(pauses.cut[-1] + length)
        pauses.ticks.append(pauses.ticks[-1] + (round(length / self._step) if self._step else 0))
        self._paused = inf

    def _ticks_between(self, line: TicksLine, grid: Grid) -> None:
        """Make up the ticks of a line that could not be read, evenly spaced: frames without a tick push others on."""
        self._line_lost = False
        index, end = next(((index, time) for index, time in enumerate(line.written) if time is not None), (0, None))
        if self._last is None or end is None:
            return
        number, begin = self._last
        count = line.first + index - number
        step = (end - begin) / count if 0 < count <= _MOST_LOST_TICKS else 0.0
        if abs(step - self._step) < self._step / 2:
            for lost in range(1, count):
                self._tick(number + lost, begin + lost * step, grid)

    def _tick(self, number: int, time: float, grid: Grid) -> None:
        self._last = number, time
        if not self._is_paused(time):
            at, ticks = self._without_pauses(time)
            grid.tick(number - ticks, at)

    def _is_paused(self, time: float) -> bool:
        begun = bisect_left(self._pauses.starts, time)
        return time > self._paused or (begun > 0 and time < self._pauses.ends[begun - 1])

    def _without_pauses(self, time: float) -> tuple[float, int]:
        """Return a time as if the pauses before it had not been, and how many ticks they cut out."""
        over = bisect_right(self._pauses.ends, time)
        return time - self._pauses.cut[over], self._pauses.ticks[over]
