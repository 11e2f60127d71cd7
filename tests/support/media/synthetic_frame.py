"""Draw the frames of a synthetic camera, as ``web/src/media/frame-painter.js`` does."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.verification.markers.backdrop import GRAY, Face, backdrop, face_at
from harness.verification.markers.strip import BRIGHT, COLUMNS, DARK, ROWS, Marker, encode_strip
from harness.verification.markers.symbol import BLACK, WHITE, encode_symbols, symbol_square

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NAME_LUMA = 215
_NAME_MIDDLE = 0.62
_FEATURE_LUMA = 45
# Smaller faces have no eyes and no mouth.
_LEAST_FEATURES = 16


class Tile(NamedTuple):
    """The Y, U and V planes of one participant's video, as views of the frame's planes."""

    luma: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


def draw_frame(tile: Tile, marker: Marker, *, screen: bool | None = None) -> None:
    """Draw a whole frame; ``screen`` is true for a shared screen, and its default depends on the marker."""
    height, width = tile.luma.shape
    for plane, painted in zip(tile, _backdrop_planes(marker.number, width, height, screen=screen), strict=True):
        plane[:] = painted
    _draw_face(tile, face_at(marker.number, marker.counter, width / height, screen=screen))
    square = symbol_square(width / height)
    left, top = square.x * width, square.y * height
    area = (left, top, square.width * width, square.height * height)
    _draw_cells(tile.luma, np.where(encode_symbols([marker])[0], BLACK, WHITE), area)
    draw_strip(tile, marker)


def draw_strip(tile: Tile, marker: Marker) -> None:
    """Draw only the strip."""
    height, width = tile.luma.shape
    cells = np.where(encode_strip(marker), BRIGHT, DARK).reshape(ROWS, COLUMNS)
    _draw_cells(tile.luma, cells, (0, 0, width, height / 9))


def _draw_cells(luma: NDArray[np.uint8], values: NDArray[np.int_], area: tuple[float, float, float, float]) -> None:
    """Draw rows of cells with these values in an area: left, top, width and height in pixels."""
    left, top, width, height = area
    rows, columns = values.shape
    across = [_rounded(left) + _rounded(column * width / columns) for column in range(columns + 1)]
    down = [_rounded(top) + _rounded(row * height / rows) for row in range(rows + 1)]
    painted = np.repeat(np.repeat(values, np.diff(down), axis=0), np.diff(across), axis=1)
    luma[down[0] : down[-1], across[0] : across[-1]] = painted


def _draw_face(tile: Tile, face: Face) -> None:
    height, width = tile.luma.shape
    size = 2 * _rounded(face.height * height / 2)
    top = 2 * _rounded((face.y - face.height / 2) * height / 2)
    # The page positions a face whose width is an even number of pixels.
    share = (face.x - face.width / 2 - 0.08) / (0.84 - face.width)
    left = 2 * _rounded((width * 0.08 + share * (width * 0.84 - size)) / 2)
    for plane, value, shrunk in zip(tile, face.yuv, (1, 2, 2), strict=True):
        inside = _disk(size // shrunk)
        rows, columns = slice(top // shrunk, (top + size) // shrunk), slice(left // shrunk, (left + size) // shrunk)
        plane[rows, columns][inside] = value
        if shrunk == 1 and size >= _LEAST_FEATURES:
            plane[rows, columns][inside & _features(size, open_mouth=face.flashes)] = _FEATURE_LUMA


@lru_cache(maxsize=64)
def _disk(size: int) -> NDArray[np.bool_]:
    rows, columns = np.indices((size, size))
    starts = np.floor(size / 2 - np.sqrt((size / 2) ** 2 - (rows + 0.5 - size / 2) ** 2) + 0.5)
    return np.asarray((columns >= starts) & (columns < size - starts))


@lru_cache(maxsize=64)
def _features(size: int, *, open_mouth: bool) -> NDArray[np.bool_]:
    """Return the eyes and the mouth."""
    y, x = (np.indices((size, size)) + 0.5) / size - 0.5
    eyes = ((np.abs(x) - 0.17) / 0.06) ** 2 + ((y + 0.1) / 0.09) ** 2 <= 1
    if open_mouth:
        return np.asarray(eyes | ((x / 0.13) ** 2 + ((y - 0.22) / 0.13) ** 2 <= 1))
    return np.asarray(eyes | ((y >= 0.12) & (np.abs(np.hypot(x, y) - 0.265) <= 0.04)))


@lru_cache(maxsize=64)
def _backdrop_planes(marker: int, width: int, height: int, *, screen: bool | None) -> tuple[NDArray[np.uint8], ...]:
    planes = []
    for index, shrunk in enumerate((1, 2, 2)):
        wide, high = width // shrunk, height // shrunk
        x, y = np.meshgrid((np.arange(wide) + 0.5) / wide, (np.arange(high) + 0.5) / high)
        plane = backdrop(marker, x, y, width / height, screen=screen)[index]
        if index:
            plane[: math.ceil(high / 9)] = GRAY
        else:
            # Draw dashes, because a name also covers only a part of its rows.
            plane[(abs(y - _NAME_MIDDLE) < 0.03) & (abs(x - 0.5) < 0.2) & (x * 18 % 1 < 0.5)] = _NAME_LUMA
        planes.append(plane.astype(np.uint8))
    return tuple(planes)


def _rounded(value: float) -> int:
    """Round as JavaScript does: halves are rounded up."""
    return math.floor(value + 0.5)
