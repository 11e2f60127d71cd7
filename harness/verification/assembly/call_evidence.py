"""Define the evidence about a call in several files, and build the evidence about each of its files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from harness.recording.recording import sha256_of
from harness.recording.timeline import VOICES, Timeline
from harness.verification.assembly.manifests import shifted_manifest
from harness.verification.assembly.shifting import (
    joined_audio,
    joined_tracks,
    shifted_intervals,
    shifted_streams,
)
from harness.verification.measures.evidence import Evidence
from harness.verification.measures.file import (
    black_intervals,
    blank_intervals,
    measure_media,
    silent_intervals,
    still_intervals,
    video_end,
    video_gaps,
)
from harness.verification.measures.observations import Observations
from harness.verification.measures.participants import measure_participants
from harness.verification.values.intervals import merged, widened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.recording.manifest import AnyManifest
    from harness.recording.timeline import Interval
    from harness.verification.assembly.placed import PlacedFile
    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.measures.participants import MeasuredParticipant

# The places of files on the timeline are known only to about this many seconds, because the delay of the media changes
# by a frame or two when a recorder starts again.
ACCURACY: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class CallEvidence(Evidence):
    """The evidence about a call in several files.

    ``files`` is the evidence about each file, and each of the ``chains`` holds the numbers of files that follow each
    other. ``observations`` are the joined observations.
    """

    files: tuple[Evidence, ...]
    chains: tuple[tuple[int, ...], ...]
    observations: Observations

    @property
    def video_missing(self) -> list[Interval]:
        """Intervals in which the video is missing in the whole call, which other checks report."""
        return self._missing("video")

    @property
    def audio_missing(self) -> list[Interval]:
        """Intervals in which the audio is missing in the whole call, which other checks report."""
        return self._missing("audio")

    @property
    def track_ends(self) -> list[dict[str, float]]:
        """When the video and the audio of a playlist end, if they are separate renditions."""
        units: dict[tuple[float, Path], dict[str, float]] = {}
        for one in self.files:
            if one.streams.segmented and not (one.streams.video and one.streams.audio):
                ends = units.setdefault((one.start, one.path), {"video": 0.0, "audio": 0.0})
                ends["video"] = max(ends["video"], video_end(one.streams.video, one.rate))
                ends["audio"] = max(ends["audio"], one.streams.audio.end if one.streams.audio else 0.0)
        return list(units.values())

    @property
    def has_audio(self) -> bool:
        """Whether a file has audio."""
        return any(one.has_audio for one in self.files)

    @property
    def frame_times(self) -> list[NDArray[np.float64]]:
        """The times of all displayed frames, for each file."""
        return [times for one in self.files for times in one.frame_times]

    def audio_of(self, participant: MeasuredParticipant) -> AudioAnalysis | None:
        """Return the analysis of the audio in which a participant is audible."""
        return self.observations.of(participant.marker).audio

    def _missing(self, kind: Literal["video", "audio"]) -> list[Interval]:
        """Return the intervals in which other checks report that media is missing, or that were not observed.

        If all files with tracks of a kind follow each other, these are also the intervals that they lack. If files were
        recorded at the same time, the media of one participant can be missing while others are present, so the absence
        of each participant must be reported.
        """
        found = [loss.at for loss in self.losses]
        chains = [
            files
            for chain in self.chains
            if (files := [one for number in chain if (one := self.files[number]).has_tracks(kind)])
        ]
        if len(chains) == 1:
            for one in chains[0]:
                found += one.video_missing if kind == "video" else one.audio_missing
        return merged((*widened(merged(found), ACCURACY), *self.unobserved))


def file_evidence(
    placed: PlacedFile, call_manifest: AnyManifest | None, participants: Sequence[MeasuredParticipant]
) -> Evidence:
    """Return the evidence about one file, with all times on the timeline of the call."""
    observed, source, at = placed.observed, placed.file.source, placed.at
    manifest = shifted_manifest(placed.file.manifest, at) if placed.file.manifest else None
    rate, content = observed.rate, observed.content
    audio = joined_audio([(at, observed.audio)]) if observed.audio else None
    streams = shifted_streams(observed.streams, at)
    # The properties in the report are relative to the start of the file, and not to the start of the call.
    own = shifted_streams(observed.streams, at - placed.start)
    own_hash = manifest is not None and manifest.recording.path.suffix == source.path.suffix and not source.pieces
    return Evidence(
        path=source.path,
        manifest=manifest,
        manifest_error=placed.file.manifest_error,
        expected_duration=None,
        expect_complete=False,
        expectations=(),
        expected=(),
        sha256=sha256_of(source.path) if own_hash else None,
        streams=streams,
        media=measure_media(own, size=source.size, rate=rate, content=content),
        participants=_participants_in(placed, audio, participants),
        audio=audio,
        black=shifted_intervals(black_intervals(content, rate), at),
        silent=shifted_intervals(silent_intervals(observed.audio), at),
        video_gaps=video_gaps(streams.video, rate, observed.longest_frame),
        rate=rate,
        still=shifted_intervals(still_intervals(content, rate), at),
        blank=shifted_intervals(blank_intervals(content, rate), at),
        scope="file",
        start=placed.start,
        label=placed.file.name,
        stated_duration=source.duration,
        call_manifest=call_manifest,
    )


def _participants_in(
    placed: PlacedFile, audio: AudioAnalysis | None, participants: Sequence[MeasuredParticipant]
) -> tuple[MeasuredParticipant, ...]:
    """Return the measurements of the participants who are visible or audible in one file, with their names."""
    observed = placed.observed
    tracks = {marker: joined_tracks([(placed.at, track)]) for marker, track in observed.marker_tracks.items()}
    observations = Observations(
        marker_tracks=tracks,
        audio=audio,
        rate=observed.rate,
        duration=placed.end,
        longest_frame=observed.longest_frame,
    )
    names = {one.marker: one.name for one in participants}
    voices = {one.marker % VOICES: one.name for one in participants if not one.is_screen}
    found = []
    for one in measure_participants(observations, Timeline()):
        if one.visible or one.audible:
            name = names.get(one.marker) or voices.get(one.marker % VOICES, one.name)
            found.append(replace(one, report=one.report.model_copy(update={"name": name})))
    return tuple(found)
