"""Everything that the detectors found in one file, from which all measurements are computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.recording.timeline import VOICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.markers.tracks import MarkerTrack


@dataclass(frozen=True, kw_only=True)
class Observations:
    """Everything that the detectors found in one file.

    ``audio`` is None if the file has no audio. ``rate`` is the file's frame rate in frames per second, or None if the
    file has no frames. ``zero_ms`` is the room's time at the start of the file, if the manifest states it. ``pauses``
    holds (time in the file, duration), both in seconds, for each pause of the recording. A frame is visible until the
    next frame, for at most ``longest_frame`` seconds, which is infinite if the frame rate varies. Players turn the
    frames counterclockwise by ``rotation`` degrees, and make them wider by the factor ``pixel_aspect`` first.
    ``sizes`` holds (time in seconds, width, height) of the first frame, and of each frame with another size than the
    one before; it is empty if the sizes are unknown.

    If several files of a call were joined, ``by_marker`` and ``by_voice`` hold what was found about one participant in
    the files with this participant. ``one_clock`` is false if this participant's audio and video are in files without a
    common clock.
    """

    marker_tracks: dict[int, MarkerTrack]
    audio: AudioAnalysis | None
    rate: float | None
    duration: float
    longest_frame: float = 0.0
    zero_ms: float | None = None
    pauses: Sequence[tuple[float, float]] = ()
    rotation: int = 0
    pixel_aspect: float = 1.0
    sizes: Sequence[tuple[float, int, int]] = ()
    by_marker: Mapping[int, Observations] = field(default_factory=dict)
    by_voice: Mapping[int, Observations] = field(default_factory=dict)
    one_clock: bool = True

    def frame_size(self, at: float) -> tuple[int, int] | None:
        """Return the width and height of the frames at a time in the file, in pixels, or None if they are unknown."""
        size = None
        for start, width, height in self.sizes:
            if size is None or start <= at:
                size = width, height
        return size

    def of(self, marker: int) -> Observations:
        """Return what was found about the participant with a marker."""
        return self.by_marker.get(marker) or self.of_voice(marker % VOICES)

    def of_voice(self, voice: int) -> Observations:
        """Return what was found about a participant who is only audible."""
        return self.by_voice.get(voice, self)
