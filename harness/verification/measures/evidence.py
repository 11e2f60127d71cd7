"""Define Evidence, the input for all checks: a file's measurements, its manifest and the caller's request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.verification.measures.alignment.alignment import Alignment
from harness.verification.measures.file import video_end
from harness.verification.values.findings import Examined
from harness.verification.values.intervals import merged, subtract, widened

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.recording.config import Recorder
    from harness.recording.manifest import AnyManifest
    from harness.recording.recording import Recording
    from harness.recording.timeline import Interval
    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.measures.alignment.alignment import Unaligned
    from harness.verification.measures.participants import MeasuredParticipant
    from harness.verification.probe.probe import Streams
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.models import AlignedBy, Media


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of several files of a call: its place on the timeline in seconds, and how this place was determined.

    ``doubt`` states why the place is not certain, as a complete sentence, or is None. ``participants`` are the names of
    the participants who are visible or audible in the file.
    """

    name: str
    at: Interval
    aligned_by: AlignedBy
    doubt: str | None
    participants: tuple[str, ...]


@dataclass(frozen=True)
class Loss:
    """An interval of the call that no file covers: between two files, or a segment that can't be read.

    ``file`` is the name of the file after the gap, or of the playlist. ``description`` is a sentence without the times.
    """

    file: str
    at: Interval
    description: str


@dataclass(frozen=True)
class Double:
    """A participant whose video or audio is in several files at the same time, of which only one was examined."""

    participant: str
    kind: Literal["video", "audio"]
    examined: str
    other: str


