"""Everything that the detectors found in one file, from which all measurements are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.markers.tracks import MarkerTrack


@dataclass(frozen=True, kw_only=True)
class Observations:
    """Everything that the detectors found in one file.

    ``audio`` is None if the file has no audio. ``rate`` is the file's frame rate in frames per second, or None if the
    file has no frames. ``zero_ms`` is the room's time at the start of the file, if the manifest states it. ``pauses``
    holds (time in the file, duration), both in seconds, for each pause of the recording. Players turn the frames
    counterclockwise by ``rotation`` degrees, and make them wider by the factor ``pixel_aspect`` first.
    ``frame_size`` is the width and height of the first frame in pixels.
    """

    marker_tracks: dict[int, MarkerTrack]
    audio: AudioAnalysis | None
    rate: float | None
    duration: float
    zero_ms: float | None = None
    pauses: Sequence[tuple[float, float]] = ()
    rotation: int = 0
    pixel_aspect: float = 1.0
    frame_size: tuple[int, int] | None = None
