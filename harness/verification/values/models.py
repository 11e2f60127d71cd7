"""Define the measured values of a report. The report's JSON has the same structure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict

from harness.recording.timeline import Interval, Words
from harness.verification.values.intervals import subtract, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

# Tolerance in seconds; audio is measured in steps of 0.05 s, and a frame lasts up to 0.067 s.
_EDGE: Final = 0.05
# Maximum number of intervals in a one-line summary, because pytest shows only about 240 characters of a value.
_SHOWN: Final = 3


class ReportModel(BaseModel):
    """Base class of immutable values.

    Times are positions in the file in seconds, unless the field's name contains ``ms``.

    All numbers are finite, because JSON can't represent infinity or NaN.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


AvOffsetMissing = Literal["ambiguous", "no bursts", "not visible", "no audio", "shared tone", "separate files"]

# How a file's place on the timeline of a call was determined.
AlignedBy = Literal["markers", "playlist", "start time", "bursts", "order"]


class Gaps(ReportModel):
    """Statistics of the time between consecutive frames."""

    p50: float
    """Median in milliseconds."""
    p95: float
    """95th percentile in milliseconds."""
    max: float
    """Maximum in milliseconds."""


class Video(ReportModel):
    """Properties of a file's video track."""

    codec: Words
    """Video codec, for example ``vp9``."""
    width: int
    """Width of the first frame in pixels."""
    height: int
    """Height of the first frame in pixels."""
    display_width: int
    """Width in pixels of the first frame as players show it, after rotating it and making its pixels square."""
    display_height: int
    """Height in pixels of the first frame as players show it, after rotating it and making its pixels square."""
    rotation: int
    """Counterclockwise rotation that players apply to the video, in degrees from -180 to 180, as ffprobe reports it."""
    frames: int
    """Number of frames."""
    frame_rate: float
    """Average frame rate in frames per second."""
    gap_ms: Gaps | None
    """Time between consecutive frames, in milliseconds; None if there are fewer than two frames."""
    missed: int
    """Number of frames that are missing from the file, calculated from the file's frame rate."""
    repeated: int
    """Number of frames that look the same as the previous frame."""
    start_ms: float = 0.0
    """Time of the first frame in milliseconds."""
    keyframe_gap: float
    """Longest time from a keyframe to the next keyframe or to the end of the file, in seconds."""


class Audio(ReportModel):
    """Properties of a file's audio track."""

    codec: Words
    """Audio codec, for example ``opus``."""
    sample_rate: int
    """Sample rate in hertz."""
    channels: int
    """Number of channels."""
    start_ms: float = 0.0
    """Time of the first audio in milliseconds."""
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


class Track(ReportModel):
    """Properties of one track of a file."""

    index: int
    """Number of the track in the file, from 0."""
    kind: Literal["video", "audio", "subtitle", "data", "attachment"]
    """Kind of the track. Cover images are attachments."""
    codec: Words | None
    """Codec, for example ``opus``; None if it is unknown."""
    language: Words | None
    """Language that the file states, for example ``eng``; None if it states none."""
    default: bool
    """Whether the file marks the track as a default track."""
    examined: bool
    """Whether all checks examine the track. The other tracks are only decoded and measured."""
    duration: float | None
    """Duration in seconds; None if the track was not decoded and the file does not state a duration."""
    packets: int | None = None
    """Number of packets; None if the track was not decoded."""
    width: int | None = None
    """Width of the first frame in pixels; None if the track was not decoded as video."""
    height: int | None = None
    """Height of the first frame in pixels; None if the track was not decoded as video."""
    black: bool | None = None
    """Whether all frames are black; None if the track was not decoded as video."""
    channels: int | None = None
    """Number of channels; None if the track was not decoded as audio."""
    sample_rate: int | None = None
    """Sample rate in hertz; None if the track was not decoded as audio."""
    loudness: float | None = None
    """Integrated loudness in LUFS (EBU R 128); None for silence, or if the track was not decoded as audio."""
    peak_dbfs: float | None = None
    """Level of the loudest sample in dBFS; None for silence, or if the track was not decoded as audio."""
    silent: bool | None = None
    """Whether the audio is completely silent; None if the track was not decoded as audio."""


class Media(ReportModel):
    """Properties of the file."""

    container: Words
    """Container format detected from the file's bytes, for example ``webm``, ``matroska``, ``mp4`` or ``ogg``."""
    duration: float
    """Time at which the video or the audio ends, whichever is later, in seconds."""
    seekable: bool
    """Whether seeking to the middle of the file works. A WebM or Matroska file also needs Duration and correct Cues."""
    size: int
    """Size of the file in bytes."""
    bitrate: int
    """Average bitrate of the file in bits per second."""
    video: Video | None
    """The examined video track; None if the file has no video."""
    audio: Audio | None
    """The examined audio track; None if the file has no audio."""
    tracks: tuple[Track, ...] = ()
    """The tracks of the file; at most 50 are listed."""


