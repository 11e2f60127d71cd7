"""Faults in the video below a strip, for ``PlannedParticipant.spoil``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from harness.verification.markers.strip import Marker
from harness.verification.markers.symbol import symbol_square
from tests.support.media.synthetic_frame import Tile, draw_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recording.timeline import Interval

Area = Literal["all", "below strip", "upper", "lower", "lowest", "left", "right", "symbol"]
# The left, top, right and bottom of each area, as fractions of the video's width and height. No area except the whole
# video contains the strip.
_AREAS: Final[dict[Area, tuple[float, float, float, float]]] = {
    "all": (0, 0, 1, 1),
    "below strip": (0, 0.15, 1, 1),
    "upper": (0, 0.12, 1, 0.5),
    "lower": (0, 0.5, 1, 1),
    "lowest": (0, 0.6, 1, 1),
    "left": (0, 0.12, 0.5, 1),
    "right": (0.5, 0.12, 1, 1),
}


def during(at: Interval, spoil: Callable[[Tile], None], area: Area) -> Callable[[Tile, float], None]:
    """Return a fault that affects an area of the frames of an interval in seconds."""

    def apply(tile: Tile, time: float) -> None:
        if at[0] <= time < at[1]:
            spoil(part_of(tile, area))

    return apply


def part_of(tile: Tile, area: Area) -> Tile:
    """Return an area of a tile as views of its planes."""
    height, width = tile.luma.shape
    left, top, right, bottom = _AREAS[area] if area != "symbol" else _symbol_area(width / height)
    columns = [round(edge * width / 2) for edge in (left, right)]
    lines = [round(edge * height / 2) for edge in (top, bottom)]
    return Tile(
        *(
            plane[scale * lines[0] : scale * lines[1], scale * columns[0] : scale * columns[1]]
            for plane, scale in zip(tile, (2, 1, 1), strict=True)
        )
    )


def _symbol_area(aspect: float) -> tuple[float, float, float, float]:
    square = symbol_square(aspect)
    return square.x, square.y, square.x + square.width, square.y + square.height


def black(part: Tile) -> None:
    """Make a part black."""
    for plane, value in zip(part, (16, 128, 128), strict=True):
        plane[:] = value


def missing(part: Tile) -> None:
    """Replace a part with the gray of a decoder that lost data."""
    for plane in part:
        plane[:] = 128


def green(part: Tile) -> None:
    """Set all planes of a part to zero, which looks green."""
    for plane in part:
        plane[:] = 0


def noise(part: Tile) -> None:
    """Fill a part with noise."""
    random = np.random.default_rng(int(part.luma[:, ::7].sum()))
    for plane in part:
        plane[:] = random.integers(0, 256, plane.shape)


def gray(part: Tile) -> None:
    """Remove the colors."""
    part.u[:] = part.v[:] = 128


def swapped(part: Tile) -> None:
    """Swap the two chroma planes."""
    part.u[:], part.v[:] = part.v.copy(), part.u.copy()


def tinted(part: Tile) -> None:
    """Shift all colors."""
    part.u[:], part.v[:] = 60, 200


def inverted(part: Tile) -> None:
    """Replace all colors with their complements."""
    part.u[:], part.v[:] = 255 - part.u, 255 - part.v


def frozen(at: Interval, area: Area) -> Callable[[Tile, float], None]:
    """Return a fault that freezes an area of the video during an interval in seconds."""
    still: list[Tile] = []

    def apply(tile: Tile, time: float) -> None:
        if time < at[0]:
            still.clear()
        elif time < at[1]:
            part = part_of(tile, area)
            if not still:
                still.append(Tile(*(plane.copy() for plane in part)))
            for plane, kept in zip(part, still[0], strict=True):
                plane[:] = kept

    return apply


def someone_else(at: Interval, marker: int, area: Area) -> Callable[[Tile, float], None]:
    """Return a fault that shows another participant's moving video in an area during an interval in seconds."""

    def apply(tile: Tile, time: float) -> None:
        if at[0] <= time < at[1]:
            other = Tile(*(np.empty_like(plane) for plane in tile))
            draw_frame(other, Marker(marker, round(time * 30) + 11, 5_000 + round(time * 1000)))
            for plane, shown in zip(part_of(tile, area), part_of(other, area), strict=True):
                plane[:] = shown

    return apply
