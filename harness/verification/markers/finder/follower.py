"""Follow one participant in one place from frame to frame."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.finder.reading import Expectation, PlaceReader, Reading
from harness.verification.markers.finder.symbol_fit import Box, FoundSymbol, fit_symbol, place_of
from harness.verification.markers.finder.visibility import Visibility
from harness.verification.markers.strip import Marker
from harness.verification.markers.tracks import Readings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from harness.verification.markers.places import Place

# When earlier frames are read after a participant was found, this many unreadable frames in a row end it.
_MOST_UNREADABLE: Final = 3
# A participant was read reliably if this many frames in a row were read at least once.
_RELIABLE: Final = 5
# The place is computed from the first few sightings of the symbol.
_MOST_FITS: Final = 2
# A symbol whose edges are off by more than this many pixels, and this share of its size, has moved.
_MOVED_PIXELS: Final = 1.0
_MOVED_SHARE: Final = 0.01
_MOST_SIGHTINGS: Final = 8


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """A copy of a frame's luma without padding. ``number`` is the number of the frame in the file, from 0."""

    number: int
    at: float
    luma: NDArray[np.uint8]


class Follower:
    """Follows one participant in one place.

    ``last`` is the time of the last frame that was read, in seconds. ``symbols`` are the sightings of the symbol from
    which the place was computed; there are none if only the strip was found.
    """

    def __init__(self, marker: Marker, place: Place, kept: KeptFrame, symbol: FoundSymbol | None = None) -> None:
        self.number = marker.number
        self.readings = Readings(marker.number, place)
        self.visibility = Visibility(place, marker.number)
        self.symbols = [symbol] if symbol else []
        self.last = kept.at
        # The inaccurate corners of the symbol in sightings in which it was in this place.
        self._sighted: deque[Box] = deque(maxlen=_MOST_SIGHTINGS)
        self._reader = PlaceReader(place, kept.luma)
        self._expected = Expectation(marker.number)
        self._in_a_row = 0
        self._is_reliable = False
        self._remember(kept, Reading(marker, sure=True))

    @property
    def place(self) -> Place:
        """The place of the participant's whole video."""
        return self.readings.place

    @property
    def area(self) -> float:
        """The area of the place, in pixels."""
        return self.place.width * self.place.height

    @property
    def is_read(self) -> bool:
        """Whether the last frame was read."""
        return self._in_a_row > 0

    def is_lost(self, at: float, within: float) -> bool:
        """Return whether a participant who was read reliably could not be read any more ``within`` the last seconds."""
        return self._is_reliable and not self.is_read and at - self.last <= within

    def read(self, kept: KeptFrame, *, guess: bool = True) -> Marker | None:
        """Read the marker in the next frame, and remember it. See ``PlaceReader.read`` for ``guess``."""
        reading = self._reader.read(kept.luma, self._expected, kept.at, guess=guess)
        if reading is None:
            self._in_a_row = 0
            return None
        self._remember(kept, reading)
        return reading.marker

    def read_earlier(self, kept: Iterable[KeptFrame]) -> None:
        """Read the marker in earlier frames, of which the latest is the first."""
        expected, found, unreadable = Expectation(self.number), [], 0
        first = Marker(self.number, self.readings.counters[0], self.readings.captures[0])
        expected.learn(self.last, Reading(first, sure=True))
        for one in kept:
            reading = self._reader.read(one.luma, expected, one.at)
            if reading is None:
                unreadable += 1
                if unreadable >= _MOST_UNREADABLE:
                    break
                continue
            unreadable = 0
            expected.learn(one.at, reading)
            found.append((one.number, reading.marker))
        self.readings.prepend(found)

    def correct(self, symbol: FoundSymbol, luma: NDArray[np.uint8]) -> None:
        """Compute the place from one more sighting of the symbol, which has not moved."""
        own = self.symbols[0]
        self.symbols.append(symbol)
        edges = np.array([(one.box.left, one.box.top, one.box.right, one.box.bottom) for one in self.symbols])
        left, top, right, bottom = (float(edge) for edge in np.median(edges, axis=0))
        place, strip = place_of(luma, FoundSymbol(symbol.marker, Box(left, top, right, bottom), own.turn, own.mirrored))
        # Only a visible strip shows another aspect ratio.
        if strip or abs(place.aspect - self.place.aspect) < 0.01:  # noqa: PLR2004
            self.readings.place = place
            self.visibility = Visibility(place, self.number)
            self._reader = PlaceReader(place, luma)

    def has_moved(self, symbol: FoundSymbol) -> bool:
        """Return whether the symbol is turned, or is not exactly where it was when the place was computed."""
        return self._is_turned(symbol) or _differs(self.symbols[-1].box, symbol.box)

    def may_have_moved(self, sighted: Box) -> bool:
        """Return whether the symbol was never seen here with these corners, which are accurate to a pixel or two."""
        return all(_differs(one, sighted) for one in self._sighted)

    def add_sighting(self, sighted: Box) -> None:
        """Remember the corners of the symbol in a frame in which it is in this place."""
        self._sighted.append(sighted)

    def _is_turned(self, symbol: FoundSymbol) -> bool:
        own = self.symbols[-1]
        return (own.turn, own.mirrored) != (symbol.turn, symbol.mirrored)

    def moved_in(self, kept: Iterable[KeptFrame], symbol: FoundSymbol) -> list[KeptFrame]:
        """Return the frames, of which the latest is the first, in which the symbol has already moved.

        ``symbol`` is the symbol after it has moved.
        """
        box = symbol.box
        corners = ((box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom))
        moved = []
        for one in kept:
            marker = self.readings.marker_at(one.number)
            found = fit_symbol(one.luma, marker, corners) if marker else None
            if found is None or (symbol.turn, symbol.mirrored) != (found.turn, found.mirrored):
                break
            # In a turned video, the box is the same.
            if not self._is_turned(found) and self.symbols[-1].box.distance(found.box) <= box.distance(found.box):
                break
            moved.append(one)
        return moved

    @property
    def needs_correction(self) -> bool:
        """Whether more sightings would make the place more accurate."""
        return 0 < len(self.symbols) < _MOST_FITS

    def end(self) -> Readings:
        """Return all readings, with the visible part of the video."""
        self.readings.area, self.readings.share = self.visibility.area, self.visibility.share
        return self.readings

    def _remember(self, kept: KeptFrame, reading: Reading) -> None:
        self._in_a_row += 1
        self._is_reliable |= self._in_a_row >= _RELIABLE
        self.last = kept.at
        self._expected.learn(kept.at, reading)
        self.readings.append(kept.number, reading.marker)


def _differs(one: Box, other: Box) -> bool:
    return one.distance(other) > max(_MOVED_PIXELS, _MOVED_SHARE * max(one.width, one.height))
