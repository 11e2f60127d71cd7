"""Everything that is known about a file when the checks start: measurements, manifest and request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.verification.values.intervals import merged, widened

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.recording.manifest import Manifest
    from harness.recording.timeline import Interval
    from harness.verification.measures.participants import MeasuredParticipant
    from harness.verification.probe.probe import Streams
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.models import Media


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The input for all checks.

    ``expected_duration`` (seconds), ``expect_complete`` and ``expectations`` come from the caller. ``manifest_error``
    is the reason why the manifest next to the file can't be used. ``sha256`` is only computed if a manifest states the
    expected value. The video is completely black during ``black``, the mixed audio is silent during ``silent``, and
    frames are missing during ``video_gaps``.
    """

    path: Path
    manifest: Manifest | None
    manifest_error: str | None
    expected_duration: float | None
    expect_complete: bool
    expectations: tuple[Expectation, ...]
    sha256: str | None
    streams: Streams
    media: Media
    participants: tuple[MeasuredParticipant, ...]
    black: tuple[Interval, ...]
    silent: tuple[Interval, ...]
    video_gaps: tuple[Interval, ...]
    rate: float | None

    @property
    def converted(self) -> bool:
        """Whether the file was converted from the recording that its manifest describes, so that its bytes differ."""
        return self.manifest is not None and self.manifest.recording.path.suffix != self.path.suffix

    @property
    def video_missing(self) -> list[Interval]:
        """Intervals with completely black or missing video, which checks of individual participants ignore."""
        return _widened((*self.black, *self.video_gaps))

    @property
    def audio_missing(self) -> list[Interval]:
        """Intervals with completely silent or missing audio, which checks of individual participants ignore."""
        return _widened((*self.silent, *(self.streams.audio.gaps if self.streams.audio else ())))

    @property
    def visible_participants(self) -> list[MeasuredParticipant]:
        """The participants who are visible in the file."""
        return [one for one in self.participants if one.visible]


def _widened(intervals: Iterable[Interval]) -> list[Interval]:
    # Markers at the edges of an interval may be damaged, so extend each interval.
    return widened(merged(intervals), 0.1)
