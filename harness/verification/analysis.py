"""Analyze a file in one pass: measure it, check it, and return its report.

This module runs only in the child process that reads untrusted files.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.recording.files.names import statistics_of
from harness.recording.manifest import Manifest
from harness.recording.recording import sha256_of
from harness.recording.timeline import Timeline
from harness.verification.checks.catalogue import run_checks
from harness.verification.markers.audio_markers import AudioMarkerDetector
from harness.verification.markers.marker_reader import MarkerReader
from harness.verification.measures.connections import connection_curves
from harness.verification.measures.curves import curves_of
from harness.verification.measures.evidence import Evidence
from harness.verification.measures.file import (
    black_intervals,
    blank_intervals,
    frame_rate,
    measure_media,
    media_duration,
    pixel_aspect,
    silent_intervals,
    still_intervals,
    video_gaps,
)
from harness.verification.measures.observations import Observations
from harness.verification.measures.participants import measure_participants
from harness.verification.probe.frame_content import FrameContentDetector
from harness.verification.probe.probe import UnreadableError, probe
from harness.verification.report.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.verification.probe.tracks import AudioBlock, Frame
    from harness.verification.report.report import Report
    from harness.verification.request import VerifyRequest


class ProgressReporter:
    """Reports how far the file has been read, once per second of media."""

    def __init__(self, report: Callable[[float], object]) -> None:
        self._report = report
        self._reported = 0.0

    def on_frame(self, frame: Frame) -> None:
        """Report progress up to the time of a frame."""
        self._advance(frame.at)

    def on_audio(self, block: AudioBlock) -> None:
        """Report progress up to the time of a block of audio."""
        self._advance(block.at)

    def _advance(self, at: float) -> None:
        if at >= self._reported + 1:
            self._reported = at
            self._report(at)


def analyze(request: VerifyRequest, report_progress: Callable[[float], object]) -> Report:
    """Analyze a file, and return its report.

    Call ``report_progress`` with the current position in the file, in seconds.

    Raises OSError if the file can't be read.
    """
    path = request.path
    manifest, manifest_error = _read_manifest(request.manifest_path)
    redaction = Redaction(manifest, request.redact) if request.redact else None
    if redaction:
        manifest = redaction.manifest(manifest) if manifest else None
        manifest_error = "The manifest can't be read." if manifest_error else None
        aliases = tuple(redaction.alias(name) for name in request.expected)
        request = replace(request, expect=redaction.expectations(request.expect), expected=aliases)
    try:
        evidence = _gather_evidence(request, manifest, manifest_error, ProgressReporter(report_progress))
    except UnreadableError as error:
        return request.unreadable_report(str(error).removeprefix(f"{path.name} "))
    findings = run_checks(evidence, request.limits)
    connections = connection_curves(statistics_of(path))
    if redaction:
        findings, connections = redaction.findings(findings), redaction.connections(connections)
    return request.report(
        media=evidence.media,
        participants=tuple(participant.report for participant in evidence.participants),
        findings=findings,
        curves=replace(curves_of(evidence, request.limits), connections=connections),
    )


def _gather_evidence(
    request: VerifyRequest, manifest: Manifest | None, manifest_error: str | None, progress: ProgressReporter
) -> Evidence:
    """Measure a file, and return the evidence. Raises UnreadableError or OSError."""
    path = request.path
    timeline = manifest.timeline if manifest else Timeline()
    content, marker_reader, audio_markers = (
        FrameContentDetector(),
        MarkerReader(timeline, _frame_size(manifest)),
        AudioMarkerDetector(),
    )
    streams = probe(
        path,
        video_sinks=(content, marker_reader, progress),
        audio_sinks=(audio_markers, progress),
        track=request.track,
    )
    rate = frame_rate(streams.video, manifest)
    audio = audio_markers.finish() if streams.audio else None
    observations = Observations(
        marker_tracks=marker_reader.finish(),
        audio=audio,
        rate=rate,
        duration=media_duration(streams, rate),
        zero_ms=manifest.zero_ms if manifest else None,
        pauses=timeline.cuts(),
        rotation=streams.video.rotation if streams.video else 0,
        pixel_aspect=pixel_aspect(streams.video),
        frame_size=streams.video.sizes[0][1:] if streams.video and streams.video.sizes else None,
    )
    return Evidence(
        path=request.display_path,
        manifest=manifest,
        manifest_error=manifest_error,
        expected_duration=request.duration,
        expect_complete=request.complete,
        expectations=request.expect,
        expected=request.expected,
        sha256=sha256_of(path) if manifest and manifest.recording.path.suffix == path.suffix else None,
        streams=streams,
        media=measure_media(streams, size=path.stat().st_size, rate=rate, content=content),
        participants=measure_participants(observations, timeline),
        audio=audio,
        black=black_intervals(content, rate),
        silent=silent_intervals(audio),
        video_gaps=video_gaps(streams.video, rate),
        rate=rate,
        still=still_intervals(content, rate),
        blank=blank_intervals(content, rate),
    )


def _frame_size(manifest: Manifest | None) -> tuple[int, int] | None:
    """Return the recorded width and height in pixels, if the manifest states them."""
    recording = manifest.recording if manifest else None
    return (recording.width, recording.height) if recording and recording.width and recording.height else None


def _read_manifest(path: Path) -> tuple[Manifest | None, str | None]:
    """Return (manifest, None), (None, reason) if the manifest can't be read, or (None, None) if it does not exist."""
    # Path.exists raises an error if the recording's name is so long that its manifest's name would be too long.
    if not os.path.exists(path):  # noqa: PTH110
        return None, None
    try:
        return Manifest.read(path), None
    except ConfigError as error:
        return None, str(error)
    except OSError as error:
        return None, f"{path} can't be read: {error.strerror}."
