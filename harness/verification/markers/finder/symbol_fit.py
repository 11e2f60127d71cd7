"""Compute where a participant's whole video is in the frame from a symbol that was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.places import OTHER_SHAPES, WIDE, Place
from harness.verification.markers.strip import COLUMNS, ROWS, Marker, StripSampler, encode_strip
from harness.verification.markers.symbol import CENTER, MODULES, QUIET, encode_symbols, symbol_square

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Steps of the fit, and the number of pixels that are compared for each module, in both directions.
_STEPS: Final = 6
_PER_MODULE: Final = 4
# Size of the change with which the fit's derivatives are computed, in pixels.
_SMALL: Final = 0.05
_CONVERGED: Final = 0.02
# The scaling and the codec blur the edges by about this many pixels on each side.
_BLUR: Final = 0.7
# Smallest correlations of a symbol, and of a strip, with the expected modules and cells. Of 64 random cells, one in a
# thousand has a correlation of 0.4 with the expected cells.
_LEAST_SYMBOL: Final = 0.5
_LEAST_STRIP: Final = 0.5
# Fewest visible columns of a strip's cells that are used to measure the video's width.
_FEWEST_COLUMNS: Final = 16


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the frame, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, corners: Sequence[tuple[float, float]]) -> Box:
        """Return the smallest box that contains all corners, each of which is an x and a y."""
        across, down = zip(*corners, strict=True)
        return cls(min(across), min(down), max(across), max(down))

    @property
    def width(self) -> float:
        """The width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """The height in pixels."""
        return self.bottom - self.top

    def distance(self, other: Box) -> float:
        """Return by how many pixels the edge that differs most differs from that of another box."""
        return max(
            abs(self.left - other.left),
            abs(self.top - other.top),
            abs(self.right - other.right),
            abs(self.bottom - other.bottom),
        )


@dataclass(frozen=True, slots=True)
class FoundSymbol:
    """A symbol in the frame: the box of its modules, without the quiet zone, and how the video was turned."""

    marker: Marker
    box: Box
    turn: int
    mirrored: bool


def fit_symbol(luma: NDArray[np.uint8], marker: Marker, corners: Sequence[tuple[float, float]]) -> FoundSymbol | None:
    """Return the exact box of a symbol whose four corners are known to about a pixel.

    Return None if no symbol with this marker was found, for example because it is turned by less than a quarter.
    """
    box = Box.around(corners)
    if box.width < MODULES or box.height < MODULES:
        return None
    expected = -_signs(encode_symbols([marker])[0])
    turned = {(turn, mirrored): _turned(expected, turn, mirrored) for turn in range(4) for mirrored in (False, True)}
    sampled = _sampled(luma, box)
    turn, mirrored = max(turned, key=lambda how: _correlation(sampled, turned[how]))
    pattern = np.pad(turned[turn, mirrored], QUIET, constant_values=1.0)
    module = (box.width / MODULES, box.height / MODULES)
    wide = Box(box.left - module[0], box.top - module[1], box.right + module[0], box.bottom + module[1])
    fitted = _fit(luma, pattern, wide)
    side = MODULES + 2 * QUIET
    module = (fitted.width / side, fitted.height / side)
    inner = Box(fitted.left + module[0], fitted.top + module[1], fitted.right - module[0], fitted.bottom - module[1])
    if _correlation(_sampled(luma, inner), turned[turn, mirrored]) < _LEAST_SYMBOL:
        return None
    return FoundSymbol(marker, inner, turn, mirrored)


def place_of(luma: NDArray[np.uint8], symbol: FoundSymbol) -> tuple[Place, float]:
    """Return the place of the whole video around a symbol, and how well the strip is visible there, from 0 to 1.

    The strip decides which of the usual aspect ratios the video has. If no strip is visible, the video is assumed to be
    16:9.
    """
    places = [place_around(symbol, wide / high) for wide, high in (WIDE, *OTHER_SHAPES)]
    expected = _signs(encode_strip(symbol.marker))
    visible = [strip_correlation(luma, place, expected) for place in places]
    best = int(np.argmax(visible))
    if visible[best] < _LEAST_STRIP:
        return places[0], 0.0
    place = places[best]
    return _fit_strip(luma, place, expected), visible[best]


