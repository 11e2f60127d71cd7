"""Search whole frames for symbols, and all usual grids for strips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import zxingcpp

from harness.verification.markers.places import OTHER_SHAPES, WIDE, all_grid_places
from harness.verification.markers.strip import StripSampler
from harness.verification.markers.symbol import symbol_marker
from harness.verification.probe.scaling import enlarged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.verification.markers.places import Place
    from harness.verification.markers.strip import Marker

_FORMATS: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.DataMatrix)
# Modules of less than two pixels can be read only in enlarged frames. Larger frames are enlarged less often, and very
# large ones never, because reading them takes long.
_ENLARGED_PIXELS: Final = 600_000
_MOST_ENLARGED_PIXELS: Final = 1_000_000
_ENLARGED_EVERY: Final = 2
_SELDOM_ENLARGED_EVERY: Final = 5
# Larger frames are made smaller by a whole factor. Searching noise takes 0.1 s for this many pixels.
_MOST_PIXELS: Final = 2_200_000
# In every few searches, the threshold between black and white is derived from the frame, in case that the recorder has
# changed the brightness, and grids of other aspect ratios are searched for strips.
_HISTOGRAM_EVERY: Final = 5
_OTHER_SHAPES_EVERY: Final = 5
# The most symbols that one frame can contain. A hostile frame could contain thousands.
_MOST_SYMBOLS: Final = 64


@dataclass(frozen=True, slots=True)
class Sighting:
    """A symbol that was read somewhere in a frame; its corners are accurate to about a pixel."""

    marker: Marker
    corners: tuple[tuple[float, float], ...]


class SymbolSearch:
    """Searches frames for symbols, with the slower kinds of search only in every few frames."""

    def __init__(self) -> None:
        self._searches = 0

    def find(self, luma: NDArray[np.uint8]) -> list[Sighting]:
        """Return all symbols that are found in a frame. ``luma`` is contiguous, without padding."""
        number, self._searches = self._searches, self._searches + 1
        shrunk = max(1, int(np.ceil(np.sqrt(luma.size / _MOST_PIXELS))))
        image = np.ascontiguousarray(luma[::shrunk, ::shrunk]) if shrunk > 1 else luma
        found = list(_read(image, zxingcpp.Binarizer.FixedThreshold, float(shrunk)))
        if number % _HISTOGRAM_EVERY == 0:
            found += _read(image, zxingcpp.Binarizer.GlobalHistogram, float(shrunk))
        every = _ENLARGED_EVERY if luma.size <= _ENLARGED_PIXELS else _SELDOM_ENLARGED_EVERY
        if luma.size <= _MOST_ENLARGED_PIXELS and number % every == 0:
            found += _read(enlarged(luma), zxingcpp.Binarizer.FixedThreshold, 0.5)
        return _distinct(found)[:_MOST_SYMBOLS]


class StripSearch:
    """Searches the tiles of all usual grids for strips, because old synthetic video has no symbol."""

    def __init__(self, luma: NDArray[np.uint8]) -> None:
        height, width = luma.shape
        self._wide = all_grid_places(width, height, WIDE)
        self._others = tuple(
            dict.fromkeys(place for shape in OTHER_SHAPES for place in all_grid_places(width, height, shape))
        )
        self._samplers = StripSampler(self._wide, luma), StripSampler(self._others, luma)
        self._searches = 0

    def find(self, luma: NDArray[np.uint8]) -> Iterator[tuple[Place, Marker]]:
        """Yield each place with a strip. All frames must have the same shape."""
        number, self._searches = self._searches, self._searches + 1
        for places, sampler in zip((self._wide, self._others), self._samplers, strict=True):
            if places is self._wide or number % _OTHER_SHAPES_EVERY == 0:
                for place, marker in zip(places, sampler.read(luma), strict=True):
                    if marker:
                        yield place, marker


def _read(image: NDArray[np.uint8], binarizer: zxingcpp.Binarizer, scale: float) -> Iterator[Sighting]:
    """Yield the symbols in an image; ``scale`` is the number of the frame's pixels per pixel of the image."""
    barcodes = zxingcpp.read_barcodes(
        image,
        formats=_FORMATS,
        # Without this option, turned symbols, and all mirrored ones, are not found.
        try_rotate=True,
        try_downscale=False,
        try_invert=False,
        binarizer=binarizer,
    )
    for barcode in barcodes[:_MOST_SYMBOLS]:
        marker = symbol_marker(barcode.bytes)
        if marker:
            at = barcode.position
            corners = (at.top_left, at.top_right, at.bottom_right, at.bottom_left)
            yield Sighting(marker, tuple(((one.x + 0.5) * scale, (one.y + 0.5) * scale) for one in corners))


def _distinct(found: list[Sighting]) -> list[Sighting]:
    """Leave out symbols that were found again in the same place."""
    kept: list[Sighting] = []
    for one in found:
        x, y = one.corners[0]
        if not any(
            one.marker == other.marker and abs(x - other.corners[0][0]) + abs(y - other.corners[0][1]) < 4  # noqa: PLR2004
            for other in kept
        ):
            kept.append(one)
    return kept
