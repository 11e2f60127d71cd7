"""A scene's video: each tile shows what the synthetic camera paints, or a moving pattern like a real camera."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.verification.markers.backdrop import Ball, backdrop, ball_at
from harness.verification.markers.strip import BRIGHT, DARK, Marker, encode_strip
from tests.support.media.scene import grid_tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.recording.timeline import Interval
    from tests.support.media.scene import PlannedParticipant, Scene

_NAME_LUMA = 215
_GRAY = 128


class Tile(NamedTuple):
    """The Y, U and V planes of one participant's video, as views of the frame's planes."""

    luma: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


class FrameRenderer:
    """Draws a scene's frames."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._tiles = grid_tiles(len(scene.participants), scene.width, scene.height)
        rows, columns = np.indices((scene.height, 2 * scene.width))
        self._pattern = (90 + 40 * np.sin(rows / 17) + 40 * np.sin(columns / 23)).astype(np.uint8)

    def render(self, tick: int) -> NDArray[np.uint8]:
        """Return the frame at a tick as the rows of its three planes."""
        scene = self._scene
        at = (tick - (tick in scene.repeated)) / scene.frame_rate
        planes = np.full(scene.height * scene.width * 3 // 2, _GRAY, np.uint8)
        luma = planes[: scene.height * scene.width].reshape(scene.height, scene.width)
        chroma = planes[scene.height * scene.width :].reshape(2, scene.height // 2, scene.width // 2)
        luma[:] = 16 if within(scene.black, at) else 40
        if within(scene.black, at):
            return planes.reshape(-1, scene.width)
        for index, one in enumerate(scene.participants):
            if not within(one.hidden, at):
                x, y, width, height = self._tiles[index if one.tile is None else one.tile]
                left, top, wide, high = _fitted(x, y, width, height, one.shape)
                half = (slice(top // 2, top // 2 + high // 2), slice(left // 2, left // 2 + wide // 2))
                tile = Tile(luma[top : top + high, left : left + wide], chroma[0][half], chroma[1][half])
                shown = next((start for start, end in one.frozen if start <= at < end), at)
                self._draw_participant(tile, one, shown - one.video_delay)
                if one.spoil is not None:
                    one.spoil(tile, at)
        return planes.reshape(-1, scene.width)

    def _draw_participant(self, tile: Tile, one: PlannedParticipant, at: float) -> None:
        height, width = tile.luma.shape
        number = math.floor(at * one.frame_rate + 1e-6)
        if one.marker is None:
            shift = number * 3 % width
            tile.luma[:] = self._pattern[:height, shift : shift + width]
            return
        counter = one.counter + math.floor(number * 30 / one.frame_rate + 1e-6)
        draw_content(tile, one.marker, counter, screen=one.screen)
        marker = Marker(one.marker, counter, self._scene.captures_ms + round(number * 1000 / one.frame_rate))
        bits = encode_strip(marker).reshape(2, 32)
        rows, columns = np.arange(height // 9) * 18 // height, np.arange(width) * 32 // width
        tile.luma[: height // 9] = np.where(bits, BRIGHT, DARK)[rows][:, columns]


def draw_content(tile: Tile, marker: int, counter: int, *, screen: bool | None = None) -> None:
    """Draw everything below the strip, and a gray area under the strip, as ``synthetic-worker.js`` does."""
    height, width = tile.luma.shape
    for plane, painted in zip(tile, _backdrop_planes(marker, width, height, screen=screen), strict=True):
        plane[:] = painted
    ball = ball_at(marker, counter, width / height, screen=screen)
    inside = _disk(round(ball.height * height))
    top, left = _corner(ball, width, height)
    high, wide = inside.shape
    tile.luma[top : top + high, left : left + wide][inside] = ball.luma
    for plane in (tile.u, tile.v):
        half = inside[::2, ::2]
        plane[top // 2 : top // 2 + half.shape[0], left // 2 : left // 2 + half.shape[1]][half] = _GRAY


def _corner(ball: Ball, width: int, height: int) -> tuple[int, int]:
    top, left = (ball.y - ball.height / 2) * height, (ball.x - ball.width / 2) * width
    return 2 * round(top / 2), 2 * round(left / 2)


@lru_cache(maxsize=64)
def _disk(size: int) -> NDArray[np.bool_]:
    rows, columns = np.indices((size, size)) + 0.5 - size / 2
    return np.asarray(rows**2 + columns**2 <= (size / 2) ** 2)


@lru_cache(maxsize=64)
def _backdrop_planes(marker: int, width: int, height: int, *, screen: bool | None) -> tuple[NDArray[np.uint8], ...]:
    planes = []
    for index, shrunk in enumerate((1, 2, 2)):
        wide, high = width // shrunk, height // shrunk
        x, y = np.meshgrid((np.arange(wide) + 0.5) / wide, (np.arange(high) + 0.5) / high)
        plane = backdrop(marker, x, y, width / height, screen=screen)[index]
        if index:
            plane[: math.ceil(high / 9)] = _GRAY
        else:
            # Draw dashes, because a name also covers only a part of its rows.
            plane[(abs(y - 0.38) < 0.05) & (abs(x - 0.5) < 0.3) & (x * 12 % 1 < 0.5)] = _NAME_LUMA
        planes.append(plane.astype(np.uint8))
    return tuple(planes)


def _fitted(x: int, y: int, width: int, height: int, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the place of a video with this aspect ratio in a tile: left, top, and an even width and height."""
    across, down = shape
    scale = min(width / across, height / down)
    wide, high = min(2 * round(scale * across / 2), width), min(2 * round(scale * down / 2), height)
    return x + (width - wide) // 2, y + (height - high) // 2, wide, high


def within(intervals: tuple[Interval, ...], at: float) -> bool:
    """Return whether a time is in one of the intervals."""
    return any(start <= at < end for start, end in intervals)
