"""Compare a synthetic participant's video below the strip with what the synthetic camera paints."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import SCREEN_MARKER
from harness.verification.markers.backdrop import FACE_POINTS, GRAY, NAME_ROWS, SWING_COUNTS, backdrop, card, face_at
from harness.verification.markers.strip import COLUMNS, ROWS
from harness.verification.markers.symbol import Agreement, SymbolComparison, SymbolSampler, symbol_square

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.verification.markers.finder.visibility import SeenCells
    from harness.verification.markers.places import Place
    from harness.verification.markers.strip import Marker
    from harness.verification.probe.tracks import Frame

# A participant's video is sampled only ten times per second, because the markers already give the timing of every
# frame.
SAMPLED_EVERY: Final = 0.1
_EARLY: Final = 0.01
# The video below the strip is divided into this many blocks in each direction. The blocks leave out the area next to
# the strip and the edges of the tile, because scaling blurs the video there.
_BLOCKS: Final = 16
_LEFT: Final = 0.01
_TOP: Final = 0.135
_WIDE: Final = (0.99 - _LEFT) / _BLOCKS
_HIGH: Final = (0.99 - _TOP) / _BLOCKS
# Offsets of the sampled points within a block, as fractions of the block's width and height.
_LUMA_ACROSS: Final = np.array([1, 3, 5]) / 6
_LUMA_DOWN: Final = np.array([1, 3]) / 4
_CHROMA_ACROSS: Final = np.array([1, 3]) / 4
# The mixer writes the name into the tile's lower left corner: up to 0.7 of the width, and 14 pixels or 1/11 high.
_LABEL_WIDTH: Final = 0.74
_LABEL_PIXELS: Final = 16
# A codec's blocks are at least this many pixels high, so the strip's bottom block blurs what is below the strip.
_CODEC_BLOCK: Final = 16
_LABEL_HEIGHT: Final = 0.12
# Black has luma 16; the darkest backdrop of all markers has luma 42.
_DARK: Final = 27
# Chroma is compared in regions of this many by this many blocks, because a codec may be off by several steps in a
# single block.
_REGION: Final = 4
# At these points, where there is no text, the window of a shared screen is brighter than this luma. The camera's
# backdrop is always darker. Each row of points has a share of the height, and shares of the width. The first row of
# which enough points are visible counts; the mixer's label can't cover any of them.
_WINDOW_ROWS: Final = (
    (0.89, np.linspace(0.76, 0.92, 9)),
    (0.74, np.linspace(0.1, 0.9, 17)),
    (0.16, np.concatenate([np.linspace(0.1, 0.3, 6), np.linspace(0.7, 0.9, 6)])),
)
_WINDOW_LUMA: Final = 160
_POINT: Final = 0.01
_FEWEST_BLOCKS: Final = 5
# Largest differences that are tolerated. At 150 kbps, luma is off by up to 12 and chroma by up to 6. Interpreting the
# video as BT.709 or as full range shifts luma by 16 and chroma by 5. Video without colors is off by at least 14.
_LUMA_TOLERANCE: Final = 26
_CHROMA_TOLERANCE: Final = 9
_ROUGHNESS: Final = 14
# A codec may move, blur or omit edges of the backdrop that are within this many pixels of a point.
_EDGE_PIXELS: Final = 2
# Smallest fractions of the blocks, and of the regions, that count as a part of the video.
_DARK_SHARE: Final = 0.08
_OFF_SHARE: Final = 0.12
_REGION_SHARE: Final = 0.2
# Without a known backdrop, dark or rough blocks may be intended, so the part must be larger to count as a fault.
_UNKNOWN_SHARE: Final = 0.3
_FLAT: Final = 3
# A block's mean luma changes by at least this much if something in the block moves.
_MOVED: Final = 10
_LEAST_CONTRAST: Final = 30
_FACE_SEEN: Final = 0.45
_FEWEST_POINTS: Final = 3
_MOST_CACHED: Final = 64


class Fault(IntFlag):
    """What is wrong with the video below a strip."""

    BLACK = 1
    """A part of the video is black."""
    COLOR = 2
    """A part of the video does not have the participant's colors."""
    STILL = 4
    """The video does not move although the strip's counter advances."""
    OTHER = 8
    """A part of the video is noise or another video."""
    SYMBOL = 16
    """The symbol does not show the same marker as the strip."""


@dataclass(frozen=True, kw_only=True)
class ContentTrack:
    """The samples of one participant's video: the time of each, in seconds, and its faults, as ``Fault`` flags.

    ``colors_known`` is the number of samples in which the strip identifies the colors of the video below it, and
    ``symbols`` is the number of samples in which the symbol was compared with the strip.
    """

    times: NDArray[np.float64]
    faults: NDArray[np.uint8]
    colors_known: int
    symbols: int = 0


