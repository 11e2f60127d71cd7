"""How good the recorded pictures are: nobody should win by encoding less."""

from __future__ import annotations

import base64
import math
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from harness.verification.markers.places import grid_places

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# The part of a synthetic picture that stands still: below the strip of marks, above the ball.
_TOP: Final = 0.14
_BOTTOM: Final = 0.54
_EVERY: Final = 10
_FULL_SCALE: Final = 255


def psnr(path: Path, sources: list[dict[str, Any]]) -> float | None:
    """Return the median PSNR, in dB, of the pictures of a file against the brightness of what they show.

    ``sources`` are in the order of the tiles. None where no tile has its source's size.
    """
    originals = [_luma(one) for one in sources]
    found = []
    with av.open(str(path), mode="r") as media:
        for number, frame in enumerate(media.decode(video=0)):
            if number % _EVERY:
                continue
            picture = frame.to_ndarray(format="gray" if frame.format.name == "gray" else "yuv420p")[: frame.height]
            errors = [
                _error(picture.astype(np.uint8)[round(place.y) :, round(place.x) :], original)
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
    """Return the mean squared error of what stands still in a tile, whose top left corner is the array's."""
    height, width = original.shape
    rows = slice(round(height * _TOP), round(height * _BOTTOM))
    return float(np.mean((tile[rows, :width].astype(float) - original[rows]) ** 2))
