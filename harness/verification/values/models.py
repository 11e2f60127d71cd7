"""The measured values of a report, in the shape of its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from harness.recording.timeline import Interval, Words
from harness.verification.values.intervals import subtract, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

# Audio is measured in steps of 0.05 s, and a frame lasts up to 0.067 s.
_EDGE: Final = 0.05
# pytest shows about 240 characters of a value in a failed assertion.
_SHOWN: Final = 3


class ReportModel(BaseModel):
    """Base class of frozen values; times are in seconds of the file, unless a name contains ``ms``.

    Numbers are finite, since JSON has no others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Gaps(ReportModel):
    """Time between one frame and the next."""

    p50: float
    """Median in milliseconds."""
    p95: float
    """95th percentile in milliseconds."""
    max: float
    """Longest time in milliseconds."""


class Video(ReportModel):
    """The video of a file."""

    codec: Words
    """Video codec, for example ``vp9``."""
    width: int
    """Width of the first frame in pixels."""
    height: int
    """Height of the first frame in pixels."""
    frames: int
    """Number of frames."""
    frame_rate: float
    """Average frame rate in frames per second."""
    gap_ms: Gaps | None
    """Time between one frame and the next, in milliseconds; None with fewer than two frames."""
    missed: int
    """Number of frames that are missing from an even grid of the file's frame rate."""
    repeated: int
    """Number of frames that look the same as the one before."""
    keyframe_gap: float
    """Longest time from one keyframe to the next or to the end, in seconds."""


class Audio(ReportModel):
    """The audio of a file."""

    codec: Words
    """Audio codec, for example ``opus``."""
    sample_rate: int
    """Sample rate in hertz."""
    channels: int
    """Number of channels."""
    duration: float
    """Duration of the audio in seconds."""
    gaps: int
    """Number of gaps in the audio."""
    loudness: float | None = None
    """Integrated loudness of the file in LUFS (EBU R 128); None for silence."""
    peak_dbfs: float | None = None
    """Level of the loudest sample in dBFS; None for silence."""
    clipped: int = 0
    """Number of samples at full scale."""


class Media(ReportModel):
    """The file itself."""

    container: Words
    """Container format according to the bytes, not to the name: for example ``webm``, ``matroska`` or ``mp4``."""
    duration: float
    """End of the last frame or of the audio, in seconds."""
    seekable: bool
    """Whether the file has Duration and Cues, and a seek to its middle works."""
    size: int
    """Size of the file in bytes."""
    bitrate: int
    """Average bitrate of the file in bits per second."""
    video: Video | None
    """The video track; None if there is none."""
    audio: Audio | None
    """The audio track; None if there is none."""


class Spread(ReportModel):
    """A measure over the whole recording."""

    median: float
    """Median in milliseconds."""
    p95: float
    """95th percentile of the absolute value, in milliseconds."""


class ParticipantVideo(ReportModel):
    """How a participant's video appears in the file."""

    visible: tuple[Interval, ...]
    """When the video is shown: starts and ends in seconds."""
    frames: int
    """Number of frames that show the participant."""
    frame_rate: float
    """Number of different frames per second."""
    repeated_percent: float
    """Share of ``frames`` that were repeated, in percent. An exact conversion from the sender's frame rate to the
    file's frame rate also repeats frames; those do not count."""
    skipped_percent: float
    """Frames of the sender that were skipped, relative to ``frames``, in percent. Those that an exact conversion of
    the frame rate skips do not count."""
    frozen: tuple[Interval, ...]
    """When one frame is shown for longer than 0.2 s: starts and ends in seconds."""


class ParticipantAudio(ReportModel):
    """When a participant's audio is in the file."""

    audible: tuple[Interval, ...]
    """When the audio is in the file: starts and ends in seconds."""
    silent: tuple[Interval, ...]
    """When the audio is not in the file: starts and ends in seconds."""


class ParticipantReport(ReportModel):
    """What the file contains of one synthetic participant."""

    name: Words
    """Name of the participant. Without a manifest that names the marker, it is for example ``marker 5``."""
    present: tuple[Interval, ...]
    """When the participant is visible or audible: starts and ends in seconds."""
    video: ParticipantVideo | None
    """The participant's video; None if the file has no video."""
    audio: ParticipantAudio | None
    """The participant's audio; None if the file has no audio."""
    av_offset_ms: Spread | None
    """Audio minus video in milliseconds, positive when the audio is late; None if it could not be measured."""
    drift_ppm: float | None
    """How fast the A/V offset grows, in ppm (microseconds per second); None if it was measured for less than a
    minute."""
    delay_ms: Spread | None
    """Time from the capture of a frame to its time in the file, in milliseconds; None if it could not be measured."""

    def is_audible(self, start: float, end: float) -> bool:
        """Return whether the audio is in the file all the time from ``start`` to ``end``.

        Args:
            start: Start in seconds; 0.05 s at both ends are tolerated.
            end: End in seconds.
        """
        return self.audio is not None and _covers(self.audio.audible, start, end)

    def is_visible(self, start: float, end: float) -> bool:
        """Return whether the video is in the file all the time from ``start`` to ``end``.

        Args:
            start: Start in seconds; 0.05 s at both ends are tolerated.
            end: End in seconds.
        """
        return self.video is not None and _covers(self.video.visible, start, end)

    def __repr__(self) -> str:
        """Return what a failed assertion should show, in one line."""
        parts = [f"present {_during(self.present)}"]
        if self.audio:
            parts.append(f"audible {_during(self.audio.audible)}")
        if self.video:
            parts.append(f"{self.video.repeated_percent:g} % repeated, {self.video.skipped_percent:g} % skipped")
            parts += [f"frozen {_during(self.video.frozen)}"] if self.video.frozen else []
        if self.av_offset_ms:
            parts.append(f"A/V {self.av_offset_ms.median:+.0f} ms (p95 {self.av_offset_ms.p95:.0f})")
        return f"<{self.name}: {', '.join(parts)}>"


def _covers(intervals: Sequence[Interval], start: float, end: float) -> bool:
    """Return whether the intervals contain everything from ``start`` to ``end``, except for their measured edges."""
    return not subtract([(start, end)], widened(intervals, _EDGE))


def _during(intervals: Sequence[Interval]) -> str:
    """Return the first few intervals in words."""
    shown = " and ".join(f"{start:.2f}-{end:.2f}" for start, end in intervals[:_SHOWN])
    more = f" and {len(intervals) - _SHOWN} more" if len(intervals) > _SHOWN else ""
    return f"{shown} s{more}" if shown else "never"
