"""Enlarge the luma of frames, so that small symbols can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def enlarged(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame at twice its width and height, with cubic interpolation. ``luma`` has no padding."""
    height, width = luma.shape
    frame = av.VideoFrame.from_ndarray(luma, format="gray")
    wide = frame.reformat(2 * width, 2 * height, interpolation="BICUBIC")
    return np.ascontiguousarray(wide.to_ndarray(), dtype=np.uint8)