def place_around(symbol: FoundSymbol, aspect: float) -> Place:
    """Return the place of the whole video with a symbol; ``aspect`` is the video's width divided by its height."""
    square = symbol_square(aspect)
    box = symbol.box
    wide, high = (box.height, box.width) if symbol.turn % 2 else (box.width, box.height)
    wide, high = wide / square.width, high / square.height
    stretch = wide / high / aspect
    if symbol.turn % 2:
        wide, high = high, wide
    unit = Place(0, 0, 1, 1, symbol.turn, symbol.mirrored)
    x, y = (float(one) for one in unit.pixels(np.array(0.5), np.array(CENTER)))
    left, top = (box.left + box.right) / 2 - x * wide, (box.top + box.bottom) / 2 - y * high
    return Place(left, top, wide, high, symbol.turn, symbol.mirrored, stretch)


def strip_correlation(luma: NDArray[np.uint8], place: Place, expected: NDArray[np.float64]) -> float:
    """Return the correlation of the strip's cells at a place with the expected bits, each of which is 1 or -1."""
    return _correlation(StripSampler([place], luma).cells(luma)[0], expected)


def _fit_strip(luma: NDArray[np.uint8], place: Place, bits: NDArray[np.float64]) -> Place:
    """Return the place with its exact extent in the direction of its strip, of which most columns are visible."""
    cells = StripSampler([place], luma).cells(luma)[0]
    right = ((cells > np.median(cells)) == (bits > 0)).reshape(ROWS, COLUMNS).all(axis=0)
    first, last = _visible_columns(right)
    if last - first < _FEWEST_COLUMNS:
        return place
    pattern = _turned(bits.reshape(ROWS, COLUMNS)[:, first:last], place.turn, place.mirrored)
    x, y = place.pixels(np.array([first, last]) / COLUMNS, np.array([0.0, 1 / 9]))
    box = Box(float(x.min()), float(y.min()), float(x.max()), float(y.max()))
    upright = place.turn % 2 == 0
    fitted = _fit(luma, pattern, box, across=upright, down=not upright)
    if upright:
        scale = fitted.width / box.width
        left = fitted.left + (place.x - box.left) * scale
        moved = replace(place, x=left, width=place.width * scale)
    else:
        scale = fitted.height / box.height
        top = fitted.top + (place.y - box.top) * scale
        moved = replace(place, y=top, height=place.height * scale)
    return replace(moved, stretch=place.stretch * scale)


