"""Measure how smoothly a participant's video plays: freezes, and frames that were needlessly repeated or skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.strip import COUNTER_PERIOD, COUNTS_PER_SECOND
from harness.verification.values.intervals import longer
from harness.verification.values.models import Freezes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from harness.recording.timeline import Interval
    from harness.verification.markers.tracks import MarkerTrack

# Viewers notice if a video is frozen for about this many seconds. The frames of a shorter stall count as repeated.
_SHORTEST_FROZEN: Final = 0.2
_COUNT_MS: Final = 1000 / COUNTS_PER_SECOND
_RATES: Final = np.array([60.0, 50.0, 30.0, 25.0, 24.0, 20.0, 15.0, 12.5, 12.0, 10.0, 7.5, 5.0])
# Frames normally arrive up to a third of a count early or late, and the sender shows each frame for at least one
# count.
_SLACK: Final = 0.7
_WHOLE: Final = 0.03
# A gap longer than this many seconds restarts the measurement, and does not count as repeated or skipped frames.
_RESTART: Final = 0.2
# Frames without a strip for up to this many seconds were damaged by the codec.
_BRIDGE: Final = 0.1
# A pause falls between two frames, and its recorded time is accurate only to one or two frames.
_AROUND_PAUSE: Final = 0.15
# The definition of a freeze in W3C's WebRTC statistics: freezeCount.
_FREEZE_FACTOR: Final = 3.0
_FREEZE_LONGER: Final = 0.15
_FREEZE_AVERAGE: Final = 30
# WebM stores times in whole milliseconds.
_ROUNDING: Final = 0.0015
# Number of frames per batch. Python's numbers take eight times the memory of NumPy's, so the frames of a whole day
# would not fit into memory.
_BATCH: Final = 10_000


def frozen_intervals(track: MarkerTrack, *, period: float, varies: bool = False) -> list[Interval]:
    """Return the intervals in which one frame is shown for over 0.2 s; ``period`` is the frame duration in seconds.

    If the file's frame rate ``varies``, a frame is shown until the next one.
    """
    times, captures = track.times, track.captures_ms
    changes = (np.diff(captures) != 0) | (np.diff(times) > _RESTART)
    firsts = np.append(0, np.flatnonzero(changes) + 1)
    lasts = np.append(firsts[1:] - 1, times.size - 1)
    ends = times[lasts] + period
    if varies:
        follows = np.diff(track.numbers.astype(np.int64)) == 1
        shown = np.where(follows[lasts[:-1]], times[firsts[1:]], ends[:-1])
        ends[:-1] = np.maximum(ends[:-1], shown)
    runs = ((float(start), float(end)) for start, end in zip(times[firsts], ends, strict=True))
    return longer(runs, _SHORTEST_FROZEN)


def count_freezes(track: MarkerTrack) -> Freezes:
    """Return the freezes as W3C's WebRTC statistics define them.

    As in these statistics, each interval between two rendered frames is compared with the average of the last 30
    intervals. Intervals in which the participant is not visible do not count.
    """
    changed = track.new_frames
    # Several frames without a strip mean that the participant was not visible, but a codec may damage up to two strips.
    hidden = np.append(0, np.cumsum((np.diff(track.numbers.astype(np.int64)) > 1) & (np.diff(track.times) > _BRIDGE)))
    times, hidden = track.times[changed], hidden[changed]
    intervals = np.diff(times)[np.diff(hidden) == 0]
    sums = np.append(0.0, np.cumsum(intervals))
    first = np.maximum(np.arange(intervals.size) - _FREEZE_AVERAGE, 0)
    count = np.arange(intervals.size) - first
    average = (sums[:-1] - sums[first]) / np.maximum(count, 1)
    # There is no average before the first interval, so the average of all other intervals is used.
    average[count == 0] = (sums[-1] - intervals[:1]) / max(1, intervals.size - 1)
    longest = np.maximum(_FREEZE_FACTOR * average, average + _FREEZE_LONGER)
    frozen = intervals[intervals >= longest - _ROUNDING]
    return Freezes(count=frozen.size, duration=round(float(frozen.sum()), 3))


@dataclass(frozen=True, kw_only=True)
class Uneven:
    """How many of the sender's frames were repeated and skipped, and how many of them had been painted late."""

    repeated: int
    skipped: int
    late: int


