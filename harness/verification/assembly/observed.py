"""Read one file or one rendition, and keep what was observed in it: its tracks, its markers and its audio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.recording.timeline import Timeline
from harness.verification.markers.audio_markers import AudioMarkerDetector
from harness.verification.markers.marker_reader import MarkerReader
from harness.verification.measures.file import frame_rate, longest_frame, media_duration
from harness.verification.probe.frame_content import FrameContentDetector
from harness.verification.probe.probe import probe
from harness.verification.probe.segmented import probe_segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recording.manifest import AnyManifest
    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.markers.tracks import MarkerTrack
    from harness.verification.probe.probe import Streams
    from harness.verification.probe.tracks import AudioBlock, Frame
    from harness.verification.sources import Source


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What was observed in a file. All times are positions in the file, in seconds.

    ``audio`` is None if the file has no audio, and ``rate`` (in frames per second) is None if it has no frames. A frame
    is visible until the next frame, for at most ``longest_frame`` seconds, which is infinite if the frame rate varies.
    """

    streams: Streams
    content: FrameContentDetector
    marker_tracks: dict[int, MarkerTrack]
    audio: AudioAnalysis | None
    rate: float | None
    longest_frame: float

    @property
    def end(self) -> float:
        """The time at which the last frame or the audio ends, whichever is later."""
        return media_duration(self.streams, self.rate)


class ProgressReporter:
    """Reports how far the file has been read, once per second of media.

    ``base`` is the duration of the files that were read before.
    """

    def __init__(self, report: Callable[[float], object], *, base: float = 0.0) -> None:
        self._report = report
        self._base = base
        self._first: float | None = None
        self._reported = 0.0

    def on_frame(self, frame: Frame) -> None:
        """Report progress up to the time of a frame."""
        self._advance(frame.at)

    def on_audio(self, block: AudioBlock) -> None:
        """Report progress up to the time of a block of audio."""
        self._advance(block.at)

    def _advance(self, at: float) -> None:
        if self._first is None:
            # The clock of a playlist may begin at any time.
            self._first = max(0.0, at)
        read = at - self._first
        if read >= self._reported + 1:
            self._reported = read
            self._report(self._base + read)


def observe(
    source: Path | Source, manifest: AnyManifest | None, progress: ProgressReporter, *, track: int | None = None
) -> Observed:
    """Read a file, or the segments of a rendition.

    ``manifest`` states in which tiles participants are visible. ``track`` is the index of the track to examine instead
    of the file's default tracks.

    Raises UnreadableError if there is no media that can be analyzed, and OSError if the file can't be read.
    """
    timeline = manifest.timeline if manifest else Timeline()
    content, marker_reader, audio_markers = (
        FrameContentDetector(),
        MarkerReader(timeline, _frame_size(manifest)),
        AudioMarkerDetector(),
    )
    video_sinks, audio_sinks = (content, marker_reader, progress), (audio_markers, progress)
    if isinstance(source, Path):
        streams = probe(source, video_sinks=video_sinks, audio_sinks=audio_sinks, track=track)
    else:
        streams = probe_segments(source, video_sinks=video_sinks, audio_sinks=audio_sinks)
    rate = frame_rate(streams.video, manifest)
    return Observed(
        streams=streams,
        content=content,
        marker_tracks=marker_reader.finish(),
        audio=audio_markers.finish() if streams.audio else None,
        rate=rate,
        longest_frame=longest_frame(streams.video, rate, manifest),
    )


def _frame_size(manifest: AnyManifest | None) -> tuple[int, int] | None:
    """Return the recorded width and height in pixels, if the manifest states them."""
    recording = manifest.recording if manifest else None
    return (recording.width, recording.height) if recording and recording.width and recording.height else None
