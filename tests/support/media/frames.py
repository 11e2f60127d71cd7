"""A scene's video: each tile shows what the synthetic camera paints, or a moving pattern like a real camera."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.verification.markers.strip import Marker
from tests.support.media.scene import grid_tiles
from tests.support.media.synthetic_frame import Tile, draw_frame, draw_strip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.recording.timeline import Interval
    from tests.support.media.scene import PlannedParticipant, Scene

_GRAY = 128


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
        if one.marker is None or not one.full:
            shift = number * 3 % width
            tile.luma[:] = self._pattern[:height, shift : shift + width]
        if one.marker is None:
            return
        counter = one.counter + math.floor(number * 30 / one.frame_rate + 1e-6)
        captured = self._scene.captures_ms + round(number * 1000 / one.frame_rate)
        marker = Marker(one.marker, counter, captured, one.full)
        if one.full:
            draw_frame(tile, marker, screen=one.screen)
        else:
            draw_strip(tile, marker)


def _fitted(x: int, y: int, width: int, height: int, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the place of a video with this aspect ratio in a tile: left, top, and an even width and height."""
    across, down = shape
    scale = min(width / across, height / down)
    wide, high = min(2 * round(scale * across / 2), width), min(2 * round(scale * down / 2), height)
    return x + (width - wide) // 2, y + (height - high) // 2, wide, high


def within(intervals: tuple[Interval, ...], at: float) -> bool:
    """Return whether a time is in one of the intervals."""
    return any(start <= at < end for start, end in intervals)