class FileReport(ReportModel):
    """One of several files that were verified together as one call, or one rendition of a playlist."""

    name: Words
    """Name of the file; for a playlist, with the rendition and the part, for example ``call.m3u8 (audio, part 2)``."""
    path: Path
    """Path of the file or the playlist. If the report is redacted, the file's name and location are replaced."""
    start: float | None
    """Time at which the file begins on the report's timeline, in seconds; None if the file could not be read."""
    end: float | None
    """Time at which the file ends on the report's timeline, in seconds; None if the file could not be read."""
    aligned_by: AlignedBy | None
    """How the file's place on the timeline was determined: ``markers`` (the capture times in the video), ``playlist``,
    ``start time`` (the files state when they begin), ``bursts`` (the audio markers) or ``order`` (the file is shown
    after the one before it, because nothing states when it begins). None if the file could not be read."""
    media: Media | None
    """Properties of the file; None if the file could not be read."""
    segments: int = 0
    """Number of segments that were read; 0 for a single file."""
    lost_segments: int = 0
    """Number of segments that the playlist lists but that could not be read."""
    participants: tuple[Words, ...] = ()
    """Names of the participants who are visible or audible in the file."""


class Spread(ReportModel):
    """Median and 95th percentile of a value that was measured throughout the recording."""

    median: float
    """Median in milliseconds."""
    p95: float
    """95th percentile of the absolute value, in milliseconds."""


class VideoContent(ReportModel):
    """Faults in the video below a participant's strip; the video is sampled up to ten times per second."""

    samples: int = 0
    """Number of frames that were compared with what the synthetic camera paints."""
    colors_known: bool = False
    """Whether the colors of the video are known. The colors are unknown if a program drew the strip over its own video;
    in this case, only the strip's own colors are checked."""
    black: tuple[Interval, ...] = ()
    """Intervals in which a part of the video is black, each with start and end in seconds."""
    wrong_colors: tuple[Interval, ...] = ()
    """Intervals in which a part of the video has the wrong colors, each with start and end in seconds."""
    frozen: tuple[Interval, ...] = ()
    """Intervals in which the video is frozen although its strip changes, each with start and end in seconds."""
    wrong_video: tuple[Interval, ...] = ()
    """Intervals in which a part of the video shows noise or another video, each with start and end in seconds."""
    symbols: int = 0
    """Number of these frames in which the symbol was compared with the strip. Symbols that are blurred, or that have
    modules of less than 2 pixels, are not compared."""
    wrong_symbol: tuple[Interval, ...] = ()
    """Intervals in which the symbol is blank or does not match the strip, each with start and end in seconds."""


class Freezes(ReportModel):
    """Freezes as defined by ``freezeCount`` and ``totalFreezesDuration`` in the W3C's WebRTC statistics.

    A freeze is an interval between two distinct frames that lasts at least three times the average interval, and at
    least 150 ms longer than the average interval. The average is calculated from the last 30 intervals.
    """

    count: int = 0
    """Number of freezes."""
    duration: float = 0.0
    """Total duration of all freezes in seconds."""


class ParticipantVideo(ReportModel):
    """Measurements of a participant's video in the file."""

    visible: tuple[Interval, ...]
    """Intervals in which the participant is visible, each with start and end in seconds."""
    frames: int
    """Number of frames that show the participant."""
    frame_rate: float
    """Number of distinct frames per second."""
    repeated_percent: float
    """Percentage of ``frames`` that were repeated. Frames that were repeated only to convert the sender's frame rate to
    the file's frame rate do not count."""
    skipped_percent: float
    """Number of the sender's frames that were skipped, as a percentage of ``frames``. Frames that were skipped
    only to convert the sender's frame rate to the file's frame rate do not count."""
    late_percent: float = 0.0
    """Number of the sender's frames that appear late or not at all because the sender's machine was too busy to paint
    the synthetic video in time, as a percentage of ``frames``. Only our own pages report this, to the manifest."""
    frozen: tuple[Interval, ...]
    """Intervals in which one frame is shown for longer than 0.2 s, each with start and end in seconds."""
    freezes: Freezes = Freezes()
    """Freezes as defined in the W3C's WebRTC statistics. Intervals in which the participant is not visible do not
    count."""
    content: VideoContent = VideoContent()
    """Faults in the video below the participant's strip."""


class Echo(ReportModel):
    """An echo: a participant's audio is repeated after a delay."""

    delay_ms: float
    """Median delay in milliseconds."""
    level_db: float
    """Median level of the echo relative to the audio, in decibels."""


class ParticipantAudio(ReportModel):
    """Measurements of a participant's audio in the file."""

    audible: tuple[Interval, ...]
    """Intervals in which the participant is audible, each with start and end in seconds."""
    silent: tuple[Interval, ...]
    """Intervals in which the participant is not audible, each with start and end in seconds."""
    level_dbfs: float | None = None
    """Median level of the participant's tone while the tone is audible, in dBFS; a sine wave at full scale has a level
    of 0 dBFS. None if the participant is never audible, or if another participant has the same tone."""
    level_db: float | None = None
    """``level_dbfs`` minus the level at which the synthetic microphone plays the tone, in decibels."""
    similarity: float | None = None
    """Median similarity between the participant's bursts and undistorted bursts, from 0 to 1; None if no burst was
    found, or if another participant has the same tone."""
    echo: Echo | None = None
    """Echo of the participant's bursts; None if there is no echo."""


