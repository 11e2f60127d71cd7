"""Read the markers in the frames of a file, which show where and when each participant is visible."""

from __future__ import annotations

from array import array
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.content import ContentReader
from harness.verification.markers.finder.finder import Finder
from harness.verification.markers.places import OTHER_SHAPES, WIDE, Place, all_grid_places, fit_into_tile
from harness.verification.markers.strip import Marker, StripSampler
from harness.verification.markers.tracks import MarkerTrack, Readings, marker_tracks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.recording.timeline import Event, Timeline
    from harness.verification.probe.tracks import Frame

# A layout also applies this many seconds before and after its interval, because the recorded frames may change a tick
# or two early or late.
_LAYOUT_SLACK: Final = 0.25


class MarkerReader:
    """Reads the markers of all synthetic participants.

    If the timeline has layouts, the strips are read in the tiles of these layouts and of all usual grids. Otherwise,
    the markers are searched for in the whole frame.

    ``size`` is the frame size, in pixels, that the manifest states. If the frames have a different size, the tiles are
    scaled; the ``size`` check reports the difference.
    """

    def __init__(self, timeline: Timeline, size: tuple[int, int] | None) -> None:
        self._names = {member.marker: member.name for member in timeline.members if member.marker is not None}
        layouts = [event for event in timeline.events if event.event == "layout"]
        self._layouts = _LayoutReader(layouts, self._names, size) if layouts else None
        self._finder = Finder()
        self._content = ContentReader()
        self._times = array("d")

    def on_frame(self, frame: Frame) -> None:
        """Read all markers in a frame."""
        self._times.append(frame.at)
        if self._layouts:
            for place, marker in self._layouts.read(frame, len(self._times) - 1):
                self._content.on_strip(frame, place, marker)
        else:
            for one in self._finder.read(frame, len(self._times) - 1):
                self._content.on_strip(frame, one.place, one.marker, one.seen)

    def finish(self) -> dict[int, MarkerTrack]:
        """Return each marker's track, and free the memory of the readings."""
        readings = self._layouts.finish() if self._layouts else self._finder.finish()
        return marker_tracks(readings, np.array(self._times), self._content.finish(), self._names)


class _LayoutReader:
    """Reads the strips in the tiles of layouts and of all usual grids.

    ``names`` are the names of the participants with these markers.
    """

    def __init__(self, layouts: Sequence[Event], names: Mapping[int, str], size: tuple[int, int] | None) -> None:
        self._size = size
        self._names = names
        self._markers = {name: marker for marker, name in names.items()}
        self._starts = np.array([event.at for event in layouts])
        self._layouts = [
            [(tile.participant, (tile.x, tile.y, tile.width, tile.height)) for tile in event.tiles or ()]
            for event in layouts
        ]
        self._shape: tuple[int, int, int, int, int] | None = None
        self._usual, self._other = _Search({}), _Search({})
        self._found: dict[tuple[int, Place], Readings] = {}

    def read(self, frame: Frame, number: int) -> list[tuple[Place, Marker]]:
        """Read all strips in the frame with this number, and return them with their places."""
        first = int(np.searchsorted(self._starts, frame.at - _LAYOUT_SLACK, side="right")) - 1
        last = int(np.searchsorted(self._starts, frame.at + _LAYOUT_SLACK, side="right"))
        first = max(first, 0)
        shape = (first, last, *frame.luma.shape, frame.width)
        if shape != self._shape:
            self._shape = shape
            self._usual = self._search_for(first, last, frame, (WIDE,))
            self._other = self._search_for(first, last, frame, OTHER_SHAPES)
        found = self._read(frame, number, self._usual, {})
        expected = {self._markers.get(owner) for owner in self._usual.names} - {None}
        if not (expected <= found.keys() if expected else found):
            # An application may have required video that is not 16:9.
            self._read(frame, number, self._other, found)
        return list(found.values())

    def finish(self) -> list[Readings]:
        """Return all readings, and free their memory."""
        found, self._found = list(self._found.values()), {}
        return found

    def _read(
        self, frame: Frame, number: int, search: _Search, found: dict[int, tuple[Place, Marker]]
    ) -> dict[int, tuple[Place, Marker]]:
        """Read the strips in the places of a search, except for markers that were found before."""
        for (place, owners), marker in zip(search.owners.items(), search.read(frame), strict=True):
            if marker and marker.number not in found:
                found[marker.number] = (place, marker)
                readings = self._found.get((marker.number, place))
                if readings is None:
                    readings = self._found[marker.number, place] = Readings(marker.number, place)
                readings.append(number, marker, in_own_tile=self._names.get(marker.number) in owners)
        return found

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
