"""How smoothly a participant's picture moves: what is frozen, repeated or skipped beyond exact rate conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.strip import COUNTS_A_SECOND
from harness.verification.values.intervals import longer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.recording.timeline import Interval
    from harness.verification.markers.marker_reader import Sightings

# People notice a still picture from about here; shorter ones count as repeats.
SHORTEST_FREEZE: Final = 0.2
_COUNT_MS: Final = 1000 / COUNTS_A_SECOND
_RATES: Final = np.array([60.0, 50.0, 30.0, 25.0, 24.0, 20.0, 15.0, 12.5, 12.0, 10.0, 7.5, 5.0])
# Times off the grid by up to a third of a count are no event; a picture of the sender is a whole count or more.
_SLACK: Final = 0.7
_WHOLE: Final = 0.03
# A picture that comes back after this long, in seconds, begins anew instead of having been repeated or skipped.
_ANEW: Final = 0.2
# A cut lies between two pictures, and its time is good to one or two of them.
_AROUND_A_CUT: Final = 0.15
# Python's own numbers take eight times the memory of NumPy's: a day's would not fit.
_AT_A_TIME: Final = 10_000


def frozen(sightings: Sightings, *, period: float) -> list[Interval]:
    """Return when one picture stays for 0.2 s or longer, in seconds; ``period`` is that of the file's pictures."""
    times, captures = sightings.times, sightings.captures_ms
    changes = (np.diff(captures) != 0) | (np.diff(times) > _ANEW)
    firsts = np.append(0, np.flatnonzero(changes) + 1)
    lasts = np.append(firsts[1:] - 1, times.size - 1)
    runs = ((float(times[first]), float(times[last]) + period) for first, last in zip(firsts, lasts, strict=True))
    return longer(runs, SHORTEST_FREEZE)


def uneven(
    sightings: Sightings, *, period: float, apart: Sequence[Interval], cuts: Sequence[float] = ()
) -> tuple[int, int]:
    """Return how many of the sender's pictures were repeated and how many skipped, beyond exact conversion.

    ``apart`` are frozen stretches, which count for themselves; at ``cuts`` the sender went on unrecorded. Exact
    conversion keeps the counter within a band of fixed width around the file's time; each time it leaves the band,
    something was repeated or skipped, and the band moves along.
    """
    step = _senders_step(sightings)
    width = _band(step, period * COUNTS_A_SECOND)
    repeated = skipped = 0
    low = high = None
    before = 0.0
    for at, ahead in _leads(sightings):
        since, before = at - before, at
        anew = (
            since > _ANEW
            or any(start < at <= end + period for start, end in apart)
            or any(abs(at - cut) < _AROUND_A_CUT for cut in cuts)
        )
        if low is None or high is None or anew:
            low = high = ahead
        elif ahead - low - width > _SLACK:
            skipped += max(1, round((ahead - low - width) / step))
            low, high = ahead - width, ahead
        elif high - ahead - width > _SLACK:
            repeated += max(1, round((high - ahead - width) / step))
            low, high = ahead, ahead + width
        else:
            low, high = min(low, ahead), max(high, ahead)
    return repeated, skipped


def _leads(sightings: Sightings) -> Iterator[tuple[float, float]]:
    """Yield the time of each picture and how far its counter is ahead of that, a few thousand at a time."""
    for start in range(0, sightings.times.size, _AT_A_TIME):
        times = sightings.times[start : start + _AT_A_TIME]
        lead = sightings.counters[start : start + _AT_A_TIME] - times * COUNTS_A_SECOND
        yield from zip(times.tolist(), lead.tolist(), strict=True)


def _senders_step(sightings: Sightings) -> float:
    """Return how far the counter moves from one of the sender's pictures to the next, as far as the file shows them.

    At 30 pictures a second 1, at 15 it is 2; at odd rates the capture times tell.
    """
    counts, elapsed = np.diff(sightings.counters), np.diff(sightings.captures_ms)
    moved = counts > 0
    if not moved.any():
        return 1.0
    usual = int(np.bincount(counts[moved].clip(max=COUNTS_A_SECOND)).argmax())
    milliseconds = float(np.median(elapsed[counts == usual])) if usual < COUNTS_A_SECOND else usual * _COUNT_MS
    if milliseconds <= 0 or abs(milliseconds - usual * _COUNT_MS) < _COUNT_MS / 10:
        return float(usual)
    rate = _RATES[np.abs(np.log(_RATES * milliseconds / 1000)).argmin()]
    return float(COUNTS_A_SECOND / rate)


def _band(step: float, tick: float) -> float:
    """Return how far exact conversion lets the counter wander, given the sender's step and the file's, in counts."""
    if _is_whole(tick / step):
        return 0.0
    if _is_whole(step / tick):
        return step - tick
    # Neither divides the other: up to one picture of the sender, and the counter's own rounding.
    return step + 1.0


def _is_whole(ratio: float) -> bool:
    return ratio > 1 - _WHOLE and abs(ratio - round(ratio)) < _WHOLE
