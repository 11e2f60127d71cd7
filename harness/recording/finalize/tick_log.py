"""Read the mixer's ticks and the recorder's states from a recording's log, with pauses cut out."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from harness.recording.timeline import Event, Member, Moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from harness.recording.finalize.grid import Grid

# Maximum length of a line, in bytes.
LONGEST_LINE: Final = 10_000_000
# Maximum number of ticks that can be replaced after an unreadable line, which corresponds to a few minutes.
_MOST_LOST_TICKS: Final = 10_000


class _Line(BaseModel):
    """A line from the log; unknown fields from other versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RecorderLine(_Line):
    """MediaRecorder changed its state at ``time``, in ms on the page's clock."""

    recorder: Literal["started", "stopped", "paused", "resumed"]
    time: Moment


class TicksLine(_Line):
    """The times at which the mixer wrote its ticks, starting with tick number ``first``, in ms on the page's clock."""

    first: Annotated[int, Field(ge=0, le=2**53)]
    written: list[Moment | None]


class MemberLine(_Line):
    """A participant who was in the room."""

    member: Member

    @field_validator("member", mode="before")
    @classmethod
    def _known_fields(cls, member: Any) -> Any:
        return _known_fields_of(member, Member) if isinstance(member, dict) else member


class EventLine(_Line):
    """An event at ``time``, in ms on the room's clock; ``event.at`` is set later."""

    time: Moment
    event: Event

    @model_validator(mode="before")
    @classmethod
    def _with_separate_time(cls, line: Any) -> Any:
        event = line["event"]
        if not isinstance(event, dict) or "time" not in event:
            message = "the event has no 'time' field"
            raise ValueError(message)
        return {"time": event["time"], "event": {**_known_fields_of(event, Event), "at": 0.0}}


def _known_fields_of(fields: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in model.model_fields}


LogLine = RecorderLine | TicksLine | MemberLine | EventLine
_KINDS: Final[dict[str, type[LogLine]]] = {
    "recorder": RecorderLine,
    "first": TicksLine,
    "member": MemberLine,
    "event": EventLine,
}


def parse_line(line: bytes) -> LogLine | None:
    """Parse a line of the log; return None for a line that can't be parsed."""
    try:
        content = json.loads(line)
        kind = next((key for key in _KINDS if key in content), None) if isinstance(content, dict) else None
        return _KINDS[kind].model_validate(content) if kind else None
    # pydantic's ValidationError is a ValueError.
    except (ValueError, RecursionError):
        return None


class WholeLines:
    """Yields the complete lines of a growing file; a partial line is yielded once the rest has been written.

    ``skipped`` counts the lines that were too long to read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.skipped = 0
        self._file = file
        self._at = 0
        self._inside_long_line = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines that were written since the last call."""
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
    """A pause that is cut out of the file, with the pause's position in the file and its length, both in seconds."""

    at: float
    seconds: float


class FileClock:
    """Maps recording times to times in a file without pauses; ``cuts`` must be sorted by position."""

    def __init__(self, cuts: Iterable[Cut]) -> None:
        self._cuts: list[Cut] = []
        # For each pause, its start in recording time, and the total length of all pauses up to its end, in seconds.
        self._starts: list[float] = []
        self._out: list[float] = []
        out = 0.0
        for cut in cuts:
            self._cuts.append(cut)
            self._starts.append(cut.at + out)
            out += cut.seconds
            self._out.append(out)

    def place(self, at: float) -> float:
        """Return the file time for ``at`` seconds of recording time; a time in a pause maps to the cut's position."""
        last = bisect_left(self._starts, at) - 1
        return at if last < 0 else max(self._cuts[last].at, at - self._out[last])


