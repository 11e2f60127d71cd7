"""Find the places of synthetic participants in frames without a known layout, and follow them from frame to frame."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.verification.markers.finder.follower import Follower, KeptFrame
from harness.verification.markers.finder.search import Sighting, StripSearch, SymbolSearch
from harness.verification.markers.finder.symbol_fit import Box, fit_symbol, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from harness.verification.markers.finder.symbol_fit import FoundSymbol
    from harness.verification.markers.finder.visibility import SeenCells
    from harness.verification.markers.places import Place
    from harness.verification.markers.strip import Marker
    from harness.verification.markers.tracks import Readings
    from harness.verification.probe.tracks import Frame

# The whole frame is searched at least this often, in seconds.
_SEARCH_EVERY: Final = 0.2
_EARLY: Final = 0.005
# The last frames are kept, so that a participant who is found is read from the first frame on.
_MOST_KEPT: Final = 48
_MOST_KEPT_BYTES: Final = 48_000_000
# After a participant who was read reliably can't be read any more, every frame is searched for this many seconds.
_LOST: Final = 0.4
# A place in which nothing was read for this many seconds is not read any more. A new place is given up sooner.
_GIVEN_UP: Final = 2.0
_NEW_GIVEN_UP: Final = 0.4
_FEWEST: Final = 3
# The most places that are followed, and the most that are added in one search, because a hostile frame could contain
# thousands of symbols.
_MOST_PLACES: Final = 64
_MOST_NEW: Final = 12
# The most damaged markers that are compared with the possible ones in one frame.
_MOST_GUESSES: Final = 16
# The edges of a symbol differ in two frames by at most this many pixels, plus this share of its size.
_SAME_PIXELS: Final = 1.6
_SAME_SHARE: Final = 0.03


@dataclass(frozen=True, slots=True)
class SeenMarker:
    """A marker that was read in the current frame, in the largest of its places.

    ``seen`` are the parts of the video that have been visible so far, or None if they are unknown.
    """

    place: Place
    marker: Marker
    seen: SeenCells | None


class Finder:
    """Finds all synthetic participants in a file, wherever they are shown."""

    def __init__(self) -> None:
        self._followers: list[Follower] = []
        self._readings: list[Readings] = []
        self._kept: deque[KeptFrame] = deque()
        self._shape: tuple[int, ...] | None = None
        self._symbols = SymbolSearch()
        self._strips: StripSearch | None = None
        self._next_search = -math.inf

    def read(self, frame: Frame, number: int) -> list[SeenMarker]:
        """Read all markers in the frame with this number, and return each one with the largest of its places."""
        kept = KeptFrame(number, frame.at, frame.luma[: frame.height, : frame.width].copy())
        if kept.luma.shape != self._shape:
            self._restart(kept.luma)
        read: list[tuple[Follower, Marker]] = []
        for index, one in enumerate(self._followers):
            marker = one.read(kept, guess=index - len(read) < _MOST_GUESSES)
            if marker:
                read.append((one, marker))
        if self._is_due(frame.at):
            self._next_search = frame.at + _SEARCH_EVERY
            read += self._search(kept)
            read = [(one, marker) for one, marker in read if one in self._followers]
        self._keep(kept)
        self._give_up(frame.at)
        for follower, marker in read:
            follower.visibility.on_marker(frame, marker)
        # A later value with the same key replaces the earlier one.
        largest = {one.number: (one, marker) for one, marker in sorted(read, key=lambda pair: pair[0].area)}
        return [SeenMarker(one.place, marker, one.visibility.seen) for one, marker in largest.values()]

    def finish(self) -> list[Readings]:
        """Return the readings in all places, and free their memory."""
        self._restart(None)
        readings, self._readings = self._readings, []
        return readings

    def _restart(self, luma: NDArray[np.uint8] | None) -> None:
        """Forget all places, because the frame's size has changed."""
        for one in list(self._followers):
            self._end(one)
        self._kept.clear()
        self._shape = None if luma is None else luma.shape
        self._strips = None if luma is None else StripSearch(luma)
        self._next_search = -math.inf

    def _keep(self, kept: KeptFrame) -> None:
        self._kept.appendleft(kept)
        most = min(_MOST_KEPT, _MOST_KEPT_BYTES // max(1, kept.luma.size))
        while len(self._kept) > most:
            self._kept.pop()

    def _is_due(self, at: float) -> bool:
        """Return whether a frame must be searched. The times in a damaged file can also decrease."""
        is_time = not self._next_search - _SEARCH_EVERY <= at < self._next_search - _EARLY
        return is_time or any(one.is_lost(at, _LOST) for one in self._followers)

    def _search(self, kept: KeptFrame) -> Iterator[tuple[Follower, Marker]]:
        """Search the whole frame, and yield each new place with its marker."""
        new = 0
        for sighting in self._symbols.find(kept.luma):
            known = self._known(sighting)
            if known:
                yield from self._check(known, sighting, kept)
            elif new < _MOST_NEW and (symbol := _fitted(sighting, kept)):
                new += 1
                moved = next((one for one in self._followers if _symbols_overlap(one, symbol)), None)
                if moved:
                    yield from self._move(moved, symbol, kept)
                    continue
                place, _ = place_of(kept.luma, symbol)
                yield from self._follow(Follower(sighting.marker, place, kept, symbol), sighting.marker)
        for place, marker in self._strips.find(kept.luma) if self._strips else ():
            if new < _MOST_NEW and not self._explains(place, kept.at):
                new += 1
                yield from self._follow(Follower(marker, place, kept), marker)

    def _check(self, known: Follower, sighting: Sighting, kept: KeptFrame) -> Iterator[tuple[Follower, Marker]]:
        """Compute a known participant's place more exactly, or find out that it has changed."""
        sighted = Box.around(sighting.corners)
        if known.is_read and not known.needs_correction and not known.may_have_moved(sighted):
            return
        symbol = _fitted(sighting, kept)
        if symbol is None:
            return
        if known.has_moved(symbol):
            yield from self._move(known, symbol, kept)
            return
        known.add_sighting(sighted)
        if known.needs_correction:
            known.correct(symbol, kept.luma)

    def _known(self, sighting: Sighting) -> Follower | None:
        """Return the follower that already follows this symbol, if there is one."""
        box = Box.around(sighting.corners)
        for one in self._followers:
            if one.number == sighting.marker.number and one.symbols and _alike(one.symbols[-1].box, box):
                return one
        return None

    def _move(self, known: Follower, symbol: FoundSymbol, kept: KeptFrame) -> Iterator[tuple[Follower, Marker]]:
        """Follow a participant whose video has moved by so little that it could still be read in the old place."""
        moved = known.moved_in(self._kept, symbol)
        known.readings.remove_from((moved[-1] if moved else kept).number)
        place, _ = place_of(kept.luma, symbol)
        yield from self._follow(Follower(symbol.marker, place, kept, symbol), symbol.marker, moved)

    def _follow(
        self, new: Follower, marker: Marker, earlier: Iterable[KeptFrame] | None = None
    ) -> Iterator[tuple[Follower, Marker]]:
        """Follow a participant from this frame on, and read the frames before it; the default is all kept frames."""
        new.read_earlier(self._kept if earlier is None else earlier)
        for one in list(self._followers):
            if _is_replaced(one, new):
                self._end(one)
        if len(self._followers) < _MOST_PLACES:
            self._followers.append(new)
            yield new, marker

    def _explains(self, place: Place, at: float) -> bool:
        """Return whether a participant who is followed is in the middle of a place where a strip was found."""
        return any(at - one.last <= _SEARCH_EVERY and _is_around_middle(one.place, place) for one in self._followers)

    def _give_up(self, at: float) -> None:
        for one in list(self._followers):
            is_new = len(one.readings.frames) < _FEWEST
            if at - one.last > (_NEW_GIVEN_UP if is_new else _GIVEN_UP):
                self._end(one)

    def _end(self, follower: Follower) -> None:
        self._followers.remove(follower)
        self._readings.append(follower.end())


def _fitted(sighting: Sighting, kept: KeptFrame) -> FoundSymbol | None:
    return fit_symbol(kept.luma, sighting.marker, sighting.corners)


def _alike(one: Box, other: Box) -> bool:
    """Return whether two boxes are the same, apart from the inaccuracy of a sighting's corners."""
    return one.distance(other) <= _SAME_PIXELS + _SAME_SHARE * max(one.width, one.height)


def _is_replaced(one: Follower, new: Follower) -> bool:
    """Return whether a participant who is followed is not there any more, because another place is in the way."""
    same_place = _is_around_middle(one.place, new.place) and _is_around_middle(new.place, one.place)
    if one.number != new.number:
        return same_place and not one.is_read
    if not (one.symbols and new.symbols):
        return same_place
    return _symbols_overlap(one, new.symbols[-1])


def _symbols_overlap(one: Follower, symbol: FoundSymbol) -> bool:
    """Return whether a participant's symbol overlaps another symbol of this participant, and has therefore moved.

    A participant can be shown twice, but then the symbols can't overlap.
    """
    if one.number != symbol.marker.number or not one.symbols:
        return False
    mine, theirs = one.symbols[-1].box, symbol.box
    across = min(mine.right, theirs.right) - max(mine.left, theirs.left)
    down = min(mine.bottom, theirs.bottom) - max(mine.top, theirs.top)
    return across > 0 and down > 0


def _is_around_middle(one: Place, other: Place) -> bool:
    """Return whether the middle of the other place is in this place."""
    x, y = other.x + other.width / 2, other.y + other.height / 2
    return one.x <= x <= one.x + one.width and one.y <= y <= one.y + one.height
