"""Find the places of synthetic participants in frames without a known layout, and follow them from frame to frame."""

from __future__ import annotations

import math
from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.finder.reading import Expectation, PlaceReader, Reading
from harness.verification.markers.finder.search import Sighting, StripSearch, SymbolSearch
from harness.verification.markers.finder.symbol_fit import Box, FoundSymbol, fit_symbol, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.verification.markers.places import Place
    from harness.verification.markers.strip import Marker
    from harness.verification.probe.tracks import Frame

# The whole frame is searched at least this often, in seconds. The frames since the last search are kept, so that a
# participant who is found is read from the first frame on.
_SEARCH_EVERY: Final = 0.2
_EARLY: Final = 0.005
_MOST_KEPT: Final = 24
_MOST_KEPT_BYTES: Final = 48_000_000
# When a participant who was read reliably can't be read any more, every frame is searched for this many seconds.
_LOST: Final = 0.4
_RELIABLE: Final = 5
# A place in which nothing was read for this many seconds is not read any more. A new place is given up sooner.
_GIVEN_UP: Final = 2.0
_NEW_GIVEN_UP: Final = 0.4
_FEWEST: Final = 3
# When earlier frames are read after a participant was found, this many unreadable frames in a row end it.
_MOST_UNREADABLE: Final = 3
_MOST_PLACES: Final = 64
# The place is computed from the first few sightings of the symbol.
_MOST_FITS: Final = 3
# Positions of the same symbol in two frames differ by at most this many pixels, plus this share of its size.
_SAME_PIXELS: Final = 1.6
_SAME_SHARE: Final = 0.03


@dataclass
class FoundPlace:
    """A place in which one marker was read, and its readings in the order of the frames.

    ``frames`` are the numbers of the frames in the file.
    """

    number: int
    place: Place
    frames: array[int] = field(default_factory=lambda: array("I"))
    counters: array[int] = field(default_factory=lambda: array("I"))
    captures: array[int] = field(default_factory=lambda: array("I"))

    def append(self, frame: int, marker: Marker) -> None:
        """Add a reading."""
        self.frames.append(frame)
        self.counters.append(marker.counter)
        self.captures.append(marker.capture_ms)

    def prepend(self, readings: list[tuple[int, Marker]]) -> None:
        """Add readings of earlier frames, the latest first."""
        earlier = FoundPlace(self.number, self.place)
        for frame, marker in reversed(readings):
            earlier.append(frame, marker)
        self.frames, self.counters, self.captures = (
            earlier.frames + self.frames,
            earlier.counters + self.counters,
            earlier.captures + self.captures,
        )


class _Follower:
    """Follows one participant in one place."""

    def __init__(self, place: Place, marker: Marker, luma: NDArray[np.uint8], at: float) -> None:
        self.found = FoundPlace(marker.number, place)
        self.expected = Expectation(marker.number)
        self.boxes: list[FoundSymbol] = []
        self.reader = PlaceReader(place, luma)
        self.since = self.last = at
        self.in_a_row = 0

    @property
    def number(self) -> int:
        return self.found.number

    @property
    def place(self) -> Place:
        return self.found.place

    @property
    def area(self) -> float:
        return self.place.width * self.place.height

    def move(self, place: Place, luma: NDArray[np.uint8]) -> None:
        """Correct the place."""
        self.found.place = place
        self.reader = PlaceReader(place, luma)

    def read(self, kept: _KeptFrame) -> Reading | None:
        """Read the marker in the next frame, and remember it."""
        reading = self.reader.read(kept.luma, self.expected, kept.at)
        if reading is None or reading.marker.number != self.number:
            self.in_a_row = min(0, self.in_a_row - 1) if self.in_a_row <= 0 else -1
            return reading
        self.in_a_row = max(0, self.in_a_row) + 1
        self.last = kept.at
        self.expected.learn(kept.at, reading.marker, sure=reading.sure)
        self.found.append(kept.number, reading.marker)
        return reading

    def read_earlier(self, kept: list[_KeptFrame]) -> None:
        """Read the marker in earlier frames, of which the latest is the first."""
        expected, readings, unreadable = Expectation(self.number), [], 0
        first = (self.found.counters[0], self.found.captures[0])
        expected.learn(self.last, _marker_of(self.number, *first), sure=True)
        for one in kept:
            reading = self.reader.read(one.luma, expected, one.at)
            if reading is None or reading.marker.number != self.number:
                unreadable += 1
                if unreadable >= _MOST_UNREADABLE:
                    break
                continue
            unreadable = 0
            expected.learn(one.at, reading.marker, sure=reading.sure)
            readings.append((one.number, reading.marker))
        self.found.prepend(readings)


