"""The synthetic camera's video below the strip: a backdrop with a card for the symbol, the name, and a moving face.

The marker determines the backdrop's colors. ``web/src/media/synthetic-worker.js`` and
``web/src/media/frame-painter.js`` paint what this module describes. Coordinates are fractions of the video's width
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
from harness.verification.markers.symbol import MODULES, QUIET, Square, symbol_square

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

GRAY: Final = 128
# The top and bottom of the area that contains the participant's name.
NAME_ROWS: Final = (0.565, 0.675)
# The symbol's card is larger than the symbol with its quiet zone by this share of the video's height on each side, and
# has round corners. The outer edge is the edge of the card's border.
_CARD_MARGIN: Final = 0.008
_BORDER_MARGIN: Final = 0.0125
_FACE_HEIGHT: Final = 1 / 9
_FACE_LEFT: Final = 0.08
_FACE_WIDTH: Final = 0.84
_FACE_TOP: Final = 0.75
_FACE_BOUNCE: Final = 0.07
# Y, U and V of a face on the camera's dark backdrop, and of a face on a bright shared screen.
_CAMERA_FACE: Final = (194, 68, 158)
_SCREEN_FACE: Final = (140, 59, 183)
_FLASH_LUMA: Final = 235
# The face is bright, and its mouth is open, for this many counts after each chirp of the audio marker begins.
_FLASH_COUNTS: Final = 4
# Positions in a face that show neither its eyes nor its mouth, as shares of its size, from its center.
FACE_POINTS: Final = ((0, -0.34), (-0.24, -0.28), (0.24, -0.28), (0, -0.04), (-0.36, 0.06), (0.36, 0.06))
# The face swings from left to right and back in 90 counts, and bounces every 30 counts. With a shift of 61 counts per
# marker, the faces of markers with similar colors are at least 14 counts apart, as long as the markers differ by less
# than 32.
SWING_COUNTS: Final = 3 * COUNTS_PER_SECOND
_BOUNCE_COUNTS: Final = COUNTS_PER_SECOND
# The bounces are shifted against the swing by this many counts. Otherwise, the face would return on the same path, and
# a frozen face would be in the right place again after a moment.
_BOUNCE_SHIFT: Final = 7
_PHASE_COUNTS: Final = 61
_WINDOW: Final = (0.06, 0.128, 0.94, 0.92)
_LINES_LEFT: Final = 0.1
_LINES_RIGHT: Final = 0.9
# The lines of text next to the symbol end this far from it, and are left out if they would be shorter than the second
# number.
_LINES_GAP: Final = 0.04
_SHORTEST_LINE: Final = 0.08
_TO_YUV: Final = np.array([[66, 129, 25], [-38, -74, 112], [112, -94, -18]]) / 256
_BLACK_YUV: Final = np.array([16.5, 128.5, 128.5])
# This gray has the luma of the symbol's white modules.
_CARD_RGB: Final = np.array([243.0, 243.0, 243.0])


@dataclass(frozen=True, slots=True)
class Face:
    """The face's center and size, as fractions of the video's width and height, and its Y, U and V."""

    x: float
    y: float
    width: float
    height: float
    yuv: tuple[int, int, int]
    flashes: bool


def face_at(marker: int, counter: int, aspect: float, *, screen: bool | None = None) -> Face:
    """Return the face in the frame with this counter.

    ``aspect`` is the video's width divided by its height. ``screen`` is true for a shared screen; the default depends
    on the marker.
    """
    count = counter % COUNTER_PERIOD
    phase = count + _PHASE_COUNTS * marker
    width = _FACE_HEIGHT / aspect
    swing = 0.5 - 0.5 * math.cos(2 * math.pi * phase / SWING_COUNTS)
    bounce = abs(math.sin(math.pi * (phase + _BOUNCE_SHIFT) / _BOUNCE_COUNTS))
    luma, u, v = _SCREEN_FACE if is_screen(marker, screen=screen) else _CAMERA_FACE
    flashes = count % COUNTS_PER_SECOND < _FLASH_COUNTS
    return Face(
        x=_FACE_LEFT + swing * (_FACE_WIDTH - width) + width / 2,
        y=_FACE_TOP - bounce * _FACE_BOUNCE + _FACE_HEIGHT / 2,
        width=width,
        height=_FACE_HEIGHT,
        yuv=(_FLASH_LUMA if flashes else luma, u, v),
        flashes=flashes,
    )


def card(aspect: float, margin: float = _BORDER_MARGIN) -> Square:
    """Return the card on which the symbol is drawn, including its border.

    ``margin`` is the distance between the symbol's quiet zone and the card's edge, as a share of the video's height.
    """
    symbol = symbol_square(aspect)
    down = symbol.height * QUIET / MODULES + margin
    across = symbol.width * QUIET / MODULES + margin / aspect
    return Square(symbol.x - across, symbol.y - down, symbol.width + 2 * across, symbol.height + 2 * down)


def is_screen(marker: int, *, screen: bool | None) -> bool:
    """Return whether a video is a shared screen. In our own rooms, a screen has its participant's marker."""
    return marker >= SCREEN_MARKER if screen is None else screen


