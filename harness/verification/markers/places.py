"""The places in a frame at which a synthetic participant's video can be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_MOST_PEOPLE: Final = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a synthetic picture stands in the recorded one, in pixels."""

    x: float
    y: float
    width: float
    height: float


def fitted(x: float, y: float, width: float, height: float) -> Place:
    """Return where a 16:9 picture stands that is scaled to fit into a tile: contained, centred, in even pixels."""
    scale = min(width / 16, height / 9)
    wide, high = 2 * round(scale * 8), 2 * round(scale * 4.5)
    return Place(x + (width - wide) / 2, y + (height - high) / 2, wide, high)


def grid(people: int, width: int, height: int) -> list[Place]:
    """Return where ``people`` synthetic pictures stand in a grid of ``width`` by ``height`` pixels, in order.

    Columns are the square root of the number, rounded up; tiles are even; the last row and the block are centred.
    """
    columns = math.ceil(math.sqrt(people))
    rows = math.ceil(people / columns)
    tile_width, tile_height = width // columns // 2 * 2, height // rows // 2 * 2
    top = (height - rows * tile_height) // 2
    places = []
    for index in range(people):
        row, column = divmod(index, columns)
        in_row = min(columns, people - row * columns)
        left = (width - in_row * tile_width) // 2
        places.append(fitted(left + column * tile_width, top + row * tile_height, tile_width, tile_height))
    return places


def every_grid(width: int, height: int) -> tuple[Place, ...]:
    """Return each place that a picture has in the grids of 1 to 16 people, once."""
    places = (place for people in range(1, _MOST_PEOPLE + 1) for place in grid(people, width, height))
    return tuple(dict.fromkeys(places))
