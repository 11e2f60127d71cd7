"""Combine everything that was read of one marker: in which frames, and in which places."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.content import NO_CONTENT
from harness.verification.markers.places import WHOLE, Area, PlaceSpan
from harness.verification.markers.strip import CAPTURE_BITS, COUNTER_PERIOD, COUNTS_PER_SECOND, Marker
from harness.verification.values.intervals import spans

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.verification.markers.content import ContentTrack
    from harness.verification.markers.places import Place

# One in 65,536 false strips passes the CRC check, so every long file contains some. Two readings less than a second
# apart confirm each other if their counters and capture times match. If a static part of the video is mistaken for a
# marker in several frames, its counter does not advance, so these false readings do not confirm each other.
_CONFIRMED_WITHIN: Final = 1.0
_CONFIRMED_MS: Final = 200
_FEWEST: Final = 3
# Readings in the same place that are at most this many seconds apart belong to one span. A low bitrate can damage many
# markers in a row.
_BRIDGE: Final = 0.5
# The longest spans that are kept. A hostile file could contain very many.
_MOST_SPANS: Final = 500
# The edges of the same place that was measured twice differ by at most this many pixels, plus this share of its size.
_SAME_PIXELS: Final = 1.5
_SAME_SHARE: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class MarkerTrack:
    """The frames in which one marker was read.

    ``times`` are positions in the file, in seconds. ``counters``, which increase by 30 per second, and ``captures_ms``
    are unwrapped: they keep growing when the marker's values start again at 0. ``in_own_tile`` is true for each frame
    in which the marker was in its participant's own tile. If no layout is known, ``in_own_tile`` is true everywhere.
    ``numbers`` are the numbers of the frames in the file, from 0. ``content`` describes the video below the strips.
    ``places`` are all places in which the marker was read. If a frame shows the marker in several places, the other
    values describe the largest one.
    """

    marker: int
    times: NDArray[np.float64]
    counters: NDArray[np.int32]
    captures_ms: NDArray[np.int32]
    in_own_tile: NDArray[np.bool_]
    numbers: NDArray[np.uint32]
    content: ContentTrack
    places: tuple[PlaceSpan, ...] = ()

    @property
    def new_frames(self) -> NDArray[np.bool_]:
        """Which of the frames show a new frame of the participant's camera, instead of repeating the one before."""
        return np.append(True, np.diff(self.captures_ms) != 0)


class Readings:
    """The readings of one marker in one place, in the order of the frames.

    ``frames`` are the numbers of the frames in the file. ``area`` and ``share`` describe the visible part of the video,
    like those of ``PlaceSpan``. Each reading takes only 13 bytes, because a day of video has 2.6 million readings per
    participant.
    """

    def __init__(self, number: int, place: Place) -> None:
        self.number = number
        self.place = place
        self.area: Area = WHOLE
        self.share = 1.0
        self.frames = array("I")
        self.counters = array("I")
        self.captures = array("I")
        self.in_own_tile = array("b")

    def append(self, frame: int, marker: Marker, *, in_own_tile: bool = True) -> None:
        """Add the reading of a frame."""
        self.frames.append(frame)
        self.counters.append(marker.counter)
        self.captures.append(marker.capture_ms)
        self.in_own_tile.append(in_own_tile)

    def marker_at(self, frame: int) -> Marker | None:
        """Return the marker that was read in one of the last frames, or None."""
        for index in range(len(self.frames) - 1, -1, -1):
            if self.frames[index] <= frame:
                same = self.frames[index] == frame
                return Marker(self.number, self.counters[index], self.captures[index]) if same else None
        return None

    def remove_from(self, frame: int) -> None:
        """Remove the readings of this frame and of those after it."""
        kept = len(self.frames)
        while kept and self.frames[kept - 1] >= frame:
            kept -= 1
        for values in (self.frames, self.counters, self.captures, self.in_own_tile):
            del values[kept:]

    def prepend(self, readings: Sequence[tuple[int, Marker]]) -> None:
        """Add readings of earlier frames, the latest first."""
        later = (self.frames, self.counters, self.captures, self.in_own_tile)
        self.frames, self.counters, self.captures, self.in_own_tile = array("I"), array("I"), array("I"), array("b")
        for frame, marker in reversed(readings):
            self.append(frame, marker)
        for values, more in zip((self.frames, self.counters, self.captures, self.in_own_tile), later, strict=True):
            values.extend(more)


def marker_tracks(
    readings: Iterable[Readings],
    times: NDArray[np.float64],
    content: Mapping[int, ContentTrack],
    known: Collection[int],
) -> dict[int, MarkerTrack]:
    """Return a track for each marker. False readings, which matched by chance, are left out.

    ``times`` are the times of all frames in the file, in seconds. A marker that is not ``known`` counts only if its
    counter advances.
    """
    by_number: defaultdict[int, list[Readings]] = defaultdict(list)
    for one in readings:
        if one.frames:
            by_number[one.number].append(one)
    tracks = {}
    for number in sorted(by_number):
        track = _confirmed(number, by_number.pop(number), times, content.get(number, NO_CONTENT))
        if track.times.size >= _FEWEST and (number in known or (np.diff(track.counters) > 0).any()):
            tracks[number] = track
    return tracks


