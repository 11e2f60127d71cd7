"""A scene's video: a moving pattern with the participant's marker in every tile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.verification.markers.strip import BRIGHT, DARK, Marker, encode_strip
from tests.support.media.scene import grid_tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.recording.timeline import Interval
    from tests.support.media.scene import PlannedParticipant, Scene


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
        planes = np.full((scene.height * 3 // 2, scene.width), 128, np.uint8)
        luma = planes[: scene.height]
        luma[:] = 16 if _within(scene.black, at) else 40
        if _within(scene.black, at):
            return planes
        for index, one in enumerate(scene.participants):
            if not _within(one.hidden, at):
                x, y, width, height = self._tiles[index if one.tile is None else one.tile]
                wide, high = (width, width * 9 // 16) if width * 9 <= height * 16 else (height * 16 // 9, height)
                left, top = x + (width - wide) // 2, y + (height - high) // 2
                shown = next((start for start, end in one.frozen if start <= at < end), at)
                self._draw_participant(luma[top : top + high, left : left + wide], one, shown)
        return planes

    def _draw_participant(self, tile: NDArray[np.uint8], one: PlannedParticipant, at: float) -> None:
        height, width = tile.shape
        number = math.floor(at * one.frame_rate + 1e-6)
        shift = number * 3 % width
        tile[:] = self._pattern[:height, shift : shift + width]
        if one.marker is None:
            return
        counter = one.counter + math.floor(number * 30 / one.frame_rate + 1e-6)
        bits = encode_strip(Marker(one.marker, counter, 5_000 + round(number * 1000 / one.frame_rate))).reshape(2, 32)
        rows, columns = np.arange(height // 9) * 18 // height, np.arange(width) * 32 // width
        tile[: height // 9] = np.where(bits, BRIGHT, DARK)[rows][:, columns]


def _within(intervals: tuple[Interval, ...], at: float) -> bool:
    return any(start <= at < end for start, end in intervals)
