"""Faults in the video below a strip, for ``PlannedParticipant.spoil``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.support.media.frames import Tile, draw_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recording.timeline import Interval


def during(at: Interval, spoil: Callable[[Tile], None]) -> Callable[[Tile, float], None]:
    """Return a fault that affects the frames of an interval in seconds."""

    def apply(tile: Tile, time: float) -> None:
        if at[0] <= time < at[1]:
            spoil(tile)

    return apply


def lower(tile: Tile, share: float = 0.5) -> Tile:
    """Return the lower part of a tile; ``share`` is its share of the height."""
    return Tile(*(plane[round(plane.shape[0] * (1 - share)) :] for plane in tile))


def black(tile: Tile) -> None:
    """Make the lower half black."""
    for plane, value in zip(lower(tile), (16, 128, 128), strict=True):
        plane[:] = value


def missing(tile: Tile) -> None:
    """Replace the lower half with the gray of a decoder that lost data."""
    for plane in lower(tile):
        plane[:] = 128


def green(tile: Tile) -> None:
    """Set all planes of the lower half to zero, which looks green."""
    for plane in lower(tile):
        plane[:] = 0


def noise(tile: Tile) -> None:
    """Fill the lower half with noise."""
    random = np.random.default_rng(int(tile.luma[:, ::7].sum()))
    for plane in lower(tile):
        plane[:] = random.integers(0, 256, plane.shape)


def gray(tile: Tile) -> None:
    """Remove the colors."""
    tile.u[:] = tile.v[:] = 128


def swapped(tile: Tile) -> None:
    """Swap the two chroma planes."""
    tile.u[:], tile.v[:] = tile.v.copy(), tile.u.copy()


def tinted(tile: Tile) -> None:
    """Shift all colors."""
    tile.u[:], tile.v[:] = 60, 200


def inverted(tile: Tile) -> None:
    """Replace all colors with their complements."""
    tile.u[:], tile.v[:] = 255 - tile.u, 255 - tile.v


def frozen(at: Interval, share: float = 0.8) -> Callable[[Tile, float], None]:
    """Return a fault that freezes the lower part of the video during an interval in seconds."""
    still: list[Tile] = []

    def apply(tile: Tile, time: float) -> None:
        if at[0] <= time < at[1]:
            part = lower(tile, share)
            if not still:
                still.append(Tile(*(plane.copy() for plane in part)))
            for plane, kept in zip(part, still[0], strict=True):
                plane[:] = kept

    return apply


def someone_else(at: Interval, marker: int) -> Callable[[Tile, float], None]:
    """Return a fault that shows another participant's moving video below the strip during an interval in seconds."""

    def apply(tile: Tile, time: float) -> None:
        if at[0] <= time < at[1]:
            other = Tile(*(np.empty_like(plane) for plane in tile))
            draw_content(other, marker, round(time * 30) + 11)
            for plane, shown in zip(lower(tile, 0.85), lower(other, 0.85), strict=True):
                plane[:] = shown

    return apply
