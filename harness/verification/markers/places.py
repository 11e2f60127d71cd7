"""The places in a frame where a synthetic participant's video can appear."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_MOST_PARTICIPANTS: Final = 16


@dataclass(frozen=True, slots=True)
class Place:
    """The position and size of a participant's 16:9 video in the recorded frame, in pixels."""

    x: float
    y: float
    width: float
    height: float


def fit_into_tile(x: float, y: float, width: float, height: float) -> Place:
    """Return the place of a 16:9 video that is scaled to fit into a tile, centered, with even width and height."""
    scale = min(width / 16, height / 9)
    wide, high = 2 * round(scale * 8), 2 * round(scale * 4.5)
    return Place(x + (width - wide) / 2, y + (height - high) / 2, wide, high)


def grid_places(participants: int, width: int, height: int) -> list[Place]:
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
        places.append(fit_into_tile(left + column * tile_width, top + row * tile_height, tile_width, tile_height))
    return places


def all_grid_places(width: int, height: int) -> tuple[Place, ...]:
    """Return all places, without duplicates, where a grid for 1 to 16 participants can show a video."""
    numbers = range(1, _MOST_PARTICIPANTS + 1)
    return tuple(dict.fromkeys(place for number in numbers for place in grid_places(number, width, height)))
