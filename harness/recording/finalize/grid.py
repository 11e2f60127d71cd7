"""Find the mixer's tick for each recorded packet.

Chrome timestamps a frame when it arrives at the recorder, not when the mixer writes it (see Chrome fact 3 in
tests/expectations). The mixer logs when it wrote each tick. The difference between a packet's timestamp and its tick's
write time is constant to within a few milliseconds, so each packet belongs to the tick with the nearest write time. A
tick without a packet becomes a gap in the video.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Number of packets that are used to compute the constant difference between timestamps and write times.
SETTLED: Final = 45
_KEPT_TICKS: Final = 600
# Maximum number of packets that wait for their ticks to appear in the log; further packets are placed at a constant
# rate.
_MOST_WAITING: Final = 900
# Maximum distance between the first packet and the recorder's start, in ticks before and after the start. If the write
# times are too regular to distinguish neighboring ticks, the tick nearest to the start is the most likely one. For this
# reason, a tick's fit error is increased in proportion to its distance from the start.
_BEFORE: Final = 4
_AFTER: Final = 8
_FARTHER: Final = 0.03
# Candidates count as ties if their fit errors are within this factor, and within this many ms, of the smallest error.
_ABOUT: Final = 1.5
_ABOUT_MS: Final = 0.5
# Number of frames that do not count as lost, because they can still be in the encoder when the recorder stops.
_LAST_MOMENT: Final = 2


class Grid:
    """Assigns a tick to each video packet.

    ``step`` is in milliseconds. A tick has a number and a write time in ms on the page's clock; a packet is represented
    by the timestamp that MediaRecorder gave it, in ms.
    """

    def __init__(self, step: float, recorder_started: float | None = None) -> None:
        self.step = step
        self.recorder_started = recorder_started
        self.recorder_stopped: float | None = None
        self.ended = False
        self._numbers: list[int] = []
        self._times: list[float] = []
        self._lag: float | None = None
        self._waiting: list[float] = []
        self._differences: list[float] = []
        # The number of differences used so far, and their median, which estimates the timestamp of tick 0.
        self._phase_of = (0, 0.0)
        self._last = -1
        self.first: int | None = None
        self.placed = 0

    @property
    def expected(self) -> int:
        """The number of ticks that the file should cover, from the first assigned tick until the recorder stopped."""
        if self.first is None:
            return 0
        return max(self._last, self._last_before_stop()) - self.first + 1

    @property
    def outstanding(self) -> int | None:
        """The number of ticks from the last packet's tick until the recorder stopped, or None if it is unknown."""
        if self.recorder_stopped is None or not (self._waiting or self.placed):
            return None
        if self._waiting:
            lag = self._least_lag(self._waiting[:SETTLED]) if self._lag is None else self._lag
            shown = bisect_right(self._times, self._waiting[-1] - lag + self.step / 2)
        else:
            shown = bisect_right(self._numbers, self._last)
        return max(0, bisect_right(self._times, self.recorder_stopped) - shown)

    @property
    def zero(self) -> float:
        """The timestamp, in ms, that the first packet with a tick would have without jitter."""
        return 0.0 if self.first is None else self._phase + self.first * self.step

    @property
    def zero_on_page(self) -> float | None:
        """The first assigned tick's write time without jitter, in ms on the page's clock; None if there is no tick."""
        return None if self._lag is None or not self._times else self.zero - self._lag

    @property
    def _phase(self) -> float:
        known = len(self._differences)
        if self._phase_of[0] != known:
            self._phase_of = (known, median(self._differences))
        return self._phase_of[1]

    def tick(self, number: int, written: float) -> None:
        """Add one tick from the mixer's log; tick numbers must increase."""
        self._numbers.append(number)
        self._times.append(written)

    def place(self, stamp: float) -> list[tuple[float, int]]:
        """Add the next packet's timestamp; return all packets whose ticks are now known, in order, with their ticks."""
        self._waiting.append(stamp)
        return self._settle()

    def end(self) -> list[tuple[float, int]]:
        """Return the waiting packets with their ticks, which can be assigned now since no more ticks will follow."""
        self.ended = True
        return self._settle()

    def _last_before_stop(self) -> int:
        """Return the last tick in the log that the recorder had time to encode before it was stopped."""
        if self.recorder_stopped is None:
            return self._last
        in_time = bisect_left(self._times, self.recorder_stopped - _LAST_MOMENT * self.step)
        return self._numbers[in_time - 1] if in_time else self._last

    def _settle(self) -> list[tuple[float, int]]:
        if self._lag is None and self._waiting and (self.ended or self._has_enough() or self._waits_too_long()):
            self._lag = self._find_lag(self._waiting[:SETTLED])
        if self._lag is None:
            return []
        placed: list[tuple[float, int]] = []
        while self._waiting and self._known(self._waiting[0] - self._lag):
            stamp = self._waiting.pop(0)
            placed.append((stamp, self._assign(stamp, self._lag)))
        self._forget()
        return placed

    def _waits_too_long(self) -> bool:
        return len(self._waiting) > _MOST_WAITING

    def _known(self, written: float) -> bool:
        """Return whether the log already contains every tick that could be the nearest one to a write time."""
        return self.ended or self._waits_too_long() or (bool(self._times) and self._times[-1] > written + self.step / 2)

    def _assign(self, stamp: float, lag: float) -> int:
        number = max(self._nearest(stamp - lag), self._last + 1)
        if self.first is None:
            self.first = number
        self._last = number
        self.placed += 1
        if len(self._differences) < _KEPT_TICKS:
            self._differences.append(stamp - number * self.step)
        return number

    def _nearest(self, written: float) -> int:
        """Return the tick with the nearest write time, assuming a constant tick rate before and after the log."""
        if not self._times:
            return round(written / self.step)
        after = bisect_left(self._times, written)
        if after == len(self._times):
            return self._numbers[-1] + round((written - self._times[-1]) / self.step)
        if after == 0:
            return self._numbers[0] + round((written - self._times[0]) / self.step)
        before = after - 1
        nearer = before if written - self._times[before] <= self._times[after] - written else after
        return self._numbers[nearer]

    def _has_enough(self) -> bool:
        """Return whether the log covers the first SETTLED packets, whichever tick the first packet belongs to.

        Packets after the first SETTLED are not considered, because they can stay ahead of the log for the whole
        recording.
        """
        if len(self._waiting) < SETTLED or not self._times:
            return False
        latest = self._times[self._candidates()[-1]] + self._waiting[SETTLED - 1] - self._waiting[0]
        return self._times[-1] > latest + self.step

    def _candidates(self) -> range:
        """Return the log indices of the ticks that the first packet might belong to."""
        start = self._started()
        return range(max(0, start - _BEFORE), min(len(self._times), start + _AFTER + 1))

    def _started(self) -> int:
        if self.recorder_started is None:
            return 0
        return min(bisect_left(self._times, self.recorder_started), len(self._times) - 1)

    def _find_lag(self, stamps: Sequence[float]) -> float:
        """Return the lag (timestamp minus write time) of the candidate that fits the first packets best."""
        if not self._times:
            return 0.0
        start = self._started()

        def fit_error(candidate: int) -> tuple[float, float]:
            found, lag = self._fit(stamps, candidate)
            return found * (1 + _FARTHER * abs(candidate - start)), lag

        return min(map(fit_error, self._candidates()), key=lambda found: found[0])[1]

    def _least_lag(self, stamps: Sequence[float]) -> float:
        """Return the smallest lag among the candidates that fit about as well as the best one."""
        if not self._times:
            return 0.0
        fits = [self._fit(stamps, candidate) for candidate in self._candidates()]
        good = _ABOUT * min(fit_error for fit_error, _ in fits) + _ABOUT_MS
        return min(lag for fit_error, lag in fits if fit_error <= good)

    def _fit(self, stamps: Sequence[float], candidate: int) -> tuple[float, float]:
        """Return the fit error, in ms, and the best lag, assuming that the first packet belongs to this tick."""
        _, lag = self._refine(stamps, stamps[0] - self._times[candidate])
        return self._refine(stamps, lag)

    def _refine(self, stamps: Sequence[float], lag: float) -> tuple[float, float]:
        """Match each timestamp to a tick, assuming this lag; return the fit error, in ms, and a more accurate lag."""
        differences = [stamp - self._times[self._index(stamp - lag)] for stamp in stamps]
        best = median(differences)
        return sum(abs(difference - best) for difference in differences) / len(differences), best

    def _index(self, written: float) -> int:
        after = bisect_left(self._times, written)
        nearby: Iterable[int] = (index for index in (after - 1, after) if 0 <= index < len(self._times))
        return min(nearby, key=lambda index: abs(self._times[index] - written))

    def _forget(self) -> None:
        """Remove ticks that are well before the last assigned tick, so that memory use stays constant."""
        if len(self._numbers) > 2 * _KEPT_TICKS:
            keep = max(0, bisect_left(self._numbers, self._last) - _KEPT_TICKS // 2)
            del self._numbers[:keep], self._times[:keep]
