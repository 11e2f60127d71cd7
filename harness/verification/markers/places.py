"""The places in a frame where a synthetic participant's video can appear."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_PARTICIPANTS: Final = 16
# The aspect ratio of synthetic video, as width and height, and those that an application can require instead.
WIDE: Final = (16, 9)
OTHER_SHAPES: Final = ((4, 3), (1, 1), (3, 4), (9, 16))


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a video: its edges as fractions of the whole video's width and height."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE: Final = Area(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Place:
    """The position and size of a participant's whole video in the recorded frame, in pixels.

    Parts of the video can be outside the frame or covered. The video was first mirrored if ``mirrored`` is true, and
    then turned clockwise by ``turn`` quarters of a circle. ``stretch`` is the factor by which the video is too wide for
    its height, before it was turned; it is 1 if the aspect ratio is right.
    """

    x: float
    y: float
    width: float
    height: float
    turn: int = 0
    mirrored: bool = False
    stretch: float = 1.0

    @property
    def aspect(self) -> float:
        """The aspect ratio of the video before it was turned and stretched: its width divided by its height."""
        return (self.height / self.width if self.turn % 2 else self.width / self.height) / self.stretch

    def pixels(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the position in the frame, in pixels, of points in the video, given as fractions of its size."""
        across, down = (1 - x if self.mirrored else x), y
        for _ in range(self.turn % 4):
            across, down = 1 - down, across
        return self.x + across * self.width, self.y + down * self.height

    def indices(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        shape: tuple[int, ...],
        shrunk: tuple[int, int] = (1, 1),
    ) -> NDArray[np.intp]:
        """Return the indices of points in a plane of the frame. Points outside the frame are moved to its edge.

        ``x`` and ``y`` are fractions of the video's size. ``shape`` is the plane's shape, and ``shrunk`` holds the
        factors by which the plane is smaller than the frame, horizontally and vertically.
        """
        across, down = self.pixels(x, y)
        columns = np.clip((across / shrunk[0]).astype(np.intp), 0, shape[1] - 1)
        lines = np.clip((down / shrunk[1]).astype(np.intp), 0, shape[0] - 1)
        return np.asarray(lines * shape[1] + columns)


@dataclass(frozen=True, slots=True)
class PlaceSpan:
    """A place in which one marker was read from ``start`` to ``end``, in seconds.

    ``area`` is the visible part of the video, and ``share`` is its visible share, from 0 to 1: labels and rounded
    corners can cover a part of the visible area. ``main`` is true if the marker is not in a larger place at this time.
    """

    start: float
    end: float
    place: Place
    area: Area = WHOLE
    share: float = 1.0
    main: bool = True

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The visible part in the frame: x, y, width and height in pixels."""
        x, y = self.place.pixels(
            np.array([self.area.left, self.area.right]), np.array([self.area.top, self.area.bottom])
        )
        return float(x.min()), float(y.min()), float(np.ptp(x)), float(np.ptp(y))


def fit_into_tile(x: float, y: float, width: float, height: float, shape: tuple[int, int] = WIDE) -> Place:
    """Return the place of a video that is scaled to fit into a tile, centered, with even width and height.

    ``shape`` is the video's aspect ratio: its width and height in any unit.
    """
    across, down = shape
    scale = min(width / across, height / down)
    wide, high = 2 * round(scale * across / 2), 2 * round(scale * down / 2)
    return Place(x + (width - wide) / 2, y + (height - high) / 2, wide, high)


def grid_places(participants: int, width: int, height: int, shape: tuple[int, int] = WIDE) -> list[Place]:
    """Return the places of the participants' videos in a grid of ``width`` by ``height`` pixels, in order.

    The number of columns is the square root of the number of participants, rounded up. Each tile has an even width and
    height. The grid is centered in the frame, and the last row is centered in the grid.
    """
    columns = math.ceil(math.sqrt(participants))
    rows = math.ceil(participants / columns)
    tile_width, tile_height = width // columns // 2 * 2, height // rows // 2 * 2
    top = (height - rows * tile_height) // 2
    places = []
    for index in range(participants):
        row, column = divmod(index, columns)
        in_row = min(columns, participants - row * columns)
        left = (width - in_row * tile_width) // 2
        tile = (left + column * tile_width, top + row * tile_height, tile_width, tile_height)
        places.append(fit_into_tile(*tile, shape))
    return places


def all_grid_places(width: int, height: int, shape: tuple[int, int] = WIDE) -> tuple[Place, ...]:
    """Return all places, without duplicates, where a grid for 1 to 16 participants can show a video."""
    numbers = range(1, _MOST_PARTICIPANTS + 1)
    return tuple(dict.fromkeys(place for number in numbers for place in grid_places(number, width, height, shape)))