def _visible_columns(right: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the first visible column of a strip and the one after the last, given the columns with the right cells.

    Cells that are hidden by a crop or a label may be right by chance, so one more column next to them is left out.
    """
    middle = np.flatnonzero(right)
    if not middle.size:
        return 0, 0
    wrong = np.flatnonzero(~right)
    center = COLUMNS // 2
    before, after = wrong[wrong < center], wrong[wrong >= center]
    return (int(before[-1]) + 2 if before.size else 0), (int(after[0]) - 1 if after.size else COLUMNS)


def _signs(bits: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(bits, 1.0, -1.0)


def _turned(pattern: NDArray[np.float64], turn: int, mirrored: bool) -> NDArray[np.float64]:  # noqa: FBT001
    return np.asarray(np.rot90(pattern[:, ::-1] if mirrored else pattern, -turn))


def _correlation(values: NDArray[np.floating], expected: NDArray[np.float64]) -> float:
    """Return the correlation coefficient, or 0 if all values are the same."""
    centered, pattern = values - values.mean(), expected - expected.mean()
    norm = float(np.sqrt((centered**2).sum() * (pattern**2).sum()))
    return float((centered * pattern).sum()) / norm if norm else 0.0


def _sampled(luma: NDArray[np.uint8], box: Box) -> NDArray[np.float64]:
    """Return the mean luma near the middle of each of the box's 14 x 14 modules."""
    at = ((np.arange(MODULES) + 0.5)[:, None] + np.array([-0.2, 0.0, 0.2])).reshape(-1) / MODULES
    columns = np.clip(box.left + at * box.width, 0, luma.shape[1] - 1).astype(np.intp)
    lines = np.clip(box.top + at * box.height, 0, luma.shape[0] - 1).astype(np.intp)
    points = luma[np.ix_(lines, columns)].reshape(MODULES, 3, MODULES, 3)
    return np.asarray(points.mean(axis=(1, 3)))


def _fit(
    luma: NDArray[np.uint8], pattern: NDArray[np.float64], box: Box, *, across: bool = True, down: bool = True
) -> Box:
    """Return the box in which a pattern is most similar to the frame, starting with a box that is nearly right.

    This is a Gauss-Newton fit of the box's edges, of which only those in the given directions are moved, and of the
    brightness and the contrast.
    """
    edges = np.array([box.left, box.right, box.top, box.bottom])
    free = np.flatnonzero([across, across, down, down])
    columns = _Pixels.between(box.left, box.right, pattern.shape[1], luma.shape[1])
    lines = _Pixels.between(box.top, box.bottom, pattern.shape[0], luma.shape[0])
    if columns.count < ROWS or lines.count < ROWS:
        return box
    part = luma[lines.start : lines.end, columns.start : columns.end].astype(np.float64)
    pixels = part.reshape(lines.count, lines.size, columns.count, columns.size).mean(axis=(1, 3)).reshape(-1)
    size = np.array([box.width / pattern.shape[1]] * 2 + [box.height / pattern.shape[0]] * 2)
    start = edges.copy()
    for _ in range(_STEPS):
        across_by, down_by = (
            _weights(columns, edges[:2], pattern.shape[1]),
            _weights(lines, edges[2:], pattern.shape[0]),
        )
        drawn = (down_by @ pattern @ across_by.T).reshape(-1)
        changes = []
        for edge in free:
            moved = edges.copy()
            moved[edge] += _SMALL
            if edge < 2:  # noqa: PLR2004
                change = down_by @ pattern @ (_weights(columns, moved[:2], pattern.shape[1]) - across_by).T
            else:
                change = (_weights(lines, moved[2:], pattern.shape[0]) - down_by) @ pattern @ across_by.T
            changes.append(change.reshape(-1) / _SMALL)
        centered = drawn - drawn.mean()
        contrast = (centered @ pixels) / max(centered @ centered, 1.0)
        slopes = np.stack([np.ones_like(drawn), drawn, *(contrast * change for change in changes)])
        rest = pixels - contrast * centered - pixels.mean()
        # The small numbers on the diagonal keep an edge in place that has no influence.
        squares = slopes @ slopes.T + np.diag([1e-6, 1e-6, *[1.0] * free.size])
        step = np.linalg.solve(squares, slopes @ rest)[2:]
        step = np.clip(step, -0.5 * size[free], 0.5 * size[free])
        edges[free] += step
        if np.abs(step).max() < _CONVERGED:
            break
    # A fit that moves an edge by more than a module has found something else.
    if not np.isfinite(edges).all() or (np.abs(edges - start) > size * 1.5).any():
        return box
    left, right, top, bottom = (float(edge) for edge in edges)
    return Box(left, top, right, bottom)


@dataclass(frozen=True, slots=True)
class _Pixels:
    """The lines, or the columns, of pixels that are compared. In a large box, several of them are combined to one."""

    start: int
    size: int
    count: int

    @classmethod
    def between(cls, start: float, end: float, modules: int, limit: int) -> _Pixels:
        """Return the pixels that are between two positions and in the frame, four or more for each of the modules."""
        first, last = max(0, round(start)), min(limit, round(end))
        size = max(1, int((end - start) / modules / _PER_MODULE))
        return cls(first, size, max(0, last - first) // size)

    @property
    def end(self) -> int:
        return self.start + self.size * self.count

    @property
    def middles(self) -> NDArray[np.float64]:
        return np.asarray(self.start + (np.arange(self.count, dtype=np.float64) + 0.5) * self.size)


def _weights(pixels: _Pixels, edges: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the share of each of the modules between two edges in each pixel, whose edges are blurred.

    The outer modules continue beyond the edges.
    """
    start, end = edges
    scale = count / (end - start)
    middles, half = (pixels.middles[:, None] - start) * scale, (pixels.size / 2 + _BLUR) * scale
    before = np.clip((np.arange(1, count)[None] - middles) / (2 * half) + 0.5, 0, 1)
    ends = np.zeros_like(middles)
    return np.asarray(np.diff(np.concatenate([ends, before, ends + 1], axis=1), axis=1))
