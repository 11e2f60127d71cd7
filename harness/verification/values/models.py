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
    """Base class of frozen values; times are in seconds of the file, unless a name says milliseconds.

    Numbers are finite, since JSON has no others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Gaps(ReportModel):
    """Milliseconds between one frame and the next: median, 95th percentile, longest."""

    p50: float
    p95: float
    max: float


class Video(ReportModel):
    """The video of a file.

    ``frame_rate`` is in frames per second. ``missed`` counts the frames that are missing from the grid of that rate,
    and ``repeated`` those that look the same as the one before. ``keyframe_gap`` is the longest time from one keyframe
    to the next or to the end, in seconds.
    """

    codec: Words
    width: int
    height: int
    frames: int
    frame_rate: float
    gap_ms: Gaps | None
    missed: int
    repeated: int
    keyframe_gap: float


class Audio(ReportModel):
    """The audio of a file.

    ``sample_rate`` is in hertz, ``gaps`` the number of gaps. ``loudness`` is integrated over the file, in LUFS (EBU
    R 128), and None for silence; ``peak_dbfs`` is the loudest sample, ``clipped`` the number of samples at full scale.
    """

    codec: Words
    sample_rate: int
    channels: int
    duration: float
    gaps: int
    loudness: float | None = None
    peak_dbfs: float | None = None
    clipped: int = 0


class Media(ReportModel):
    """The file itself: ``size`` in bytes, ``bitrate`` in bits per second.

    ``container`` is determined from the bytes (``webm``, ``matroska``, ``mp4``), not from the file's name.
    ``seekable`` is true if Duration and Cues exist and a seek to the middle works.
    """

    container: Words
    duration: float
    seekable: bool
    size: int
    bitrate: int
    video: Video | None
    audio: Audio | None


class Spread(ReportModel):
    """A measure in milliseconds: its median, and the 95th percentile of its absolute value."""

    median: float
    p95: float


class ParticipantVideo(ReportModel):
    """How a participant's video appears in the file.

    ``visible`` is when it is shown, in seconds. ``frames`` counts the frames that show it, and ``frame_rate`` is in
    different frames per second. ``repeated_percent`` and ``skipped_percent`` count the frames that an exact conversion
    from the sender's rate to the file's would not have repeated or skipped, relative to ``frames``.
    """

    visible: tuple[Interval, ...]
    frames: int
    frame_rate: float
    repeated_percent: float
    skipped_percent: float
    frozen: tuple[Interval, ...]


class ParticipantAudio(ReportModel):
    """When a participant's audio is in the file, and when it is not, in seconds."""

    audible: tuple[Interval, ...]
    silent: tuple[Interval, ...]


class ParticipantReport(ReportModel):
    """What the file contains of one synthetic participant.

    ``present`` is when the participant is visible or audible. ``av_offset_ms`` is audio minus video: positive when the
    audio is late. ``drift_ppm`` is how fast that offset grows, in microseconds per second. ``delay_ms`` is the time
    from the capture of a frame to its time in the file. None means that a value could not be measured.
    """

    name: Words
    present: tuple[Interval, ...]
    video: ParticipantVideo | None
    audio: ParticipantAudio | None
    av_offset_ms: Spread | None
    drift_ppm: float | None
    delay_ms: Spread | None

    def is_audible(self, start: float, end: float) -> bool:
        """Return whether the audio is in the file all the time from ``start`` to ``end``, in seconds, to 0.05."""
        return self.audio is not None and _covers(self.audio.audible, start, end)

    def is_visible(self, start: float, end: float) -> bool:
        """Return whether the video is in the file all the time from ``start`` to ``end``, in seconds, to 0.05."""
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
