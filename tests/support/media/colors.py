"""Read colors from the frames of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from pathlib import Path


def color_at(path: Path, seconds: float, x: int, y: int) -> tuple[int, int, int]:
    """Return the red, green and blue values (0 to 255) of pixel (x, y) in the frame shown at the given time."""
    with av.open(str(path)) as container:
        image = None
        for frame in container.decode(video=0):
            if image is not None and frame.time is not None and frame.time > seconds:
                break
            image = frame
        assert image is not None
        red, green, blue = image.to_ndarray(format="rgb24")[y, x]
    return int(red), int(green), int(blue)
