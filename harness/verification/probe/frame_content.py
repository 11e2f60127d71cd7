"""Detect black frames, and frames that look like the one before."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.verification.probe.tracks import Picture

# Video black is 16. A picture is black when less than one pixel in a hundred is brighter than this.
_BLACK: Final = 32
_BRIGHT_SHARE: Final = 0.01
# Points across the picture that are compared; a codec polishes a still picture by a few steps of brightness.
_POINTS: Final = 80
_POLISH: Final = 8


class PlainWatch:
    """Finds black pictures and pictures that look like the one before."""

    def __init__(self) -> None:
        self._before: NDArray[np.int16] | None = None
        self._black = array("d")
        self.repeated = 0

    def see(self, picture: Picture) -> None:
        """Look at a picture."""
        step = max(1, picture.width // _POINTS)
        points = picture.luma[::step, : picture.width : step].astype(np.int16)
        if np.count_nonzero(points > _BLACK) < _BRIGHT_SHARE * points.size:
            self._black.append(picture.at)
        before, self._before = self._before, points
        if before is not None and before.shape == points.shape and np.abs(points - before).max() < _POLISH:
            self.repeated += 1

    @property
    def black(self) -> NDArray[np.float64]:
        """When black pictures are shown, in seconds."""
        return np.array(self._black)
