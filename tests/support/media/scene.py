"""Planned scenes: the participants, the format and the faults of a recording that a test writes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recording.timeline import Interval
    from tests.support.media.synthetic_frame import Tile


@dataclass(frozen=True, kw_only=True)
class PlannedParticipant:
    """A synthetic participant; intervals and delays are in seconds.

    ``frame_rate`` is the sender's frame rate in frames per second; ``counter`` is its frame counter when the recording
    begins. ``video_delay`` is the time from the capture to the file. ``audio_delay`` shifts the audio, and
    ``drift_ppm`` stretches it. ``tile`` is the number of the tile in which the video is drawn; None means the
    participant's own tile. An ``unlisted`` participant is missing from the manifest. A participant whose ``marker`` is
    None has no markers, like a real camera. If ``full`` is false, only the strip is drawn over such a video. ``shape``
    is the aspect ratio of the video. ``screen`` is true if the video is a shared screen; the default depends on the
    marker. ``spoil`` changes the planes of the drawn tile at a time in
    seconds, to plant a fault.

    ``joins`` is the time of the join event in the manifest, and ``switches_on`` the time at which the manifest first
    states that video and audio are on; if it is None, there is no such event.
    """

    name: str
    marker: int | None
    frame_rate: int = 30
    counter: int = 0
    hidden: tuple[Interval, ...] = ()
    muted: tuple[Interval, ...] = ()
    frozen: tuple[Interval, ...] = ()
    video_delay: float = 0.0
    audio_delay: float = 0.0
    drift_ppm: float = 0.0
    tile: int | None = None
    unlisted: bool = False
    joins: float | None = None
    switches_on: float | None = 0.0
    shape: tuple[int, int] = (16, 9)
    screen: bool | None = None
    full: bool = True
    spoil: Callable[[Tile, float], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A recording that a test writes: its participants, its format, and faults that affect the whole file.

    ``dropped`` contains the indices of the frames that are not written, and ``repeated`` the indices of the frames that
    repeat the previous frame. ``zero_ms`` is the manifest's ``zero_ms``, and ``captures_ms`` the capture time of the
    first frame.
    """

    participants: tuple[PlannedParticipant, ...]
    width: int = 320
    height: int = 180
    frame_rate: int = 30
    seconds: float = 3.0
    video: bool = True
    audio: bool = True
    black: tuple[Interval, ...] = ()
    silent: tuple[Interval, ...] = ()
    dropped: frozenset[int] = frozenset()
    repeated: frozenset[int] = frozenset()
    container: str = "webm"
    codec: str = "libvpx"
    bitrate: int = 2_500_000
    speed: int = 8
    threads: int = 1
    live: bool = False
    recorder: Literal["local", "all"] = "all"
    zero_ms: float | None = None
    captures_ms: int = 5_000

    @property
    def ticks(self) -> int:
        """The number of frames in the scene if none is dropped."""
        return round(self.seconds * self.frame_rate)


def participants(*names: str) -> tuple[PlannedParticipant, ...]:
    """Return participants with different frame counters, whose markers are numbered from 1."""
    return tuple(
        PlannedParticipant(name=name, marker=number, counter=7 * number) for number, name in enumerate(names, 1)
    )


def with_participant(scene: Scene, name: str, **changes: Any) -> Scene:
    """Return the scene with one participant changed."""
    changed = tuple(replace(one, **changes) if one.name == name else one for one in scene.participants)
    return replace(scene, participants=changed)


def grid_tiles(count: int, width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Return the tiles of a grid for this many participants: x, y, width and height in pixels."""
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    wide, high = width // columns // 2 * 2, height // rows // 2 * 2
    found = []
    for index in range(count):
        row, column = divmod(index, columns)
        in_row = min(columns, count - row * columns)
        found.append(
            ((width - in_row * wide) // 2 + column * wide, (height - rows * high) // 2 + row * high, wide, high)
        )
    return found