NO_CONTENT: Final = ContentTrack(times=np.zeros(0), faults=np.zeros(0, np.uint8), colors_known=0)


class ContentReader:
    """Samples the video below the strips that were read."""

    def __init__(self) -> None:
        self._samplers: dict[object, _TileSampler] = {}
        self._samples: defaultdict[int, _Samples] = defaultdict(_Samples)

    def on_strip(self, frame: Frame, place: Place, marker: Marker, seen: SeenCells | None = None) -> None:
        """Sample the video below a strip, unless the last sample was taken less than 0.1 s ago.

        ``seen`` are the visible parts of the video; None means all.
        """
        samples = self._samples[marker.number]
        if samples.times and 0 <= frame.at - samples.times[-1] < SAMPLED_EVERY - _EARLY:
            return
        chroma = frame.chroma[0].shape if frame.chroma else None
        screen = marker.number >= SCREEN_MARKER or _shows_a_window(frame, place, seen)
        key = (place, frame.luma.shape, chroma, marker.number, marker.full, screen)
        sampler = self._samplers.get(key)
        if sampler is None:
            if len(self._samplers) >= _MOST_CACHED:
                self._samplers.clear()
            sampler = self._samplers[key] = _TileSampler(place, frame, marker, screen=screen)
        sampler.examine(seen)
        samples.append(frame, marker, sampler)

    def finish(self) -> dict[int, ContentTrack]:
        """Return each marker's samples."""
        return {number: samples.finish() for number, samples in self._samples.items()}


def _shows_a_window(frame: Frame, place: Place, seen: SeenCells | None) -> bool:
    """Return whether the video is as bright as a shared screen's window, where the camera's backdrop is dark.

    In our own rooms, a shared screen has the same marker as the participant's camera.
    """
    for row, across in _WINDOW_ROWS:
        down = np.full_like(across, row)
        visible = seen.contain(across, down, _POINT, _POINT) if seen else np.ones(down.size, bool)
        if np.count_nonzero(visible) >= _FEWEST_POINTS:
            points = place.indices(across[visible], down[visible], frame.luma.shape)
            return float(np.median(frame.luma.reshape(-1).take(points))) > _WINDOW_LUMA
    return False


class _Samples:
    """The samples of one marker."""

    def __init__(self) -> None:
        self.times = array("d")
        self.faults = array("B")
        self.known = 0
        self._counter = -1
        self._means: NDArray[np.float32] | None = None
        self._symbols = SymbolComparison()
        self._with_symbol = array("I")

    def append(self, frame: Frame, marker: Marker, sampler: _TileSampler) -> None:
        means, faults, face = sampler.sample(frame, marker)
        before, self._means = self._means, means
        advanced, self._counter = marker.counter != self._counter, marker.counter
        still = False
        if before is not None and means is not None:
            still = advanced and float(np.abs(means - before).max()) < _MOVED
        if face is None:
            faults |= Fault.STILL if still else 0
        elif not face and advanced and not faults & Fault.BLACK:
            # A face in the wrong place that does not move is frozen; one that moves belongs to another video.
            faults |= Fault.STILL if still else Fault.OTHER
        modules = sampler.modules(frame)
        if modules is not None:
            self._symbols.add(marker, modules)
            self._with_symbol.append(len(self.times))
        self.times.append(frame.at)
        self.faults.append(int(faults))
        self.known += marker.full and frame.chroma is not None

    def finish(self) -> ContentTrack:
        faults = np.array(self.faults, np.uint8)
        agreements = self._symbols.finish()
        differing = np.array(self._with_symbol, np.intp)[agreements == Agreement.DIFFERENT]
        faults[differing] |= np.uint8(Fault.SYMBOL)
        return ContentTrack(
            times=np.array(self.times),
            faults=faults,
            colors_known=self.known,
            symbols=int(np.count_nonzero(agreements != Agreement.UNREADABLE)),
        )


@dataclass(frozen=True, slots=True)
class _FacePlace:
    """The face at one phase of its movement.

    ``points`` are indices of points in the face that the mixer's label can't cover. ``behind`` is the luma of the
    backdrop behind these points, or None if there are too few of them. ``checked`` are the blocks that show only the
    backdrop.
    """

    points: NDArray[np.intp]
    behind: float | None
    checked: NDArray[np.bool_]