def _confirmed(number: int, places: list[Readings], times: NDArray[np.float64], content: ContentTrack) -> MarkerTrack:
    merged = _Merged.of(places)
    kept = merged.confirmed(times)
    frames = merged.frames[kept]
    return MarkerTrack(
        marker=number,
        times=times[frames],
        counters=np.unwrap(merged.counters[kept], period=COUNTER_PERIOD).astype(np.int32),
        captures_ms=np.unwrap(merged.captures[kept], period=1 << CAPTURE_BITS).astype(np.int32),
        in_own_tile=merged.in_own_tile[kept],
        numbers=frames,
        content=content,
        places=_with_main(_spans(places, merged, kept, times)),
    )


@dataclass(frozen=True, slots=True)
class _Merged:
    """The readings of one marker, one for each frame: the one in the largest place."""

    frames: NDArray[np.uint32]
    counters: NDArray[np.int64]
    captures: NDArray[np.int64]
    in_own_tile: NDArray[np.bool_]

    @classmethod
    def of(cls, places: Iterable[Readings]) -> _Merged:
        """Merge the readings of several places."""
        ordered = sorted(places, key=lambda one: one.place.width * one.place.height, reverse=True)
        frames = np.concatenate([np.array(one.frames, np.uint32) for one in ordered])
        columns = [
            np.concatenate([np.array(getattr(one, name), kind) for one in ordered])
            for name, kind in (("counters", np.int64), ("captures", np.int64), ("in_own_tile", bool))
        ]
        if len(ordered) > 1:
            # Of several readings of one frame, unique returns the first one.
            frames, first = np.unique(frames, return_index=True)
            columns = [column[first] for column in columns]
        return cls(frames, *columns)

    def confirmed(self, times: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which readings are confirmed by the one before or after it."""
        elapsed = np.diff(times[self.frames])
        counted = _steps(self.counters, COUNTER_PERIOD)
        captured = _steps(self.captures, 1 << CAPTURE_BITS)
        fits = (
            (elapsed <= _CONFIRMED_WITHIN)
            & (np.abs(counted - elapsed * COUNTS_PER_SECOND) <= COUNTS_PER_SECOND)
            & (np.abs(captured - counted * 1000 / COUNTS_PER_SECOND) <= _CONFIRMED_MS)
        )
        return np.append(fits, False) | np.insert(fits, 0, False)


def _steps(values: NDArray[np.int64], period: int) -> NDArray[np.int64]:
    """Return the difference between each value and the next, where the values start again at 0 after ``period``."""
    return (np.diff(values) + period // 2) % period - period // 2


def _spans(
    places: Iterable[Readings], merged: _Merged, kept: NDArray[np.bool_], times: NDArray[np.float64]
) -> list[PlaceSpan]:
    """Return when the marker was read in which place."""
    lasting = float(np.median(np.diff(times))) if times.size > 1 else 0.0
    found: list[PlaceSpan] = []
    for same in _in_same_place(places):
        frames: list[NDArray[np.uint32]] = []
        for one in same:
            own = _Merged.of([one])
            # A single reading in a place, for example while a tile is moving, is confirmed by those in other places.
            confirmed = own.confirmed(times) | np.isin(own.frames, merged.frames[kept])
            frames.append(own.frames[confirmed])
        shown = same[0]
        for start, end in spans(times[np.unique(np.concatenate(frames))].tolist(), lasting=lasting, bridge=_BRIDGE):
            found.append(PlaceSpan(start, end, shown.place, shown.area, shown.share))
    return found


def _in_same_place(places: Iterable[Readings]) -> list[list[Readings]]:
    """Return the readings of each place. A participant who is lost and found again is in nearly the same place."""
    found: list[list[Readings]] = []
    # The place with most readings is the most accurate one.
    for one in sorted(places, key=lambda one: -len(one.frames)):
        same = next((others for others in found if _is_same(one.place, others[0].place)), None)
        if same is None:
            found.append([one])
        else:
            same.append(one)
    return found


def _is_same(one: Place, other: Place) -> bool:
    most = _SAME_PIXELS + _SAME_SHARE * max(one.width, one.height)
    edges = (
        (one.x, other.x),
        (one.y, other.y),
        (one.x + one.width, other.x + other.width),
        (one.y + one.height, other.y + other.height),
    )
    alike = all(abs(mine - theirs) <= most for mine, theirs in edges)
    return alike and (one.turn, one.mirrored) == (other.turn, other.mirrored)


def _with_main(found: Sequence[PlaceSpan]) -> tuple[PlaceSpan, ...]:
    """Divide the spans where another place becomes the largest one, and set ``main``."""
    found = sorted(found, key=lambda one: one.start - one.end)[:_MOST_SPANS]
    moments = sorted({at for one in found for at in (one.start, one.end)})
    divided: list[PlaceSpan] = []
    for one in found:
        larger = [other for other in found if other is not one and _size(other) > _size(one)]
        inner = [at for at in moments if one.start < at < one.end] if larger else []
        pieces: list[PlaceSpan] = []
        for start, end in zip([one.start, *inner], [*inner, one.end], strict=True):
            main = not any(other.start <= start and other.end >= end for other in larger)
            if pieces and pieces[-1].main == main:
                pieces[-1] = replace(pieces[-1], end=end)
            else:
                pieces.append(replace(one, start=start, end=end, main=main))
        divided += pieces
    return tuple(sorted(divided, key=lambda span: (span.start, -_size(span))))


def _size(one: PlaceSpan) -> float:
    return one.place.width * one.place.height
