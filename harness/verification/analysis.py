"""Analyze a file in one pass: measure it, check it, and return its report.

This module runs only in the child process that reads untrusted files.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.recording.files.names import statistics_of
from harness.recording.manifest import Manifest, ObservationManifest
from harness.recording.recording import sha256_of
from harness.recording.timeline import Timeline
from harness.verification.assembly.observed import ProgressReporter, observe
from harness.verification.call_analysis import analyze_call, manifest_at
from harness.verification.checks.catalogue import run_checks
from harness.verification.measures.alignment.alignment import Alignment, align
from harness.verification.measures.connections import connection_curves
from harness.verification.measures.curves import curves_of
from harness.verification.measures.evidence import Evidence
from harness.verification.measures.file import (
    black_intervals,
    blank_intervals,
    measure_media,
    media_duration,
    pixel_aspect,
    silent_intervals,
    still_intervals,
    video_gaps,
)
from harness.verification.measures.observations import Observations
from harness.verification.measures.participants import measure_participants
from harness.verification.probe.probe import UnreadableError
from harness.verification.report.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recording.manifest import AnyManifest
    from harness.verification.report.report import Report
    from harness.verification.request import VerifyRequest


def analyze(request: VerifyRequest, report_progress: Callable[..., object]) -> Report:
    """Analyze a file, or several files of a call, and return the report.

    Call ``report_progress`` with the current position in the file, in seconds. If several files are read, the position
    includes the files before it, and the second argument is the number of the file.

    Raises OSError if the file can't be read.
    """
    if request.sources:
        return analyze_call(request, report_progress)
    path = request.path
    manifest, manifest_error = manifest_at(request.manifest_path)
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
    request: VerifyRequest, manifest: AnyManifest | None, manifest_error: str | None, progress: ProgressReporter
) -> Evidence:
    """Measure a file, and return the evidence. Raises UnreadableError or OSError."""
    path = request.path
    timeline = manifest.timeline if manifest else Timeline()
    observed = observe(path, manifest, progress, track=request.track)
    streams, content, audio, rate = observed.streams, observed.content, observed.audio, observed.rate
    observations = Observations(
        marker_tracks=observed.marker_tracks,
        audio=audio,
        rate=rate,
        duration=media_duration(streams, rate),
        longest_frame=observed.longest_frame,
        zero_ms=manifest.zero_ms if isinstance(manifest, Manifest) else None,
        pauses=timeline.cuts(),
        rotation=streams.video.rotation if streams.video else 0,
        pixel_aspect=pixel_aspect(streams.video),
        sizes=streams.video.sizes if streams.video else (),
    )
    alignment = align(manifest, observations) if isinstance(manifest, ObservationManifest) else None
    if alignment is not None:
        manifest = alignment.manifest if isinstance(alignment, Alignment) else None
        # The participants' names are known even if it is unknown when they should be in the file.
        timeline = manifest.timeline if manifest else Timeline(members=timeline.members)
    recording = manifest.recording if manifest else None
    return Evidence(
        path=request.display_path,
        manifest=manifest,
        manifest_error=manifest_error,
        expected_duration=request.duration,
        expect_complete=request.complete,
        expectations=request.expect,
        expected=request.expected,
        sha256=sha256_of(path) if recording and recording.path.suffix == path.suffix else None,
        streams=streams,
        media=measure_media(streams, size=path.stat().st_size, rate=rate, content=content),
        participants=measure_participants(observations, timeline),
        audio=audio,
        black=black_intervals(content, rate),
        silent=silent_intervals(audio),
        video_gaps=video_gaps(streams.video, rate, observed.longest_frame),
        rate=rate,
        still=still_intervals(content, rate),
        blank=blank_intervals(content, rate),
        alignment=alignment,
    )