class _TileSampler:
    """Samples one participant's video at one place, in frames of the same shape."""

    def __init__(self, place: Place, frame: Frame, marker: Marker, *, screen: bool) -> None:
        self._place = place
        self._screen = screen
        self._aspect = place.aspect
        self._number = marker.number
        x, y = _points(_LUMA_ACROSS, _LUMA_DOWN)
        self._luma = place.indices(x, y, frame.luma.shape)
        self._beside = np.minimum(self._luma + 1, frame.luma.size - 1)
        self._x, self._y = x.mean(axis=0), y.mean(axis=0)
        self._label_top = 1 - max(_LABEL_HEIGHT, _LABEL_PIXELS / place.height)
        self._label = (self._x < _LABEL_WIDTH) & (self._y + _HIGH / 2 > self._label_top)
        named = (self._y > NAME_ROWS[0]) & (self._y < NAME_ROWS[1])
        self._card, self._white = np.zeros_like(named), np.zeros_like(named)
        self._expected: NDArray[np.float32] | None = None
        self._symbol: SymbolSampler | None = None
        if marker.full:
            self._card, self._white = self._card_blocks()
            self._symbol = SymbolSampler(place, frame.luma)
            self._expected = backdrop(marker.number, x, y, self._aspect, screen=screen).astype(np.float32)
            self._edges = self._contrast(x, y)
        self._plain = ~self._label & ~named & ~self._card & (self._y > 1 / 9 + _CODEC_BLOCK / place.height)
        self._below_name = self._y > NAME_ROWS[1]
        self._faces: dict[int, _FacePlace] = {}
        self._examined = np.ones(self._x.size, bool)
        self._seen: SeenCells | None = None
        self._chroma: NDArray[np.intp] | None = None
        if frame.chroma:
            plane = frame.chroma[0]
            shrunk = (frame.chroma_across, round(frame.luma.shape[0] / plane.shape[0]))
            self._chroma = place.indices(*_points(_CHROMA_ACROSS, np.array([0.5])), plane.shape, shrunk)
            self._strip = place.indices(*_strip_points(), plane.shape, shrunk)

    def examine(self, seen: SeenCells | None) -> None:
        """Examine only the visible blocks."""
        if seen is not None and seen is not self._seen:
            self._seen = seen
            self._examined = seen.contain(self._x, self._y, _WIDE, _HIGH)

    @property
    def share(self) -> float:
        """The share of the blocks that are examined, from 0 to 1."""
        return float(self._examined.mean())

    def sample(self, frame: Frame, marker: Marker) -> tuple[NDArray[np.float32] | None, Fault, bool | None]:
        """Return the mean luma of each block, the faults, and whether the face is in the right place.

        The means of blocks in which no face can move are 0. They are None if the face is hidden, because nothing
        moves in the visible part. The last value is None if the face is hidden, if its place is unknown, or if it is
        nearly as bright as the backdrop.
        """
        flat = frame.luma.reshape(-1)
        points = flat.take(self._luma).astype(np.float32)
        means = _mean(points)
        roughness = _mean(np.abs(points - flat.take(self._beside)))
        dark = (means < _DARK) & ~self._label & ~self._card & self._examined
        if self._expected is None:
            return means, self._unknown_faults(frame, points, dark, roughness > _ROUGHNESS), None
        place = self._face_place(marker.counter, frame)
        faults = Fault(0)
        if np.count_nonzero(dark) >= max(_DARK_SHARE * np.count_nonzero(self._examined), 1):
            faults |= Fault.BLACK
        differences = _mean(np.abs(points - self._expected[0]))
        off = (roughness > _ROUGHNESS + self._edges) | (differences > _LUMA_TOLERANCE + self._edges)
        checked = place.checked & self._examined
        lit = checked & ~dark
        if np.count_nonzero(off & lit) >= max(_OFF_SHARE * np.count_nonzero(checked), 1):
            faults |= Fault.OTHER
        if self._colors_differ(frame, ((lit & ~off) | self._white) & self._examined):
            faults |= Fault.COLOR
        moving = means * (self._below_name & self._examined)
        face = face_at(self._number, marker.counter, self._aspect, screen=self._screen)
        around = np.array([face.x]), np.array([face.y])
        if self._seen is not None and not self._seen.contain(*around, face.width, face.height).all():
            return None, faults, None
        return moving, faults, self._face_is_seen(flat, place, marker.counter)

    def modules(self, frame: Frame) -> NDArray[np.float32] | None:
        """Return the mean luma of the symbol's modules, or None if there is no symbol or if it is too small."""
        if self._symbol is None or not self._symbol.is_large_enough:
            return None
        return self._symbol.sample(frame.luma)

    def _card_blocks(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the blocks that show a part of the symbol's card, and those that show only its white and black."""
        square = card(self._aspect)
        across, down = (np.abs(self._x - square.x - square.width / 2), np.abs(self._y - square.y - square.height / 2))
        beside = _EDGE_PIXELS / self._place.width, _EDGE_PIXELS / self._place.height
        touched = (across < square.width / 2 + _WIDE / 2 + beside[0]) & (
            down < square.height / 2 + _HIGH / 2 + beside[1]
        )
        symbol = symbol_square(self._aspect)
        inside = (across < symbol.width / 2 - _WIDE / 2) & (down < symbol.height / 2 - _HIGH / 2)
        return touched, inside

    def _contrast(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return, for each block, the mean difference between the brightest and darkest backdrop near its points."""
        lumas = [
            backdrop(
                self._number,
                x + across * _EDGE_PIXELS / self._place.width,
                y + down * _EDGE_PIXELS / self._place.height,
                self._aspect,
                screen=self._screen,
            )[0]
            for across in (-1, 0, 1)
            for down in (-1, 0, 1)
        ]
        return _mean(np.ptp(lumas, axis=0).astype(np.float32))

    def _backdrop_luma(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        return float(backdrop(self._number, x, y, self._aspect, screen=self._screen)[0].mean())

    def _unknown_faults(
        self, frame: Frame, points: NDArray[np.float32], dark: NDArray[np.bool_], rough: NDArray[np.bool_]
    ) -> Fault:
        """Return the faults of a video whose backdrop is unknown; only the strip is known to be gray."""
        faults = Fault(0)
        flat = np.ptp(points, axis=0) <= _FLAT
        if np.count_nonzero(dark & flat) >= _UNKNOWN_SHARE * dark.size:
            faults |= Fault.BLACK
        if np.count_nonzero(rough) >= _UNKNOWN_SHARE * rough.size:
            faults |= Fault.OTHER
        if frame.chroma:
            means = [plane.reshape(-1).take(self._strip).mean() for plane in frame.chroma]
            if np.hypot(means[0] - GRAY, means[1] - GRAY) > _CHROMA_TOLERANCE:
                faults |= Fault.COLOR
        return faults

    def _colors_differ(self, frame: Frame, blocks: NDArray[np.bool_]) -> bool:
        """Return whether the mean chroma of the given blocks differs from the backdrop's in several regions."""
        if self._chroma is None or frame.chroma is None or self._expected is None:
            return False
        count = _by_region(blocks.astype(np.float32))
        squares = np.zeros_like(count)
        for plane, expected in zip(frame.chroma, self._expected[1:], strict=True):
            error = _mean(plane.reshape(-1).take(self._chroma).astype(np.float32)) - _mean(expected)
            squares += (_by_region(error * blocks) / np.maximum(count, 1)) ** 2
        usable = count >= _FEWEST_BLOCKS
        wrong = np.count_nonzero(usable & (squares > _CHROMA_TOLERANCE**2))
        return bool(wrong > 0 and wrong >= _REGION_SHARE * np.count_nonzero(usable))

    def _face_is_seen(self, flat: NDArray[np.uint8], place: _FacePlace, counter: int) -> bool | None:
        if place.behind is None:
            return None
        contrast = face_at(self._number, counter, self._aspect, screen=self._screen).yuv[0] - place.behind
        if abs(contrast) < _LEAST_CONTRAST:
            return None
        return (float(flat.take(place.points).mean()) - place.behind) / contrast > _FACE_SEEN

    def _face_place(self, counter: int, frame: Frame) -> _FacePlace:
        found = self._faces.get(counter % SWING_COUNTS)
        if found is None:
            face = face_at(self._number, counter, self._aspect, screen=self._screen)
            across, down = np.transpose(FACE_POINTS)
            x, y = face.x + across * face.width, face.y + down * face.height
            clear = (y < self._label_top) | (x > _LABEL_WIDTH)
            seen = np.count_nonzero(clear) >= _FEWEST_POINTS
            near = (np.abs(self._x - face.x) < face.width / 2 + 1.5 * _WIDE) & (
                np.abs(self._y - face.y) < face.height / 2 + 1.5 * _HIGH
            )
            found = self._faces[counter % SWING_COUNTS] = _FacePlace(
                points=self._place.indices(x[clear], y[clear], frame.luma.shape),
                behind=self._backdrop_luma(x[clear], y[clear]) if seen else None,
                checked=self._plain & ~near,
            )
        return found


def _points(across: NDArray[np.float64], down: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coordinates of the points in each block: one column per block, row by row."""
    corners = np.arange(_BLOCKS)
    x = _LEFT + (corners[None, None, None, :] + across[None, :, None, None]) * _WIDE
    y = _TOP + (corners[None, None, :, None] + down[:, None, None, None]) * _HIGH
    both = np.broadcast_arrays(x, y)
    return both[0].reshape(-1, _BLOCKS**2), both[1].reshape(-1, _BLOCKS**2)


def _strip_points() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.meshgrid((np.arange(COLUMNS) + 0.5) / COLUMNS, (np.arange(ROWS) + 0.5) / (9 * ROWS))
    return x, y


def _mean(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each block's points. Unlike ``mean``, this is fast for few points."""
    return np.asarray(np.add.reduce(points, axis=0) / np.float32(len(points)))


def _by_region(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    regions = _BLOCKS // _REGION
    return np.asarray(blocks.reshape(regions, _REGION, regions, _REGION).sum(axis=(1, 3)))
