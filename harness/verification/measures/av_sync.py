"""Measure a participant's A/V offset and drift, and how long a captured frame takes to appear in the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.markers.audio_signals import SECONDS, SPACINGS
from harness.verification.markers.periods import centered
from harness.verification.markers.strip import CAPTURE_BITS, COUNTS_PER_SECOND
from harness.verification.values.models import Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.markers.tracks import MarkerTrack
    from harness.verification.measures.observations import Observations
    from harness.verification.values.models import AvOffsetMissing

# The time of a burst in the video is a median over all frames up to this many seconds before and after the burst.
_AROUND: Final = 0.6
_FEWEST_FRAMES: Final = 4
# All bursts up to this many seconds before and after a burst help to identify its second, but at most this many on each
# side.
_TOGETHER: Final = 3.5
_NEIGHBORS: Final = 4
# A spacing that differs from the expected spacing by this many seconds or more says nothing about the second.
_NO_EVIDENCE: Final = 0.02
# Offsets of more than half a second are much rarer than smaller offsets. To be believed, they need evidence that is
# stronger by this many seconds of difference in total.
_RARE: Final = 0.5
_RARER: Final = 0.01
# A second counts as known if the differences of every other second are larger by at least this many seconds in total.
_CLEARLY: Final = 0.01
# Minimum duration of a drift measurement, in seconds. WebRTC's A/V offset changes until it has settled, which would
# hide any drift in a shorter measurement.
_SHORTEST_DRIFT: Final = 60.0
_MOST_BURSTS: Final = 300


@dataclass(frozen=True, kw_only=True)
class AvSync:
    """A participant's A/V offsets.

    ``offsets`` holds (time of the burst, A/V offset) for each burst, in seconds. ``missing`` states why there are no
    offsets, or is None if there are any.
    """

    missing: AvOffsetMissing | None = None
    offsets: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))


def measure_av_sync(
    track: MarkerTrack | None, audio: AudioAnalysis | None, pauses: Sequence[tuple[float, float]]
) -> AvSync:
    """Measure the A/V offset at each burst.

    A burst is played when the counter in the video marker is a multiple of 30. The burst encodes the counter's second,
    modulo 16. The offset is the time of the burst minus the time at which the counter reaches this second, in the range
    from -8 to 8 s. The counter's time is a median over several frames, so that a single late frame does not change the
    result. Bursts close to a pause are omitted, because the counter's time is unknown there. So are bursts around which
    too many frames could not be read, unless this applies to all bursts.

    A jitter buffer can insert or remove audio between the two chirps of a burst. A burst's second is therefore the one
    that best explains the spacings of all bursts around it. A burst whose second is unknown has the offset that is
    closest to the offset of the nearest burst whose second is known. If no second is known, the offset is ambiguous.
    """
    if audio is None:
        return AvSync(missing="no audio")
    if track is None:
        return AvSync(missing="not visible")
    fresh = track.new_frames
    shown = track.times[fresh]
    # If the marker could not be read in the frame before, a new frame may have been shown for a while already.
    exact = np.append(False, np.diff(track.numbers.astype(np.int64)) == 1)[fresh]
    # For each frame, the time at which its counter would have been zero.
    zero = shown - track.counters[fresh] / COUNTS_PER_SECOND
    bursts = audio.bursts[track.marker % VOICES]
    found, inexact = [], []
    for at, spacing in zip(bursts.times, bursts.spacings, strict=True):
        around = slice(*np.searchsorted(shown, (at - _AROUND, at + _AROUND)))
        zeros, exact_zeros = zero[around], zero[around][exact[around]]
        if any(abs(at - pause) <= _AROUND for pause, _ in pauses):
            continue
        if exact_zeros.size >= _FEWEST_FRAMES:
            found.append((at, at - float(np.median(exact_zeros)), spacing))
        elif zeros.size >= _FEWEST_FRAMES:
            inexact.append((at, at - float(np.median(zeros)), spacing))
    found = found or inexact
    if not found:
        return AvSync(missing="no bursts")
    times, since, spacings = np.array(found).T
    decided = _decided_offsets(times, since, spacings)
    known = np.flatnonzero(np.isfinite(decided))
    if not known.size:
        return AvSync(missing="ambiguous")
    near = _nearest(times, known, decided[known])
    rest = since - near
    return AvSync(offsets=np.stack((times, near + rest - np.round(rest)), axis=1))


def _decided_offsets(
    times: NDArray[np.float64], since: NDArray[np.float64], spacings: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each burst's A/V offset in seconds, or NaN for bursts whose second remains unknown.

    ``since`` holds the time from the counter's second 0 to each burst; subtracting the burst's second gives the offset.
    """
    # How far the spacings around each burst are from what they would be, if the burst encoded each of the 16 seconds.
    differences = np.zeros((times.size, SECONDS))
    evidence = np.zeros(times.size, bool)
    for shift in range(-_NEIGHBORS, _NEIGHBORS + 1):
        own = np.arange(max(0, -shift), min(times.size, times.size - shift))
        own = own[(np.abs(times[own + shift] - times[own]) <= _TOGETHER) & np.isfinite(spacings[own + shift])]
        passed = np.round(since[own + shift] - since[own]).astype(int)
        expected = SPACINGS[(np.arange(SECONDS) + passed[:, None]) % SECONDS]
        difference = np.abs(spacings[own + shift, None] - expected).clip(max=_NO_EVIDENCE)
        differences[own] += difference
        evidence[own] |= (difference < _NO_EVIDENCE).any(axis=1)
    offsets = centered(since[:, None] - np.arange(SECONDS), SECONDS)
    differences += np.where(np.abs(offsets) > _RARE, _RARER, 0)
    best, next_best = np.partition(differences, 1, axis=1)[:, :2].T
    chosen = offsets[np.arange(times.size), differences.argmin(axis=1)]
    return np.where(evidence & (next_best - best >= _CLEARLY), chosen, np.nan)