class ExtraTrack(ReportModel):
    """A track that a participant sent in addition to the camera and the microphone, according to the manifest."""

    track: Words
    """Label of the track, for example ``"screen"``."""
    kind: Literal["audio", "video"]
    """Kind of the track."""
    present: tuple[Interval, ...]
    """Intervals in which the file contains the track, each with start and end in seconds."""


class ShownPlace(ReportModel):
    """A place in the frame where a participant's video was shown for some time.

    ``x``, ``y``, ``width`` and ``height`` describe the visible part of the video, in pixels of the frame.
    """

    start: float
    """Start in seconds."""
    end: float
    """End in seconds."""
    x: int
    """Distance from the frame's left edge, in pixels."""
    y: int
    """Distance from the frame's top edge, in pixels."""
    width: int
    """Width in pixels."""
    height: int
    """Height in pixels."""
    turn: int = 0
    """Number of quarters by which the video is turned clockwise, from 0 to 3, as viewers see it."""
    mirrored: bool = False
    """Whether the video is mirrored. It was mirrored before it was turned."""
    stretch: float = 1.0
    """Factor by which the video is too wide for its height before it was turned, as viewers see it; 1 if its aspect
    ratio is right."""
    visible_percent: float = 100.0
    """Percentage of the video that is visible, and neither cropped nor covered."""
    main: bool = True
    """Whether this is the participant's largest place at this time. The other measurements describe this place."""


class ParticipantReport(ReportModel):
    """Measurements of one synthetic participant in the file."""

    name: Words
    """Name of the participant. If the manifest has no name for the participant's marker, the name consists of
    ``marker`` and the marker's number, for example ``marker 5``."""
    present: tuple[Interval, ...]
    """Intervals in which the participant is visible or audible, each with start and end in seconds."""
    video: ParticipantVideo | None
    """The participant's video; None if the file has no video."""
    audio: ParticipantAudio | None
    """The participant's audio; None if the file has no audio."""
    av_offset_ms: Spread | None
    """Time of the audio minus time of the video, in milliseconds; positive if the audio is late, None if it could not
    be measured."""
    av_offset_missing: AvOffsetMissing | None = None
    """Why ``av_offset_ms`` is None: ``ambiguous`` (it is unknown which second the bursts belong to), ``no bursts`` (no
    burst was found near a frame with a readable marker), ``not visible``, ``no audio``, ``shared tone`` (another
    participant has the same tone) or ``separate files`` (audio and video are in files without a common clock). None if
    the A/V offset was measured."""
    drift_ppm: float | None
    """How fast the A/V offset grows, in ppm (microseconds per second); None if the measurement covers less than a
    minute."""
    delay_ms: Spread | None
    """Time from the capture of a frame until the frame appears in the file, in milliseconds; None if it could not be
    measured."""
    audio_delay_ms: Spread | None = None
    """Time from the capture of the audio until it appears in the file, in milliseconds; None if it could not be
    measured."""
    first_video_ms: float | None = None
    """Time from the participant's join, or from the start of the recording if the participant joined earlier, to the
    participant's first frame, in milliseconds. If there are several joins, this is the longest time. None if there is
    no manifest, or if the camera was off at the join."""
    first_audio_ms: float | None = None
    """Like ``first_video_ms``, but until the participant's first audio, in milliseconds."""
    tracks: tuple[ExtraTrack, ...] = ()
    """The participant's other tracks in another application's call, for example a shared screen."""
    places: tuple[ShownPlace, ...] = ()
    """The places in the frame where the participant's video was shown, in the order of their start. A participant can
    be shown in several places at the same time."""

    def is_audible(self, start: float, end: float) -> bool:
        """Return whether the participant is audible the whole time from ``start`` to ``end``.

        Args:
            start: Start in seconds. Up to 0.05 s may be missing at the start and at the end.
            end: End in seconds.
        """
        return self.audio is not None and _covers(self.audio.audible, start, end)

    def is_visible(self, start: float, end: float) -> bool:
        """Return whether the participant is visible the whole time from ``start`` to ``end``.

        Args:
            start: Start in seconds. Up to 0.05 s may be missing at the start and at the end.
            end: End in seconds.
        """
        return self.video is not None and _covers(self.video.visible, start, end)

    def __repr__(self) -> str:
        """Return a one-line summary for the messages of failed assertions."""
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
    """Return whether the intervals, each extended by a small tolerance, cover the time from ``start`` to ``end``."""
    return not subtract([(start, end)], widened(intervals, _EDGE))


def _during(intervals: Sequence[Interval]) -> str:
    """Return the first ``_SHOWN`` intervals as text."""
    shown = " and ".join(f"{start:.2f}-{end:.2f}" for start, end in intervals[:_SHOWN])
    more = f" and {len(intervals) - _SHOWN} more" if len(intervals) > _SHOWN else ""
    return f"{shown} s{more}" if shown else "never"
