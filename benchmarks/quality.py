"""Measure the quality of recorded frames, so that no contestant wins by encoding at a lower quality."""

from __future__ import annotations

import base64
import math
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from harness.verification.markers.backdrop import NAME_ROWS
from harness.verification.markers.places import grid_places

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_EVERY: Final = 10
_FULL_SCALE: Final = 255


def psnr(path: Path, sources: list[dict[str, Any]]) -> float | None:
    """Return the median PSNR, in dB, of a file's frames compared with the luma of their sources.

    ``sources`` must be in the order of the tiles. The result is None if no tile has the same size as its source.
    """
    originals = [_luma(one) for one in sources]
    found = []
    with av.open(str(path), mode="r") as media:
        for number, frame in enumerate(media.decode(video=0)):
            if number % _EVERY:
                continue
            luma = frame.to_ndarray(format="gray" if frame.format.name == "gray" else "yuv420p")[: frame.height]
            errors = [
                _error(luma.astype(np.uint8)[round(place.y) :, round(place.x) :], original)
                for original, place in zip(
                    originals, grid_places(len(originals), frame.width, frame.height), strict=True
                )
                if original.shape == (round(place.height), round(place.width))
            ]
            if errors:
                found.append(10 * math.log10(_FULL_SCALE**2 / max(1e-6, float(np.mean(errors)))))
    return round(median(found), 2) if found else None


def _luma(source: dict[str, Any]) -> NDArray[np.uint8]:
    pixels = np.frombuffer(base64.b64decode(source["luma"]), np.uint8)
    return pixels.reshape(source["height"], source["width"])


def _error(tile: NDArray[np.uint8], original: NDArray[np.uint8]) -> float:
    """Return the mean squared error of the rows with the name, which do not move.

    The tile is in the top left corner of the array.
    """
    height, width = original.shape
    top, bottom = NAME_ROWS
    rows = slice(round(height * top), round(height * bottom))
    return float(np.mean((tile[rows, :width].astype(float) - original[rows]) ** 2))
