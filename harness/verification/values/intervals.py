"""Arithmetic on lists of intervals: (start, end) in seconds, sorted and without overlaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.recording.timeline import Interval


def merged(intervals: Iterable[Interval], *, bridge: float = 0.0) -> list[Interval]:
    """Return the union of the intervals, with gaps of up to ``bridge`` seconds closed."""
    union: list[Interval] = []
    for start, end in sorted(intervals):
        if union and start <= union[-1][1] + bridge:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((start, end))
    return union


def subtract(these: Iterable[Interval], those: Iterable[Interval]) -> list[Interval]:
    """Return the parts of the intervals ``these`` that do not overlap the intervals ``those``, in linear time."""
    cuts = merged(those)
    if not cuts:
        return merged(these)
    left: list[Interval] = []
    first = 0
    for begin, end in merged(these):
        start = begin
        # Skip cuts that end before this interval starts, because they also end before all later intervals start.
        while first < len(cuts) and cuts[first][1] <= start:
            first += 1
        number = first
        while number < len(cuts) and cuts[number][0] < end:
            if start < cuts[number][0]:
                left.append((start, cuts[number][0]))
            start = max(start, cuts[number][1])
            number += 1
        if start < end:
            left.append((start, end))
        # Keep the last cut, because it may also overlap the next interval.
        first = max(first, number - 1)
    return left


def intersection(these: Iterable[Interval], those: Iterable[Interval]) -> list[Interval]:
    """Return the parts of the intervals ``these`` that overlap any of the intervals ``those``."""
    left = list(merged(these))
    return subtract(left, subtract(left, those))


def widened(intervals: Iterable[Interval], by: float) -> list[Interval]:
    """Return the intervals extended by ``by`` seconds at both ends, or shortened if ``by`` is negative.

    Intervals that become empty are omitted.
    """
    moved = ((start - by, end + by) for start, end in intervals)
    return merged((start, end) for start, end in moved if start < end)


def longer(intervals: Iterable[Interval], than: float) -> list[Interval]:
    """Return the intervals that last longer than ``than`` seconds."""
    # Times in a file are rounded to whole milliseconds, so an excess of half a millisecond must not count.
    return [(start, end) for start, end in intervals if end - start > than + 0.0005]


def total(intervals: Iterable[Interval]) -> float:
    """Return the total duration of the intervals, in seconds."""
    return sum(end - start for start, end in intervals)


def spans(times: Sequence[float], *, lasting: float, bridge: float) -> list[Interval]:
    """Return the intervals that frames cover.

    A frame starts at each of the sorted ``times`` and lasts ``lasting`` seconds.

    Gaps of up to ``bridge`` seconds between two frames are closed.
    """
    found: list[Interval] = []
    for at in times:
        if found and at - found[-1][1] <= bridge:
            found[-1] = (found[-1][0], at + lasting)
        else:
            found.append((at, at + lasting))
    return found


def rounded(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return the intervals rounded to whole milliseconds, as reports show them."""
    return tuple((round(start, 3), round(end, 3)) for start, end in intervals)
