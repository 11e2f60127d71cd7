"""Read the markers in the frames of a file, which show where and when each participant is visible."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.content import NO_CONTENT, ContentReader, ContentTrack
from harness.verification.markers.places import OTHER_SHAPES, WIDE, Place, all_grid_places, fit_into_tile
from harness.verification.markers.strip import CAPTURE_BITS, COUNTER_PERIOD, COUNTS_PER_SECOND, Marker, StripSampler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from harness.recording.timeline import Timeline
    from harness.verification.probe.tracks import Frame

# A layout also applies this many seconds before and after its interval, because the recorded frames may change a tick
# or two early or late.
_LAYOUT_SLACK: Final = 0.25
# One in 65,536 false strips passes the CRC check, so every long file contains some. Two strips less than a second apart
# confirm each other if their counters and capture times match. If a static part of the video is mistaken for a strip in
# several frames, its counter does not advance, so these false strips do not confirm each other.
_CONFIRMED_WITHIN: Final = 1.0
_CONFIRMED_MS: Final = 200
_FEWEST: Final = 3


@dataclass(frozen=True, kw_only=True)
class MarkerTrack:
    """The frames in which one marker was read.

    ``times`` are positions in the file, in seconds. ``counters``, which increase by 30 per second, and ``captures_ms``
    are unwrapped: they keep growing when the marker's values start again at 0. ``in_own_tile`` is true for each frame
    in which the marker was in its participant's own tile. If no layout is known, ``in_own_tile`` is true everywhere.
    ``numbers`` are the numbers of the frames in the file, from 0. ``content`` describes the video below the strips.
    """

    marker: int
    times: NDArray[np.float64]
    counters: NDArray[np.int32]
    captures_ms: NDArray[np.int32]
    in_own_tile: NDArray[np.bool_]
    numbers: NDArray[np.uint32]
    content: ContentTrack


class MarkerReader:
    """Reads the strips of all synthetic participants, in the tiles of the timeline's layouts and of all usual grids.

    ``size`` is the frame size, in pixels, that the manifest states. If the frames have a different size, the tiles are
    scaled; the ``size`` check reports the difference.
    """

    def __init__(self, timeline: Timeline, size: tuple[int, int] | None) -> None:
        self._size = size
        self._names = {member.marker: member.name for member in timeline.members if member.marker is not None}
        self._markers = {name: marker for marker, name in self._names.items()}
        layouts = [event for event in timeline.events if event.event == "layout"]
        self._starts = np.array([event.at for event in layouts])
        self._layouts = [
            [(tile.participant, (tile.x, tile.y, tile.width, tile.height)) for tile in event.tiles or ()]
            for event in layouts
        ]
        self._shape: tuple[int, int, int, int, int] | None = None
        self._usual, self._other = _Search({}), _Search({})
        self._content = ContentReader()
        self._times = array("d")
        self._found: defaultdict[int, _Found] = defaultdict(_Found)

    def on_frame(self, frame: Frame) -> None:
        """Read all strips in a frame."""
        first = int(np.searchsorted(self._starts, frame.at - _LAYOUT_SLACK, side="right")) - 1
        last = int(np.searchsorted(self._starts, frame.at + _LAYOUT_SLACK, side="right"))
        first = max(first, 0)
        shape = (first, last, *frame.luma.shape, frame.width)
        if shape != self._shape:
            self._shape = shape
            self._usual = self._search_for(first, last, frame, (WIDE,))
            self._other = self._search_for(first, last, frame, OTHER_SHAPES)
        self._times.append(frame.at)
        found = self._read(frame, self._usual, set())
        expected = {self._markers.get(owner) for owner in self._usual.names} - {None}
        if not (expected <= found if expected else found):
            # An application may have required video that is not 16:9.
            self._read(frame, self._other, found)

    def _read(self, frame: Frame, search: _Search, found: set[int]) -> set[int]:
        """Read the strips in the places of a search, except for markers that were found before."""
        for (place, owners), marker in zip(search.owners.items(), search.read(frame), strict=True):
            if marker and marker.number not in found:
                found.add(marker.number)
                in_own_tile = not self._layouts or self._names.get(marker.number) in owners
                self._found[marker.number].append(len(self._times) - 1, marker, in_own_tile=in_own_tile)
                self._content.on_strip(frame, place, marker)
        return found

    def finish(self) -> dict[int, MarkerTrack]:
        """Return each marker's track, and free the memory of the strips.

        False strips, whose CRC matched by chance, are left out.
        """
        times = np.array(self._times)
        content = self._content.finish()
        confirmed = (
            _confirmed(marker, times, self._found.pop(marker), content.get(marker, NO_CONTENT))
            for marker in sorted(self._found)
        )
        return {
            found.marker: found
            for found in confirmed
            if found.times.size >= _FEWEST and (found.marker in self._names or _moves(found))
        }

    def _search_for(self, first: int, last: int, frame: Frame, shapes: Sequence[tuple[int, int]]) -> _Search:
        """Return where to search for the marker strips of videos with these aspect ratios.

        The search covers the tiles of the layouts from ``first`` up to but excluding ``last``, and then the tiles of
        all usual grids.
        """
        wide, high = self._size or (frame.width, frame.height)
        across, down = frame.width / wide, frame.height / high
        owners: defaultdict[Place, set[str]] = defaultdict(set)
        for layout in reversed(self._layouts[first:last]):
            for owner, (x, y, width, height) in layout:
                tile = (x * across, y * down, width * across, height * down)
                for shape in shapes:
                    owners[fit_into_tile(*tile, shape)].add(owner)
        # Other shapes have very many possible places in all grids, so these are searched only if there is no layout.
        if WIDE in shapes or not owners:
            for place in all_grid_places(frame.width, frame.height, shapes[0]):
                owners[place].update()
        return _Search(owners)


class _Search:
    """The places in which to search for strips, and for each place the participants whose tile it is."""

    def __init__(self, owners: Mapping[Place, set[str]]) -> None:
        self.owners = owners
        self.names = set().union(*owners.values())
        self._sampler: StripSampler | None = None

    def read(self, frame: Frame) -> list[Marker | None]:
        """Return the marker in each place, or None. All frames must have the same shape."""
        if self._sampler is None:
            self._sampler = StripSampler(tuple(self.owners), frame.luma)
        return self._sampler.read(frame.luma)


class _Found:
    """The strips of one marker.

    Each strip takes only 13 bytes, because a day of video has 2.6 million strips per participant.
    """

    def __init__(self) -> None:
        self.frames = array("I")
        self.counters = array("I")
        self.captures = array("I")
        self.in_own_tile = array("b")

    def append(self, frame: int, marker: Marker, *, in_own_tile: bool) -> None:
        self.frames.append(frame)
        self.counters.append(marker.counter)
        self.captures.append(marker.capture_ms)
        self.in_own_tile.append(in_own_tile)


def _confirmed(marker: int, times: NDArray[np.float64], found: _Found, content: ContentTrack) -> MarkerTrack:
    numbers = np.array(found.frames, np.uint32)
    at = times[numbers]
    counters, captures = (np.array(values, np.int64) for values in (found.counters, found.captures))
    in_own_tile = np.array(found.in_own_tile)
    elapsed = np.diff(at)
    counted = _steps(counters, COUNTER_PERIOD)
    captured = _steps(captures, 1 << CAPTURE_BITS)
    fits = (
        (elapsed <= _CONFIRMED_WITHIN)
        & (np.abs(counted - elapsed * COUNTS_PER_SECOND) <= COUNTS_PER_SECOND)
        & (np.abs(captured - counted * 1000 / COUNTS_PER_SECOND) <= _CONFIRMED_MS)
    )
    kept = np.append(fits, False) | np.insert(fits, 0, False)
    return MarkerTrack(
        marker=marker,
        times=at[kept],
        counters=np.unwrap(counters[kept], period=COUNTER_PERIOD).astype(np.int32),
        captures_ms=np.unwrap(captures[kept], period=1 << CAPTURE_BITS).astype(np.int32),
        in_own_tile=in_own_tile[kept].astype(bool),
        numbers=numbers[kept],
        content=content,
    )


def _steps(values: NDArray[np.int64], period: int) -> NDArray[np.int64]:
    """Return the difference between each value and the next, where the values start again at 0 after ``period``."""
    return (np.diff(values) + period // 2) % period - period // 2


def _moves(found: MarkerTrack) -> bool:
    return bool((np.diff(found.counters) > 0).any())
