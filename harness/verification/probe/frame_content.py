"""Detect black frames, and frames that look the same as the previous one."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.verification.probe.tracks import Frame

# A frame is black if fewer than one pixel in a hundred is brighter than this value. In video, black has the value 16.
_BLACK: Final = 32
_BRIGHT_SHARE: Final = 0.01
# Number of points to compare across the width of a frame, and the smallest change in brightness that counts as a
# change. A codec changes the brightness of a still image by a few steps.
_POINTS: Final = 80
_CODEC_NOISE: Final = 8


class FrameContentDetector:
    """Detects black frames and repeated frames."""

    def __init__(self) -> None:
        self._previous: NDArray[np.int16] | None = None
        self._black = array("d")
        self.repeated = 0

    def on_frame(self, frame: Frame) -> None:
        """Check whether a frame is black, and whether it repeats the previous frame."""
        step = max(1, frame.width // _POINTS)
        points = frame.luma[::step, : frame.width : step].astype(np.int16)
        if np.count_nonzero(points > _BLACK) < _BRIGHT_SHARE * points.size:
            self._black.append(frame.at)
        previous, self._previous = self._previous, points
        if previous is not None and previous.shape == points.shape and np.abs(points - previous).max() < _CODEC_NOISE:
            self.repeated += 1

    @property
    def black(self) -> NDArray[np.float64]:
        """The times of the black frames, in seconds."""
        return np.array(self._black)
