"""Compare the clocks of two files by the markers in them: capture times in the video, and seconds in the audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.markers.audio_signals import SECONDS
from harness.verification.markers.periods import agreeing, centered
from harness.verification.markers.strip import CAPTURE_BITS, COUNTER_PERIOD, COUNTS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.markers.tracks import MarkerTrack

# Capture times repeat after this many seconds, and counters after the second number.
CAPTURE_PERIOD: Final = (1 << CAPTURE_BITS) / 1000
_COUNTER_SECONDS: Final = COUNTER_PERIOD / COUNTS_PER_SECOND
# Fewer new frames, or bursts, are not enough evidence.
_FEWEST_FRAMES: Final = 10
_FEWEST_BURSTS: Final = 3
# A clock is compared at a time in the file by the median of this many frames around this time.
_NEAR: Final = 60
# The counter and the capture time of a participant advance together. A page that was reloaded has a new counter.
_COUNTER_SLACK: Final = 2.0
# The capture times repeat every 70 minutes, and the counters decide up to this many repetitions (a day).
_MOST_PERIODS: Final = 20
# Bursts that agree differ by at most this many seconds. A jitter buffer can change the second that a burst seems to
# encode.
_AGREE: Final = 0.3


@dataclass(frozen=True)
class _Captures:
    """One participant's new frames: times in the file, capture times and counters, all in seconds."""

    times: NDArray[np.float64]
    captured: NDArray[np.float64]
    counted: NDArray[np.float64]

    def lead(self, at: float) -> float:
        """Return the capture time minus the time in the file, as the median of the frames around a time in the file."""
        return float(np.median(self._near(self.captured - self.times, at)))

    def counter_lead(self, at: float) -> float:
        """Return the counter minus the time in the file, in seconds, like ``lead``."""
        return float(np.median(self._near(self.counted - self.times, at)))

    def _near(self, values: NDArray[np.float64], at: float) -> NDArray[np.float64]:
        first = int(np.searchsorted(self.times, at)) - _NEAR // 2
        first = max(0, min(first, self.times.size - _NEAR))
        return values[first : first + _NEAR]


@dataclass(frozen=True)
class Position:
    """The position of a file's zero on another file's timeline, in seconds.

    ``spread`` is the largest difference between the positions that the participants' markers state. ``repeats`` is true
    if the position is known only modulo CAPTURE_PERIOD, because no participant's counter confirms it.
    """

    at: float
    spread: float
    repeats: bool


class CaptureClock:
    """The capture times in a file, by the participants' markers.

    ``tracks`` holds the markers' tracks, each with a number of seconds that is added to its times.
    """

    def __init__(self, tracks: Iterable[tuple[MarkerTrack, float]]) -> None:
        self._captures: dict[int, _Captures] = {}
        for track, shift in tracks:
            fresh = track.new_frames
            if np.count_nonzero(fresh) >= _FEWEST_FRAMES:
                self._captures[track.marker] = _Captures(
                    track.times[fresh] + shift,
                    track.captures_ms[fresh] / 1000,
                    track.counters[fresh] / COUNTS_PER_SECOND,
                )

    def __bool__(self) -> bool:
        """Return whether the file has enough capture times."""
        return bool(self._captures)

    @property
    def markers(self) -> frozenset[int]:
        """The markers whose capture times are known."""
        return frozenset(self._captures)

    def position_on(self, other: CaptureClock, expected: float | None = None) -> Position:
        """Return the position of this file's zero on the timeline of another file, which must have capture times too.

        ``expected`` is the approximate position in seconds; without it, the counters of participants who are in both
        files decide between the possible positions, or else the position nearest to 0 is chosen.
        """
        common = sorted(self.markers & other.markers)
        repeats = False
        if expected is None:
            expected, repeats = self._rough(other, common)
        found = np.array([_difference(mine, theirs, expected) for mine, theirs in self._pairs(other, common)])
        steps = centered(found - expected, CAPTURE_PERIOD)
        return Position(expected + float(np.median(steps)), float(np.ptp(steps)), repeats)

    def _pairs(self, other: CaptureClock, common: list[int]) -> list[tuple[_Captures, _Captures]]:
        """Return the frames of common participants. If there are none, all participants share the room's clock."""
        if common:
            return [(self._captures[marker], other._captures[marker]) for marker in common]
        return [(mine, theirs) for mine in self._captures.values() for theirs in other._captures.values()]

    def _rough(self, other: CaptureClock, common: list[int]) -> tuple[float, bool]:
        """Return the approximate position, and whether other positions are possible."""
        mine, theirs = self._pairs(other, common)[0]
        first = float(
            centered(np.array(mine.lead(float(mine.times[0])) - theirs.lead(float(theirs.times[0]))), CAPTURE_PERIOD)
        )
        for marker in common:
            mine, theirs = self._captures[marker], other._captures[marker]
            counted = mine.counter_lead(float(mine.times[0])) - theirs.counter_lead(float(theirs.times[0]))
            candidates = [first + number * CAPTURE_PERIOD for number in range(-_MOST_PERIODS, _MOST_PERIODS + 1)]
            fitting = [
                at for at in candidates if abs(centered(np.array(at - counted), _COUNTER_SECONDS)) < _COUNTER_SLACK
            ]
            if fitting:
                return min(fitting, key=abs), False
        return first, True


def _difference(mine: _Captures, theirs: _Captures, expected: float) -> float:
    """Return the position of one file on the other's timeline according to one participant, or a pair of participants.

    A recorder's clock drifts and may have been paused, so that a file's times fit to the room's clock only nearby. The
    frames are therefore compared where the two files are nearest to each other.
    """
    at = min(max(expected + float(mine.times[0]), float(theirs.times[0])), float(theirs.times[-1]))
    return mine.lead(at - expected) - theirs.lead(at)


def burst_zero(audio: AudioAnalysis, voice: int) -> float | None:
    """Return the time in the file at which the counter of a voice was 0, modulo 16 s, or None if it is unknown.

    Most bursts must agree, because a jitter buffer can change the second that a burst seems to encode.
    """
    times, seconds = audio.bursts[voice].seconds
    zeros = (times - seconds) % SECONDS
    if zeros.size < _FEWEST_BURSTS:
        return None
    group = agreeing(zeros, SECONDS, _AGREE)
    if group.size < _FEWEST_BURSTS or 2 * group.size <= zeros.size:
        return None
    return float(np.median(group) % SECONDS)


def counter_zero(tracks: Mapping[int, MarkerTrack], voice: int) -> float | None:
    """Return the time in the file at which the counter in the video of a voice's participant was 0, or None.

    The result is None unless exactly one participant in the video has this voice.
    """
    own = [track for marker, track in tracks.items() if marker % VOICES == voice]
    if len(own) != 1 or own[0].times.size < _FEWEST_FRAMES:
        return None
    fresh = own[0].new_frames
    return float(np.median(own[0].times[fresh] - own[0].counters[fresh] / COUNTS_PER_SECOND))
