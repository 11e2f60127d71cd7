"""Measure how far a participant's audio is from the video, how that drifts, and how late frames are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.audio_markers import VOICES
from harness.verification.markers.strip import CAPTURE_BITS, COUNTS_A_SECOND
from harness.verification.values.models import Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.verification.markers.audio_markers import Hearing
    from harness.verification.markers.marker_reader import Sightings
    from harness.verification.measures.observations import Tape

# The picture's time of a burst is the middle of what the pictures around it say.
_AROUND: Final = 0.6
_FEWEST_PICTURES: Final = 4
# Over less, how WebRTC's skew settles weighs more than any drift.
_SHORTEST_DRIFT: Final = 60.0
_MOST_BURSTS: Final = 300


def offsets(
    sightings: Sightings | None, hearing: Hearing | None, cuts: Sequence[tuple[float, float]]
) -> NDArray[np.float64]:
    """Return (time of a burst, sound minus picture) for each burst, in seconds.

    The picture's time of a burst is when its counter, the nearest multiple of 30, is shown: between pictures, too,
    and whatever single pictures came late; next to a cut nobody can tell. Offsets beyond half a second read as their
    rest from whole seconds.
    """
    if sightings is None or hearing is None:
        return np.zeros((0, 2))
    fresh = np.append(True, np.diff(sightings.captures_ms) != 0)
    shown = sightings.times[fresh]
    # When the counter stood at zero, by each picture on its own.
    zero = shown - sightings.counters[fresh] / COUNTS_A_SECOND
    found = []
    for at in hearing.bursts[sightings.marker % VOICES]:
        first, last = np.searchsorted(shown, (at - _AROUND, at + _AROUND))
        if last - first >= _FEWEST_PICTURES and all(abs(at - cut) > _AROUND for cut, _ in cuts):
            since = at - float(np.median(zero[first:last]))
            found.append((at, since - round(since)))
    return np.array(found).reshape(-1, 2)


def delays(sightings: Sightings | None, tape: Tape) -> NDArray[np.float64]:
    """Return (when in the file, how many ms after its capture) of each picture; captures count ms modulo 2^22."""
    if sightings is None or tape.zero_ms is None:
        return np.zeros((0, 2))
    fresh = np.append(True, np.diff(sightings.captures_ms) != 0)
    shown = tape.zero_ms + sightings.times[fresh] * 1000
    for at, seconds in tape.cuts:
        shown[sightings.times[fresh] >= at] += seconds * 1000
    turn = float(1 << CAPTURE_BITS)
    late = (shown - sightings.captures_ms[fresh] + turn / 2) % turn - turn / 2
    return np.stack((sightings.times[fresh], late), axis=1)


def spread(values: NDArray[np.float64]) -> Spread | None:
    """Return the median and the 95th percentile of values in milliseconds; None without values."""
    if not values.size:
        return None
    return Spread(median=round(float(np.median(values)), 2), p95=round(float(np.percentile(np.abs(values), 95)), 2))


def drift_ppm(offsets: NDArray[np.float64]) -> float | None:
    """Return the offset's slope in ppm: the median slope of all pairs (Theil and Sen), which ignores outliers.

    None where the offset was followed for less than a minute.
    """
    if not len(offsets) or np.ptp(offsets[:, 0]) < _SHORTEST_DRIFT:
        return None
    thinned = offsets[:: 1 + len(offsets) // _MOST_BURSTS]
    earlier, later = np.triu_indices(len(thinned), 1)
    run, rise = (thinned[later] - thinned[earlier]).T
    return round(float(np.median(rise / run)) * 1e6, 1)
