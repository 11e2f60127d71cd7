"""Thin what was measured over time to what a plot can show."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.values.curves import Curve, Curves

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.verification.markers.audio_markers import Hearing
    from harness.verification.measures.evidence import Evidence
    from harness.verification.values.limits import Limits

# A plot is some 1,000 pixels wide; more points than half of that show nothing more.
_POINTS: Final = 500
_QUIETEST: Final = -60.0


def curves_of(evidence: Evidence, hearing: Hearing | None, limits: Limits) -> Curves:
    """Return the curves of a file; of many values the most telling stay."""
    picture = evidence.streams.picture
    times = picture.times if picture else np.zeros(0)
    return Curves(
        manifest=evidence.manifest,
        limits=limits,
        duration=evidence.media.duration,
        rate=evidence.rate,
        level=_level(hearing),
        gaps=thinned(times[:-1], np.diff(times) * 1000, largest=True),
        offsets={
            person.name: thinned(person.offsets[:, 0], person.offsets[:, 1] * 1000)
            for person in evidence.people
            if len(person.offsets)
        },
        delays={person.name: person.delays for person in evidence.people if person.delays.times},
    )


def _level(hearing: Hearing | None) -> Curve:
    if hearing is None or not hearing.levels.size:
        return _curve(np.zeros(0), np.zeros(0))
    decibels = 20 * np.log10(np.maximum(hearing.levels.astype(np.float64), 10 ** (_QUIETEST / 20)))
    return thinned(hearing.steps[:, 0], decibels, largest=True)


def thinned(times: NDArray[np.float64], values: NDArray[np.float64], *, largest: bool = False) -> Curve:
    """Return at most 500 points: of each stretch the median, or what stands out most."""
    if times.size <= _POINTS:
        return _curve(times, values)
    edges = np.linspace(0, times.size, _POINTS + 1).astype(int)
    pick = np.max if largest else np.median
    pairs = [(times[start], pick(values[start:end])) for start, end in pairwise(edges)]
    points = np.array(pairs)
    return _curve(points[:, 0], points[:, 1])


def _curve(times: NDArray[np.float64], values: NDArray[np.float64]) -> Curve:
    return Curve(tuple(times.tolist()), tuple(values.tolist()))
