"""Reduce measured curves to the number of points that a plot can show."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.values.curves import Curve, Curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.measures.evidence import Evidence
    from harness.verification.values.limits import Limits

# Maximum number of points; a plot is about 1,000 pixels wide, so more points would not be visible.
_POINTS: Final = 500
_QUIETEST: Final = -60.0


def curves_of(evidence: Evidence, limits: Limits) -> Curves:
    """Return the curves of a file, with at most 500 points each."""
    return Curves(
        manifest=evidence.manifest,
        limits=limits,
        duration=evidence.media.duration,
        rate=evidence.rate,
        level=_level(evidence.audio),
        gaps=_gaps(evidence.frame_times),
        offsets={
            one.name: thinned(one.offsets[:, 0], one.offsets[:, 1] * 1000)
            for one in evidence.participants
            if len(one.offsets)
        },
        delays={one.name: one.delays for one in evidence.participants if one.delays.times},
    )


def _gaps(videos: Sequence[NDArray[np.float64]]) -> Curve:
    """Return the time from each frame to the next one of the same video, in ms."""
    starts = np.concatenate([np.zeros(0), *(times[:-1] for times in videos)])
    gaps = np.concatenate([np.zeros(0), *(np.diff(times) for times in videos)])
    order = np.argsort(starts, kind="stable")
    return thinned(starts[order], gaps[order] * 1000, largest=True)


def _level(audio: AudioAnalysis | None) -> Curve:
    if audio is None or not audio.levels.size:
        return _curve(np.zeros(0), np.zeros(0))
    decibels = 20 * np.log10(np.maximum(audio.levels.astype(np.float64), 10 ** (_QUIETEST / 20)))
    return thinned(audio.steps[:, 0], decibels, largest=True)


def thinned(times: NDArray[np.float64], values: NDArray[np.float64], *, largest: bool = False) -> Curve:
    """Return at most 500 points, each the median or the largest value of a section of the curve."""
    if times.size <= _POINTS:
        return _curve(times, values)
    edges = np.linspace(0, times.size, _POINTS + 1).astype(int)
    pick = np.max if largest else np.median
    pairs = [(times[start], pick(values[start:end])) for start, end in pairwise(edges)]
    points = np.array(pairs)
    return _curve(points[:, 0], points[:, 1])


def _curve(times: NDArray[np.float64], values: NDArray[np.float64]) -> Curve:
    return Curve(tuple(times.tolist()), tuple(values.tolist()))