@dataclass(frozen=True, slots=True)
class _KeptFrame:
    """A copy of a frame's luma without padding. ``number`` is the number of the frame in the file, from 0."""

    number: int
    at: float
    luma: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SeenMarker:
    """A marker that was read in the current frame, in the largest of its places."""

    place: Place
    marker: Marker
    follower: object


class Finder:
    """Finds all synthetic participants in a file, wherever they are shown."""

    def __init__(self) -> None:
        self._followers: list[_Follower] = []
        self._found: list[FoundPlace] = []
        self._kept: deque[_KeptFrame] = deque()
        self._shape: tuple[int, int] | None = None
        self._symbols = SymbolSearch()
        self._strips: StripSearch | None = None
        self._next_search = -math.inf
        self._number = 0

    def on_frame(self, frame: Frame) -> list[SeenMarker]:
        """Read all markers in a frame, and return for each marker the largest place in which it was read."""
        kept = _KeptFrame(self._number, frame.at, frame.luma[: frame.height, : frame.width].copy())
        self._number += 1
        if kept.luma.shape != self._shape:
            self._restart(kept.luma)
        readings = {id(one): (one, reading) for one in self._followers if (reading := one.read(kept))}
        if frame.at + _EARLY >= self._next_search or frame.at < self._next_search - 1 or self._is_lost(frame.at):
            self._next_search = frame.at + _SEARCH_EVERY
            readings |= {id(one): (one, reading) for one, reading in self._search(kept)}
            keep = min(_MOST_KEPT, int(_MOST_KEPT_BYTES / max(1, kept.luma.size)))
            while len(self._kept) > keep:
                self._kept.popleft()
        self._kept.append(kept)
        self._give_up(frame.at)
        return self._largest(readings.values())

    def finish(self) -> list[FoundPlace]:
        """Return all places with their readings."""
        self._found += [one.found for one in self._followers]
        self._followers = []
        self._kept.clear()
        return [one for one in self._found if one.frames]

    def _restart(self, luma: NDArray[np.uint8]) -> None:
        """Forget all places, because the frame's size has changed."""
        self._found += [one.found for one in self._followers]
        self._followers = []
        self._kept.clear()
        self._shape = luma.shape[0], luma.shape[1]
        self._strips = StripSearch(luma)
        self._next_search = -math.inf

    def _is_lost(self, at: float) -> bool:
        """Return whether a participant who was read reliably can't be read any more."""
        return any(
            one.in_a_row < 0 and len(one.found.frames) >= _RELIABLE and at - one.last <= _LOST for one in self._followers
        )

    def _search(self, kept: _KeptFrame) -> Iterator[tuple[_Follower, Reading]]:
        """Search the whole frame, and yield each new place with its reading."""
        for sighting in self._symbols.find(kept.luma):
            follower = self._known(sighting)
            if follower:
                self._correct(follower, sighting, kept.luma)
            elif new := self._follow_symbol(sighting, kept):
                yield new
        if self._strips:
            for place, marker in self._strips.find(kept.luma):
                if not self._explains(place, kept.at) and (new := self._start(_Follower(place, marker, kept.luma, kept.at), kept)):
                    yield new

    def _known(self, sighting: Sighting) -> _Follower | None:
        """Return the follower that already follows this symbol, if there is one."""
        box = _around(sighting)
        for one in self._followers:
            if one.number == sighting.marker.number and one.boxes and _alike(one.boxes[-1].box, box):
                return one
        return None

    def _correct(self, follower: _Follower, sighting: Sighting, luma: NDArray[np.uint8]) -> None:
        """Compute the place from one more sighting."""
        if len(follower.boxes) >= _MOST_FITS:
            return
        symbol = fit_symbol(luma, sighting.marker, sighting.corners)
        if symbol is None or (symbol.turn, symbol.mirrored) != (follower.place.turn, follower.place.mirrored):
            return
        follower.boxes.append(symbol)
        boxes = np.array([(one.box.left, one.box.top, one.box.right, one.box.bottom) for one in follower.boxes])
        left, top, right, bottom = (float(edge) for edge in np.median(boxes, axis=0))
        middle = FoundSymbol(sighting.marker, Box(left, top, right, bottom), symbol.turn, symbol.mirrored)
        place, visible = place_of(luma, middle)
        if visible or follower.place.stretch == place.stretch:
            follower.move(place, luma)

    def _follow_symbol(self, sighting: Sighting, kept: _KeptFrame) -> tuple[_Follower, Reading] | None:
        symbol = fit_symbol(kept.luma, sighting.marker, sighting.corners)
        if symbol is None:
            return None
        place, _ = place_of(kept.luma, symbol)
        follower = _Follower(place, sighting.marker, kept.luma, kept.at)
        follower.boxes.append(symbol)
        follower.expected.learn(kept.at, sighting.marker, sure=True)
        return self._start(follower, kept, sighting.marker)

    def _start(self, follower: _Follower, kept: _KeptFrame, marker: Marker | None = None) -> tuple[_Follower, Reading] | None:
        """Follow a participant from this frame on, and read the frames before it."""
        if len(self._followers) >= _MOST_PLACES:
            return None
        reading = follower.read(kept)
        if reading is None or reading.marker.number != follower.number:
            if marker is None:
                return None
            # The symbol was read elsewhere, but can't be sampled here.
            reading = Reading(marker, sure=True)
            follower.found.append(kept.number, marker)
        follower.read_earlier(list(reversed(self._kept)))
        self._replace(follower)
        self._followers.append(follower)
        return follower, reading

    def _replace(self, new: _Follower) -> None:
        """End the places that a new place covers, and take over the readings of a strip that is the same video's."""
        for one in list(self._followers):
            if one.in_a_row <= 0 and _covers(new.place, one.place) and one.last < new.last:
                self._end(one)
            elif one.number == new.number and not one.boxes and new.boxes and _covers(new.place, one.place):
                self._end(one)

    def _explains(self, place: Place, at: float) -> bool:
        return any(at - one.last <= _SEARCH_EVERY and _covers(one.place, place) for one in self._followers)

    def _give_up(self, at: float) -> None:
        for one in list(self._followers):
            new = len(one.found.frames) < _FEWEST
            if at - one.last > (_NEW_GIVEN_UP if new else _GIVEN_UP):
                self._end(one)

    def _end(self, follower: _Follower) -> None:
        self._followers.remove(follower)
        self._found.append(follower.found)

    def _largest(self, readings: object) -> list[SeenMarker]:
        seen: dict[int, tuple[_Follower, Reading]] = {}
        for follower, reading in readings:  # type: ignore[attr-defined]
            if reading.marker.number != follower.number:
                continue
            other = seen.get(follower.number)
            if other is None or follower.area > other[0].area:
                seen[follower.number] = (follower, reading)
        return [SeenMarker(one.place, reading.marker, one) for one, reading in seen.values()]


def _around(sighting: Sighting) -> Box:
    across, down = zip(*sighting.corners, strict=True)
    return Box(min(across), min(down), max(across), max(down))


def _alike(one: Box, other: Box) -> bool:
    """Return whether two boxes are the same, apart from the inaccuracy of a sighting's corners."""
    most = _SAME_PIXELS + _SAME_SHARE * max(one.width, one.height)
    edges = zip(
        (one.left, one.top, one.right, one.bottom), (other.left, other.top, other.right, other.bottom), strict=True
    )
    return all(abs(mine - theirs) <= most for mine, theirs in edges)


def _covers(one: Place, other: Place) -> bool:
    """Return whether the middle of either of two places is in the other one."""

    def inside(place: Place, x: float, y: float) -> bool:
        return place.x <= x <= place.x + place.width and place.y <= y <= place.y + place.height

    return inside(one, other.x + other.width / 2, other.y + other.height / 2)


def _marker_of(number: int, counter: int, capture: int) -> Marker:
    from harness.verification.markers.strip import Marker

    return Marker(number, counter, capture)