class Pauses:
    """The recorder's pauses in order, with times in ms on the page's clock.

    ``step`` is the time between ticks. The methods stay fast regardless of the number of pauses.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        # The start of the current pause, or None if the recorder is not paused.
        self.open: float | None = None
        self._starts: list[float] = []
        self._ends: list[float] = []
        # The start of each pause, minus the length of all earlier pauses. ``_out`` contains the total length of all
        # pauses up to each pause's end in ms, ``_ticks`` contains it in whole ticks, and ``_excess`` contains the
        # remainder in ms.
        self._cut_starts: list[float] = []
        self._out: list[float] = [0.0]
        self._ticks: list[int] = [0]
        self._excess: list[float] = [0.0]

    def begin(self, time: float) -> None:
        """Begin a pause, at the earliest when the previous pause ends; if a pause is already open, it continues."""
        if self.open is None:
            self.open = max(time, self._ends[-1]) if self._ends else time

    def end(self, time: float) -> None:
        """End the open pause; do nothing if no pause is open."""
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

    def contain(self, time: float) -> bool:
        """Return whether the recorder was paused at the given time."""
        if self.open is not None and time > self.open:
            return True
        later = bisect_right(self._ends, time)
        return later < len(self._ends) and self._starts[later] < time

    def without(self, time: float) -> tuple[float, int]:
        """Subtract the pauses before a time; return the result and the number of ticks in those pauses."""
        over = bisect_right(self._ends, time)
        return time - self._out[over], self._ticks[over]

    def excess_at(self, time: float) -> float:
        """Return how much longer, in ms, the pauses before a time are than the whole ticks that are cut for them.

        The length of all pauses before ``time`` must already be subtracted from ``time``.
        """
        return self._excess[bisect_right(self._cut_starts, time)]

    def cuts(self, zero: float) -> tuple[Cut, ...]:
        """Return all finished pauses as cuts in the file; ``zero`` is the start of the file."""
        spans = zip(self._cut_starts, self._starts, self._ends, strict=True)
        return tuple(Cut((at - zero) / 1000, (end - start) / 1000) for at, start, end in spans)


class Log:
    """Reads the log while it grows, and passes ticks and states to a ``Grid``.

    ``step`` is the time between ticks in ms, or 0 if the recording has no video. MediaRecorder's timestamps do not
    advance during a pause. Ticks in a pause are therefore dropped, and the pause is subtracted from the numbers and
    times of later ticks.
    """

    def __init__(self, path: Path, step: float) -> None:
        self.started: float | None = None
        self._pauses = Pauses(step)
        self._file = path.open("rb")
        self._lines = WholeLines(self._file)
        self._step = step
        # The last tick read from the log, and whether an unreadable line followed it.
        self._last: tuple[int, float] | None = None
        self._line_lost = False

    def read(self, grid: Grid | None) -> None:
        """Read the new lines, and pass the lines' ticks to ``grid`` unless ``grid`` is None."""
        for line in self._lines:
            self._handle_line(parse_line(line), grid)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def cuts(self, zero_on_page: float) -> tuple[Cut, ...]:
        """Return the pauses as cuts in the file, which begins at ``zero_on_page`` on the page's clock."""
        return self._pauses.cuts(zero_on_page)

    def excess(self, stamp: float, zero_on_page: float) -> float:
        """Return by how many ms the pauses before a timestamp exceed the whole ticks that are cut for them.

        Pauses are cut from the video in whole ticks, but from the audio to the exact millisecond, so the audio must be
        shifted by the difference. ``stamp`` is in ms from the start of the file, which is at ``zero_on_page`` on the
        page's clock.
        """
        return self._pauses.excess_at(stamp + zero_on_page)

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
                end = line.time if self._pauses.open is None else min(line.time, self._pauses.open)
                grid.recorder_stopped = self._pauses.without(end)[0]
            case "paused":
                self._pauses.begin(line.time)
            case "resumed":
                self._pauses.end(line.time)

    def _ticks_between(self, line: TicksLine, grid: Grid) -> None:
        """Replace an unreadable line's ticks with evenly spaced ones, so that their frames are placed correctly."""
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
        if not self._pauses.contain(time):
            at, ticks = self._pauses.without(time)
            grid.tick(number - ticks, at)
