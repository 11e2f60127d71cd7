"""Watch the pictures of a file: who is seen where and when, what is black, what repeats."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.places import Place, every_grid, fitted
from harness.verification.markers.strip import CAPTURE_BITS, COUNTER_BITS, COUNTS_A_SECOND, Mark, Sampler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.recording.timeline import Timeline
    from harness.verification.probe.tracks import Picture

# A layout counts this long before and after its time, in seconds: the picture changes a tick or two off it.
_LAYOUT_SLACK: Final = 0.25
# One wrong strip in 65,536 passes its checksum, which happens in every long file. Two that fit each other within a
# second, by counter and by capture time, are right, or the same wrong one read twice: that one does not move on.
_CONFIRMED_WITHIN: Final = 1.0
_CONFIRMED_MS: Final = 200
_FEWEST: Final = 3


@dataclass(frozen=True, kw_only=True)
class Sightings:
    """Every picture in which one marker was read.

    ``times`` in seconds of the file; ``counters`` (30 a second) and ``captures_ms`` without their wrap-around;
    ``home`` says whether it stood in its participant's own tile (always true where no layout is known).
    """

    marker: int
    times: NDArray[np.float64]
    counters: NDArray[np.int32]
    captures_ms: NDArray[np.int32]
    home: NDArray[np.bool_]


class StripWatch:
    """Reads the strips of every synthetic participant, in the tiles of the timeline and in all usual grids.

    ``size`` is the picture that the tiles were laid out for, in pixels; where the file's is another, and that is for
    another check to say, they are taken in proportion.
    """

    def __init__(self, timeline: Timeline, size: tuple[int, int] | None) -> None:
        self._size = size
        self._names = {member.marker: member.name for member in timeline.members if member.marker is not None}
        layouts = [event for event in timeline.events if event.event == "layout"]
        self._starts = np.array([event.at for event in layouts])
        self._layouts = [
            [(tile.participant, (tile.x, tile.y, tile.width, tile.height)) for tile in event.tiles or ()]
            for event in layouts
        ]
        self._form: tuple[int, int, int, int, int] | None = None
        self._sampler: Sampler | None = None
        self._owners: list[set[str]] = []
        self._times = array("d")
        self._found: defaultdict[int, _Found] = defaultdict(_Found)

    def see(self, picture: Picture) -> None:
        """Read the strips of a picture."""
        first = int(np.searchsorted(self._starts, picture.at - _LAYOUT_SLACK, side="right")) - 1
        last = int(np.searchsorted(self._starts, picture.at + _LAYOUT_SLACK, side="right"))
        form = (max(first, 0), last, *picture.luma.shape, picture.width)
        if form != self._form or self._sampler is None:
            self._form = form
            self._sampler = self._places(max(first, 0), last, picture)
        seen = set()
        self._times.append(picture.at)
        for owners, mark in zip(self._owners, self._sampler.marks(picture.luma), strict=True):
            if mark and mark.marker not in seen:
                seen.add(mark.marker)
                home = not self._layouts or self._names.get(mark.marker) in owners
                self._found[mark.marker].append(len(self._times) - 1, mark, home=home)

    def sightings(self) -> dict[int, Sightings]:
        """Return what was seen by marker, without strips that were read by chance; what it is made of is let go of."""
        times = np.array(self._times)
        confirmed = (_confirmed(marker, times, self._found.pop(marker)) for marker in sorted(self._found))
        return {
            found.marker: found
            for found in confirmed
            if found.times.size >= _FEWEST and (found.marker in self._names or _moves(found))
        }

    def _places(self, first: int, last: int, picture: Picture) -> Sampler:
        """Return the sampler for the layouts from ``first`` up to ``last``; tiles come before guesses."""
        wide, high = self._size or (picture.width, picture.height)
        across, down = picture.width / wide, picture.height / high
        owners: defaultdict[Place, set[str]] = defaultdict(set)
        for layout in reversed(self._layouts[first:last]):
            for owner, (x, y, width, height) in layout:
                owners[fitted(x * across, y * down, width * across, height * down)].add(owner)
        for place in every_grid(picture.width, picture.height):
            owners[place].update()
        self._owners = list(owners.values())
        return Sampler(tuple(owners), picture.luma)


class _Found:
    """Every strip that was read of one marker, in thirteen bytes each: a day has 2.6 million of every participant."""

    def __init__(self) -> None:
        self.frames = array("I")
        self.counters = array("I")
        self.captures = array("I")
        self.home = array("b")

    def append(self, frame: int, mark: Mark, *, home: bool) -> None:
        self.frames.append(frame)
        self.counters.append(mark.counter)
        self.captures.append(mark.capture_ms)
        self.home.append(home)


def _confirmed(marker: int, times: NDArray[np.float64], found: _Found) -> Sightings:
    at = times[np.array(found.frames)]
    counters, captures = (np.array(values, np.int64) for values in (found.counters, found.captures))
    home = np.array(found.home)
    elapsed = np.diff(at)
    counted = _steps(counters, COUNTER_BITS)
    captured = _steps(captures, CAPTURE_BITS)
    fits = (
        (elapsed <= _CONFIRMED_WITHIN)
        & (np.abs(counted - elapsed * COUNTS_A_SECOND) <= COUNTS_A_SECOND)
        & (np.abs(captured - counted * 1000 / COUNTS_A_SECOND) <= _CONFIRMED_MS)
    )
    kept = np.append(fits, False) | np.insert(fits, 0, False)
    return Sightings(
        marker=marker,
        times=at[kept],
        counters=np.unwrap(counters[kept], period=1 << COUNTER_BITS).astype(np.int32),
        captures_ms=np.unwrap(captures[kept], period=1 << CAPTURE_BITS).astype(np.int32),
        home=home[kept].astype(bool),
    )


def _steps(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Return from each value to the next, of values that wrap around after so many bits."""
    half = 1 << (bits - 1)
    return (np.diff(values) + half) % (2 * half) - half


def _moves(found: Sightings) -> bool:
    return bool((np.diff(found.counters) > 0).any())
