"""Detect frames that are black or partly blank, frames that look like the previous one, and video that is still."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.recording.timeline import Interval
    from harness.verification.probe.tracks import Frame

# A frame is black if fewer than one pixel in a hundred is brighter than this value. In video, black has the value 16.
_BLACK: Final = 32
_BRIGHT_SHARE: Final = 0.01
# Number of points to compare across the width of a frame, and the smallest change in brightness that counts as a
# change. A codec changes the brightness of a still image by a few steps.
_POINTS: Final = 80
_CODEC_NOISE: Final = 8
# Video counts as still while the share of points that differ from the first frame by more than the second value is no
# larger than the first value. The quality of a still image changes with each keyframe.
_MOVING_SHARE: Final = 0.002
_KEYFRAME_NOISE: Final = 12
_SHORTEST_STILL: Final = 1.0
# Width and height of a block, in points. A block is blank if its brightness is almost constant. A part of the video is
# blank if blocks that had content for at least a second, and that make up a certain share of the frame, now have the
# same brightness.
_BLOCK: Final = 5
_FLAT: Final = 4
_SAMPLED_EVERY: Final = 0.2
_CONTENT_SAMPLES: Final = 5
_BLANK_SHARE: Final = 0.3
_SAME: Final = 6


class FrameContentDetector:
    """Detects black frames, repeated frames, still video, and frames that are partly blank."""

    def __init__(self) -> None:
        self._previous: NDArray[np.int16] | None = None
        self._black = array("d")
        self.repeated = 0
        self._still = _StillDetector()
        self._blank = _BlankDetector()

    def on_frame(self, frame: Frame) -> None:
        """Compare a frame with the frames before it."""
        step = max(1, frame.width // _POINTS)
        points = frame.luma[: frame.height : step, : frame.width : step].astype(np.int16)
        if np.count_nonzero(points > _BLACK) < _BRIGHT_SHARE * points.size:
            self._black.append(frame.at)
        previous, self._previous = self._previous, points
        if previous is not None and previous.shape == points.shape and np.abs(points - previous).max() < _CODEC_NOISE:
            self.repeated += 1
        self._still.on_points(points, frame.at)
        self._blank.on_points(points, frame.at)

    @property
    def black(self) -> NDArray[np.float64]:
        """The times of the black frames, in seconds."""
        return np.array(self._black)

    @property
    def still(self) -> list[Interval]:
        """The intervals of more than 1 s, in seconds, from the first to the last of several frames that look alike."""
        return self._still.finish()

    @property
    def blank(self) -> list[Interval]:
        """The intervals in seconds, from the first to the last frame, in which a part that had content is blank."""
        return self._blank.intervals


class _StillDetector:
    """Finds runs of frames that look like the first frame of the run."""

    def __init__(self) -> None:
        self._first: NDArray[np.int16] | None = None
        self._start = self._end = 0.0
        self._runs: list[Interval] = []

    def on_points(self, points: NDArray[np.int16], at: float) -> None:
        first = self._first
        if first is not None and first.shape == points.shape:
            moving = np.count_nonzero(np.abs(points - first) > _KEYFRAME_NOISE)
            if moving <= _MOVING_SHARE * points.size:
                self._end = at
                return
        self._runs = self.finish()
        self._first, self._start, self._end = points, at, at

    def finish(self) -> list[Interval]:
        run = (self._start, self._end)
        return [*self._runs, run] if self._end - self._start > _SHORTEST_STILL else self._runs


class _BlankDetector:
    """Finds frames in which a large part has become blank."""

    def __init__(self) -> None:
        self._content: NDArray[np.int32] | None = None
        self._next = -np.inf
        self._was_blank = False
        self.intervals: list[Interval] = []

    def on_points(self, points: NDArray[np.int16], at: float) -> None:
        if at < self._next:
            return
        self._next = at + _SAMPLED_EVERY
        rows, columns = points.shape[0] // _BLOCK, points.shape[1] // _BLOCK
        blocks = points[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
        darkest, brightest = blocks.min(axis=(1, 3)), blocks.max(axis=(1, 3))
        flat = brightest - darkest <= _FLAT
        if self._content is None or self._content.shape != flat.shape:
            self._content = np.zeros(flat.shape, np.int32)
        lost = np.sort(darkest[flat & (self._content >= _CONTENT_SAMPLES)])
        self._content += ~flat
        alike = np.searchsorted(lost, lost + _SAME, side="right") - np.arange(lost.size)
        blank = bool(alike.max(initial=0) >= _BLANK_SHARE * flat.size)
        if blank and self._was_blank:
            self.intervals[-1] = (self.intervals[-1][0], at)
        elif blank:
            self.intervals.append((at, at))
        self._was_blank = blank