# What evidence is about: a recording on its own, one of several files of a call, or the call in several files.
Scope = Literal["recording", "file", "call"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The input for all checks.

    ``expected_duration`` (seconds), ``expect_complete``, ``expectations`` and ``expected`` come from the caller.
    ``expected`` holds the names of the participants who must be in the call for the whole recording. ``manifest_error``
    is the reason why the manifest next to the file can't be used. ``sha256`` is None if there is no manifest, or if the
    file is a converted copy of the recording. ``audio`` is None if the file has no audio. ``black``, ``silent`` and
    ``video_gaps`` are the intervals in which the video is completely black, the mixed audio is silent, and frames are
    missing, respectively. ``still`` and ``blank`` are the intervals in which the whole video does not change, and in
    which a part of it has become blank.

    If the manifest is an observation's, ``alignment`` is the position of the file in the observed call, and the events
    of ``manifest`` have file times. If the file can't be aligned, ``manifest`` is None, and ``alignment`` states the
    reason.
    If several files are verified as one call, there is evidence about each file and about the whole call (see
    ``scope``). All times are then on the timeline of the call: a file begins at ``start``, and ``label`` is its name in
    the report. ``media`` still describes the file alone. ``stated_duration`` is the duration in seconds that a playlist
    states for the file. ``call_manifest`` is the manifest of the whole call; ``joined`` is true if it was joined from
    the files' own manifests. The evidence about the call also lists its files as ``parts``, the ``losses``, and the
    ``doubles``.
    """

    path: Path
    manifest: AnyManifest | None
    manifest_error: str | None
    expected_duration: float | None
    expect_complete: bool
    expectations: tuple[Expectation, ...]
    expected: tuple[str, ...]
    sha256: str | None
    streams: Streams
    media: Media
    participants: tuple[MeasuredParticipant, ...]
    audio: AudioAnalysis | None
    black: tuple[Interval, ...]
    silent: tuple[Interval, ...]
    video_gaps: tuple[Interval, ...]
    rate: float | None
    still: tuple[Interval, ...] = ()
    blank: tuple[Interval, ...] = ()
    alignment: Alignment | Unaligned | None = None
    scope: Scope = "recording"
    start: float = 0.0
    label: str = ""
    stated_duration: float | None = None
    call_manifest: AnyManifest | None = None
    joined: bool = False
    parts: tuple[Part, ...] = ()
    losses: tuple[Loss, ...] = ()
    doubles: tuple[Double, ...] = ()

    @property
    def name(self) -> str:
        """The file's name in messages."""
        return self.label or self.path.name

    @property
    def whole(self) -> Interval:
        """The interval from the start to the end of the file."""
        return (self.start, self.start + self.media.duration)

    def audio_of(self, _participant: MeasuredParticipant) -> AudioAnalysis | None:
        """Return the analysis of the audio in which a participant is audible."""
        return self.audio

    def has_tracks(self, kind: Literal["video", "audio"]) -> bool:
        """Return whether the file has a track of a kind, even if nothing in it can be decoded."""
        return (self.streams.video if kind == "video" else self.streams.audio) is not None

    @property
    def has_audio(self) -> bool:
        """Whether the file has audio that could be decoded."""
        return self.streams.audio is not None and self.streams.audio.duration > 0

    @property
    def track_ends(self) -> list[dict[str, float]]:
        """When the video and the audio end, in seconds, for each pair that should end at the same time."""
        audio = self.streams.audio
        return [{"video": video_end(self.streams.video, self.rate), "audio": audio.end if audio else 0.0}]

    @property
    def frame_times(self) -> list[NDArray[np.float64]]:
        """The times of all displayed frames, for each video on its own."""
        return [self.streams.video.times] if self.streams.video else []

    @property
    def has_markers(self) -> bool:
        """Whether a participant has a marker in the video, or should have one according to the manifest."""
        members = self.manifest.timeline.members if self.manifest else ()
        return bool(self.visible_participants) or any(member.marker is not None for member in members)

    @property
    def recording(self) -> Recording | None:
        """The recording that the manifest describes; None without a manifest, or for an observation."""
        return self.manifest.recording if self.manifest else None

    @property
    def recorder(self) -> Recorder:
        """The participants in the file: only the recording participant (``"local"``), or everybody (``"all"``)."""
        return self.recording.recorder if self.recording else "all"

    @property
    def layout_is_known(self) -> bool:
        """Whether the manifest states the layout of the video."""
        return self.manifest is not None and any(one.event == "layout" for one in self.manifest.timeline.events)

    @property
    def converted(self) -> bool:
        """Whether the file is a converted copy of the recording that the manifest belongs to."""
        return self.recording is not None and self.recording.path.suffix != self.path.suffix

    @property
    def unobserved(self) -> list[Interval]:
        """Intervals before and after the observed call, in which it is unknown who should be in the file."""
        return subtract([self.whole], [self.judged])

    @property
    def judged(self) -> Interval:
        """The part of the file that can be compared with the manifest: all of it, or the part that was observed."""
        return self.alignment.observed if isinstance(self.alignment, Alignment) else self.whole

    @property
    def video_missing(self) -> list[Interval]:
        """Intervals in which the video is completely black or missing, or in which the call was not observed.

        Checks of individual participants ignore these intervals.
        """
        video = self.streams.video
        empty = [self.whole] if video and not video.decoded else []
        return merged((*_widened((*self.black, *self.video_gaps, *empty)), *self.unobserved))

    @property
    def audio_missing(self) -> list[Interval]:
        """Intervals in which the audio is completely silent or missing, or in which the call was not observed.

        Checks of individual participants ignore these intervals.
        """
        audio = self.streams.audio
        empty = [self.whole] if audio and not audio.duration else []
        return merged((*_widened((*self.silent, *(audio.gaps if audio else ()), *empty)), *self.unobserved))

    @property
    def examined_frames(self) -> Examined:
        """All frames of the video."""
        return Examined(frames=self.media.video.frames if self.media.video else 0)

    @property
    def examined_media(self) -> Examined:
        """All frames of the video, and the whole file's duration."""
        return Examined(frames=self.examined_frames.frames, seconds=self.media.duration)

    @property
    def judged_media(self) -> Examined:
        """The part of the file that can be compared with the manifest. All frames count if it is the whole file."""
        if not self.unobserved:
            return self.examined_media
        return Examined(seconds=self.judged[1] - self.judged[0])

    @property
    def visible_participants(self) -> list[MeasuredParticipant]:
        """The participants who are visible in the file."""
        return [one for one in self.participants if one.visible]


def _widened(intervals: Iterable[Interval]) -> list[Interval]:
    # Markers at the edges of an interval may be damaged, so extend each interval.
    return widened(merged(intervals), 0.1)
