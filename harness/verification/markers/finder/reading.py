"""Read the strip and the symbol of one participant at a known place, even if the codec has damaged both."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.strip import (
    CAPTURE_BITS,
    COUNTER_PERIOD,
    COUNTS_PER_SECOND,
    Marker,
    StripSampler,
    decode_strips,
    encode_strips,
)
from harness.verification.markers.symbol import MODULES, SymbolSampler, decode_symbols, encode_symbols

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.verification.markers.places import Place

# A damaged marker is compared with the counters from the last one that was read up to this many counts after the one
# that is expected at this time, but with no more counters than this.
_AHEAD: Final = 4
_MOST_COUNTERS: Final = 48
# The synthetic camera captures a frame for every count. The capture time differs from the counter's time by a fixed
# number of milliseconds, plus rounding. If it differs by more than this in the last frames, it can't be predicted.
_RECENT: Final = 30
_MOST_JITTER: Final = 4
# The best candidate must have at least this correlation with the damaged marker, and be better than the next best one
# by this much. Two symbols have a correlation of about 0.2, because a part of their data is the same.
_LEAST: Final = 0.4
_CLEARLY: Final = 0.18
_MOST_CACHED: Final = 1000
# When patterns are computed, those for this many counts later are computed as well.
_PREPARED: Final = 12
_INNER: Final = slice(1, MODULES - 1)
_LEAST_CONTRAST: Final = 6.0
# The strip and the symbol count in proportion to their cells.
_CELLS: Final = 64
_MODULES: Final = (MODULES - 2) ** 2


@dataclass(frozen=True, slots=True)
class Reading:
    """A marker that was read at a place.

    ``sure`` is true if the marker's own checksum or error correction confirms it, and false if it is the most similar
    one of those that are possible at this time.
    """

    marker: Marker
    sure: bool


class PlaceReader:
    """Reads the markers of one participant at one place. All frames must have the same shape."""

    def __init__(self, place: Place, luma: NDArray[np.uint8]) -> None:
        self._strips = StripSampler([place], luma)
        self._symbols = SymbolSampler(place, luma)

    def read(self, luma: NDArray[np.uint8], expected: Expectation, at: float, *, guess: bool = True) -> Reading | None:
        """Return the expected participant's marker in a frame, or None.

        The symbol is read only if the strip can't be. Damaged markers are compared with the possible ones only if
        ``guess`` is true, because this takes longer.
        """
        cells = self._strips.cells(luma)[0]
        marker = decode_strips(cells[None])[0]
        if marker is None:
            means = self._symbols.sample(luma)
            marker = decode_symbols((means < (means.min() + means.max()) / 2)[None])[0]
            if marker is None:
                marker = expected.most_similar(cells, means, at) if guess else None
                return Reading(marker, sure=False) if marker else None
        return Reading(marker, sure=True) if marker.number == expected.number else None


class Expectation:
    """What is known about a participant's next marker from the markers that were read before."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._last: tuple[float, int] | None = None
        self._origins: deque[float] = deque(maxlen=_RECENT)
        self._shifts: deque[int] = deque(maxlen=_RECENT)
        self._full = True
        self._patterns: dict[tuple[int, int], NDArray[np.float32]] = {}

    def learn(self, at: float, reading: Reading) -> None:
        """Remember a marker that was read at a time in seconds."""
        marker = reading.marker
        self._last = (at, marker.counter)
        if reading.sure:
            self._full = marker.full
            self._origins.append(marker.counter - at * COUNTS_PER_SECOND)
            self._shifts.append(_shift(marker))

    def most_similar(self, cells: NDArray[np.float32], means: NDArray[np.float32], at: float) -> Marker | None:
        """Return the expected marker that is clearly the most similar one to a strip's cells and a symbol's modules."""
        candidates = self._candidates(at)
        if len(candidates) < 2:  # noqa: PLR2004
            return None
        patterns = self._patterns_of(candidates)
        strip, symbol = _normalized(cells), _normalized(means[_INNER, _INNER].reshape(-1))
        scores = (patterns @ np.concatenate([strip, symbol])) / (_CELLS + _MODULES)
        order = np.argsort(scores)
        best = int(order[-1])
        if scores[best] < _LEAST or scores[best] - scores[order[-2]] < _CLEARLY:
            return None
        return self._marker(*candidates[best])

    def _candidates(self, at: float) -> list[tuple[int, int]]:
        """Return the counters that are possible at a time, each with its possible capture times."""
        if self._last is None or not self._shifts:
            return []
        low, high = min(self._shifts), max(self._shifts)
        if high - low > _MOST_JITTER:
            return []
        last_at, last = self._last
        if at >= last_at:
            first, final = last, max(last, round(max(self._origins) + at * COUNTS_PER_SECOND)) + _AHEAD
        else:
            first, final = round(min(self._origins) + at * COUNTS_PER_SECOND) - _AHEAD, last
        counters: Sequence[int] = range(first, final + 1)
        if len(counters) > _MOST_COUNTERS:
            half = _MOST_COUNTERS // 2
            counters = [*counters[:half], *counters[-half:]]
        return [(counter, shift) for counter in counters for shift in range(low - 1, high + 2)]

    def _patterns_of(self, candidates: list[tuple[int, int]]) -> NDArray[np.float32]:
        """Return the strip's cells and the symbol's modules for each candidate, where bright cells are 1, others -1."""
        if any(one not in self._patterns for one in candidates):
            if len(self._patterns) > _MOST_CACHED:
                self._patterns.clear()
            # The next frames need the following counters.
            ahead = [(counter + _PREPARED, shift) for counter, shift in candidates]
            missing = [one for one in dict.fromkeys([*candidates, *ahead]) if one not in self._patterns]
            markers = [self._marker(counter, shift) for counter, shift in missing]
            modules = encode_symbols(markers)[:, _INNER, _INNER].reshape(len(markers), -1)
            bits = np.concatenate([encode_strips(markers), ~modules], axis=1)
            self._patterns.update(zip(missing, np.where(bits, np.float32(1), np.float32(-1)), strict=True))
        return np.stack([self._patterns[one] for one in candidates])

    def _marker(self, counter: int, shift: int) -> Marker:
        count = counter % COUNTER_PERIOD
        capture = round(count * 1000 / COUNTS_PER_SECOND) + shift
        return Marker(self.number, count, capture % (1 << CAPTURE_BITS), self._full)


def _shift(marker: Marker) -> int:
    """Return the difference between a marker's capture time and its counter's time, in ms."""
    period = 1 << CAPTURE_BITS
    shift = marker.capture_ms - round(marker.counter * 1000 / COUNTS_PER_SECOND)
    return (shift + period // 2) % period - period // 2


def _normalized(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the values with a mean of 0 and a deviation of 1, or zeros if they have no contrast."""
    centered = values - values.mean()
    deviation = float(centered.std())
    return centered / deviation if deviation > _LEAST_CONTRAST else np.zeros_like(values)