def count_uneven(
    track: MarkerTrack,
    *,
    period: float,
    frozen: Sequence[Interval],
    pauses: Sequence[float] = (),
    late_counters: Collection[int] = (),
) -> Uneven:
    """Return how many of the sender's frames were repeated and skipped, except where the rate conversion requires it.

    ``late_counters`` are the counters of frames that were painted late, or not at all. A late frame counts if the frame
    before it is repeated or frozen, or if it is skipped.

    Frames repeated or skipped in ``frozen`` intervals do not count, because these intervals are reported separately.
    Frames that were skipped because of ``pauses`` in the recording do not count either. The marker's counter is
    compared with the time in the file. As long as the conversion to the file's frame rate is exact, the difference
    between the counter and the time stays within a range of fixed width. When the difference leaves its range, a frame
    was repeated or skipped, and the range is moved to include the difference.
    """
    step = _sender_step(track)
    width = _band(step, period * COUNTS_PER_SECOND)
    repeated = skipped = 0
    # The counters of the frames before those that are repeated, skipped or frozen.
    before: set[int] = set()
    low = high = None
    previous = 0.0
    for index, (at, ahead) in enumerate(_leads(track)):
        since, previous = at - previous, at
        is_frozen = any(start < at <= end + period for start, end in frozen)
        restart = since > _RESTART or is_frozen or any(abs(at - pause) < _AROUND_PAUSE for pause in pauses)
        is_uneven = is_frozen
        if low is None or high is None or restart:
            low = high = ahead
        elif ahead - low - width > _SLACK:
            skipped += max(1, round((ahead - low - width) / step))
            is_uneven = True
            low, high = ahead - width, ahead
        elif high - ahead - width > _SLACK:
            repeated += max(1, round((high - ahead - width) / step))
            is_uneven = True
            low, high = ahead, ahead + width
        else:
            low, high = min(low, ahead), max(high, ahead)
        if is_uneven and late_counters:
            before.add(int(track.counters[index - 1]))
    return Uneven(repeated=repeated, skipped=skipped, late=_count_late(track, before, late_counters))


def _count_late(track: MarkerTrack, before: Collection[int], late_counters: Collection[int]) -> int:
    """Return how many late frames are between the frames with the counters ``before`` and the next newer ones."""
    if not before:
        return 0
    # A damaged frame can show an older counter again.
    newest = np.maximum.accumulate(track.counters)
    found: set[int] = set()
    for counter in before:
        following = int(np.searchsorted(newest, counter, side="right"))
        last = int(newest[following]) if following < newest.size else counter
        found.update(one for one in range(counter + 1, last + 1) if one % COUNTER_PERIOD in late_counters)
    return len(found)


def _leads(track: MarkerTrack) -> Iterator[tuple[float, float]]:
    """Yield each frame's time, and how far the counter is ahead of this time, in counts.

    The NumPy arrays are converted to Python numbers in batches, to save memory.
    """
    for start in range(0, track.times.size, _BATCH):
        times = track.times[start : start + _BATCH]
        lead = track.counters[start : start + _BATCH] - times * COUNTS_PER_SECOND
        yield from zip(times.tolist(), lead.tolist(), strict=True)


def _sender_step(track: MarkerTrack) -> float:
    """Return by how much the counter increases from one of the sender's frames to the next, estimated from the file.

    The increase is 1 if the sender sends 30 fps, and 2 if it sends 15 fps. Increases that are not whole numbers are
    computed from the capture times.
    """
    counts, elapsed = np.diff(track.counters), np.diff(track.captures_ms)
    moved = counts > 0
    if not moved.any():
        return 1.0
    usual = int(np.bincount(counts[moved].clip(max=COUNTS_PER_SECOND)).argmax())
    milliseconds = float(np.median(elapsed[counts == usual])) if usual < COUNTS_PER_SECOND else usual * _COUNT_MS
    if milliseconds <= 0 or abs(milliseconds - usual * _COUNT_MS) < _COUNT_MS / 10:
        return float(usual)
    rate = _RATES[np.abs(np.log(_RATES * milliseconds / 1000)).argmin()]
    return float(COUNTS_PER_SECOND / rate)


def _band(step: float, tick: float) -> float:
    """Return by how many counts the counter can deviate from the time in the file if the rate conversion is exact.

    ``step`` is the number of counts per frame of the sender, and ``tick`` is the number of counts per frame of the
    file.
    """
    if _is_whole(tick / step):
        return 0.0
    if _is_whole(step / tick):
        return step - tick
    # If neither step is a multiple of the other, the deviation is up to one of the sender's frames, plus one count
    # because the counter is rounded.
    return step + 1.0


def _is_whole(ratio: float) -> bool:
    return ratio > 1 - _WHOLE and abs(ratio - round(ratio)) < _WHOLE