def backdrop(
    marker: int, x: NDArray[np.float64], y: NDArray[np.float64], aspect: float, *, screen: bool | None = None
) -> NDArray[np.float64]:
    """Return Y, U and V at the given points, without the symbol, the name and the face; the first axis has length 3.

    ``screen`` is true for a shared screen; the default depends on the marker.
    """
    hue = (205 + marker * 137.5) % 360
    shared = is_screen(marker, screen=screen)
    rgb = _desktop(hue, x, y, aspect) if shared else _gradient(hue, x, y, aspect)
    rgb[_inside(card(aspect), x, y)] = _line_color(hue) if shared else _CARD_RGB
    rgb[_inside(card(aspect, _CARD_MARGIN), x, y)] = _CARD_RGB
    yuv = np.tensordot(_TO_YUV, np.moveaxis(rgb, -1, 0), 1)
    return np.asarray(yuv + _BLACK_YUV.reshape(3, *[1] * x.ndim))


def _gradient(hue: float, x: NDArray[np.float64], y: NDArray[np.float64], aspect: float) -> NDArray[np.float64]:
    """Return the camera's backdrop, whose two colors have hues that are 100 degrees apart."""
    share = ((x * aspect**2 + y) / (aspect**2 + 1))[..., None]
    return (1 - share) * _rgb(hue, 45, 34) + share * _rgb(hue + 100, 50, 18)


def _desktop(hue: float, x: NDArray[np.float64], y: NDArray[np.float64], aspect: float) -> NDArray[np.float64]:
    """Return a shared screen: a window with lines of text."""
    rgb = np.broadcast_to(_rgb(hue, 35, 78), (*x.shape, 3)).copy()
    left, top, right, bottom = _WINDOW
    rgb[_inside(Square(left, top, right - left, bottom - top), x, y)] = _rgb(0, 0, 97)
    for line in _lines(aspect):
        rgb[_inside(line, x, y)] = _line_color(hue)
    return rgb


def _lines(aspect: float) -> Iterator[Square]:
    """Yield the lines of text on both sides of the symbol, and below the name."""
    symbol = symbol_square(aspect)
    room = symbol.x - symbol.width * QUIET / MODULES - _LINES_GAP - _LINES_LEFT
    for line in range(6) if room >= _SHORTEST_LINE else ():
        width, top = room * (1 - 0.4 * abs(math.sin(line * 2.4))), 0.2 + line * 0.06
        yield Square(_LINES_LEFT, top, width, 0.02)
        yield Square(_LINES_RIGHT - room, top, width, 0.02)
    for line in range(3):
        yield Square(_LINES_LEFT, 0.7 + line * 0.06, 0.5 + 0.3 * abs(math.sin(line * 2.4)), 0.02)


def _inside(area: Square, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of the points are in a rectangle."""
    return np.asarray((x >= area.x) & (x < area.x + area.width) & (y >= area.y) & (y < area.y + area.height))


def _line_color(hue: float) -> NDArray[np.float64]:
    return _rgb(hue, 20, 82)


def _rgb(hue: float, saturation: float, lightness: float) -> NDArray[np.float64]:
    """Return the red, green and blue values, from 0 to 255, of the CSS color ``hsl(hue saturation% lightness%)``."""
    return np.array(hls_to_rgb(hue % 360 / 360, lightness / 100, saturation / 100)) * 255