def _nearest(times: NDArray[np.float64], known: NDArray[np.int64], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each time, the offset at the nearest of the times with the indexes ``known``."""
    after = np.searchsorted(times[known], times).clip(max=known.size - 1)
    before = (after - 1).clip(min=0)
    closer = np.abs(times - times[known[before]]) < np.abs(times - times[known[after]])
    return np.asarray(offsets[np.where(closer, before, after)])


def capture_delays(track: MarkerTrack | None, observations: Observations) -> NDArray[np.float64]:
    """Return (time in the file in seconds, ms since capture) for each new frame, reducing the delay modulo 2^22 ms."""
    if track is None or observations.zero_ms is None:
        return np.zeros((0, 2))
    fresh = track.new_frames
    shown = observations.zero_ms + track.times[fresh] * 1000
    for at, seconds in observations.pauses:
        shown[track.times[fresh] >= at] += seconds * 1000
    delays = centered(shown - track.captures_ms[fresh], 1 << CAPTURE_BITS)
    return np.stack((track.times[fresh], delays), axis=1)


def spread(values: NDArray[np.float64]) -> Spread | None:
    """Return the median and the 95th percentile of values in milliseconds, or None if there are no values."""
    if not values.size:
        return None
    return Spread(median=round(float(np.median(values)), 2), p95=round(float(np.percentile(np.abs(values), 95)), 2))


def drift_ppm(offsets: NDArray[np.float64]) -> float | None:
    """Return the drift in ppm: the median slope between all pairs of offsets (Theil-Sen), which outliers do not change.

    The result is None if the offsets cover less than a minute.
    """
    if not len(offsets) or np.ptp(offsets[:, 0]) < _SHORTEST_DRIFT:
        return None
    thinned = offsets[:: 1 + len(offsets) // _MOST_BURSTS]
    earlier, later = np.triu_indices(len(thinned), 1)
    run, rise = (thinned[later] - thinned[earlier]).T
    return round(float(np.median(rise / run)) * 1e6, 1)
