"""The synthetic camera's video below the strip: a backdrop whose colors depend on the marker, and a moving ball.

``web/src/media/synthetic-worker.js`` paints what this module describes. Coordinates are fractions of the video's width
and height. Colors are BT.601 in limited range: luma from 16 to 235, and chroma with 128 for gray.
"""

from __future__ import annotations

import math
from colorsys import hls_to_rgb
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import SCREEN_MARKER
from harness.verification.markers.strip import COUNTER_PERIOD, COUNTS_PER_SECOND

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRAY: Final = 128
# The top and bottom of the area that contains the participant's name.
NAME_ROWS: Final = (0.27, 0.5)
_BALL_HEIGHT: Final = 1 / 9
_BALL_LUMA: Final = 170
# A shared screen is bright, so its ball is dark.
_SCREEN_BALL_LUMA: Final = 90
_FLASH_LUMA: Final = 235
# The ball flashes for this many counts after each chirp of the audio marker begins.
_FLASH_COUNTS: Final = 4
# The ball swings from left to right and back in 90 counts, and bounces every 30 counts. With a shift of 61 counts per
# marker, the balls of markers with similar colors are at least 14 counts apart, as long as the markers differ by less
# than 32.
SWING_COUNTS: Final = 3 * COUNTS_PER_SECOND
_BOUNCE_COUNTS: Final = COUNTS_PER_SECOND
# The bounces are shifted against the swing by this many counts. Otherwise, the ball would return on the same path, and
# a frozen ball would be in the right place again after a moment.
_BOUNCE_SHIFT: Final = 7
_PHASE_COUNTS: Final = 61
_WINDOW: Final = (0.06, 0.17, 0.94, 0.92)
_LINES: Final = 6
_LINES_LEFT: Final = 0.1
_TO_YUV: Final = np.array([[66, 129, 25], [-38, -74, 112], [112, -94, -18]]) / 256
_BLACK_YUV: Final = np.array([16.5, 128.5, 128.5])


@dataclass(frozen=True, slots=True)
class Ball:
    """The ball's center and size, as fractions of the video's width and height, and its luma."""

    x: float
    y: float
    width: float
    height: float
    luma: int


def ball_at(marker: int, counter: int, aspect: float, *, screen: bool | None = None) -> Ball:
    """Return the ball in the frame with this counter.

    ``aspect`` is the video's width divided by its height. ``screen`` is true for a shared screen; the default depends
    on the marker.
    """
    count = counter % COUNTER_PERIOD
    phase = count + _PHASE_COUNTS * marker
    width = _BALL_HEIGHT / aspect
    swing = 0.5 - 0.5 * math.cos(2 * math.pi * phase / SWING_COUNTS)
    bounce = abs(math.sin(math.pi * (phase + _BOUNCE_SHIFT) / _BOUNCE_COUNTS))
    luma = _SCREEN_BALL_LUMA if is_screen(marker, screen=screen) else _BALL_LUMA
    return Ball(
        x=0.08 + swing * (0.84 - width) + width / 2,
        y=0.72 - bounce * 0.12 + _BALL_HEIGHT / 2,
        width=width,
        height=_BALL_HEIGHT,
        luma=_FLASH_LUMA if count % COUNTS_PER_SECOND < _FLASH_COUNTS else luma,
    )


def is_screen(marker: int, *, screen: bool | None) -> bool:
    """Return whether a video is a shared screen. In our own rooms, a screen has its participant's marker."""
    return marker >= SCREEN_MARKER if screen is None else screen


def backdrop(
    marker: int, x: NDArray[np.float64], y: NDArray[np.float64], aspect: float, *, screen: bool | None = None
) -> NDArray[np.float64]:
    """Return Y, U and V at the given points, without the name and the ball; the first axis has length 3.

    ``screen`` is true for a shared screen; the default depends on the marker.
    """
    hue = (205 + marker * 137.5) % 360
    rgb = _desktop(hue, x, y) if is_screen(marker, screen=screen) else _gradient(hue, x, y, aspect)
    yuv = np.tensordot(_TO_YUV, np.moveaxis(rgb, -1, 0), 1)
    return np.asarray(yuv + _BLACK_YUV.reshape(3, *[1] * x.ndim))


def _gradient(hue: float, x: NDArray[np.float64], y: NDArray[np.float64], aspect: float) -> NDArray[np.float64]:
    """Return the camera's backdrop, whose two colors have hues that are 100 degrees apart."""
    share = ((x * aspect**2 + y) / (aspect**2 + 1))[..., None]
    return (1 - share) * _rgb(hue, 45, 34) + share * _rgb(hue + 100, 50, 18)


def _desktop(hue: float, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a shared screen: a window with lines of text."""
    rgb = np.broadcast_to(_rgb(hue, 35, 78), (*x.shape, 3)).copy()
    left, top, right, bottom = _WINDOW
    rgb[(x >= left) & (x < right) & (y >= top) & (y < bottom)] = _rgb(0, 0, 97)
    for line in range(_LINES):
        end, start = _LINES_LEFT + 0.5 + 0.3 * abs(math.sin(line * 2.4)), 0.53 + line * 0.06
        rgb[(x >= _LINES_LEFT) & (x < end) & (y >= start) & (y < start + 0.02)] = _rgb(hue, 20, 82)
    return rgb


def _rgb(hue: float, saturation: float, lightness: float) -> NDArray[np.float64]:
    """Return the red, green and blue values, from 0 to 255, of the CSS color ``hsl(hue saturation% lightness%)``."""
    return np.array(hls_to_rgb(hue % 360 / 360, lightness / 100, saturation / 100)) * 255
