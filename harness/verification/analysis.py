"""From a file to its report: read it once, measure, check."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.recording.files.names import statistics_of
from harness.recording.manifest import Manifest
from harness.recording.recording import sha256_of
from harness.recording.timeline import Timeline
from harness.verification.checks.catalogue import judged
from harness.verification.markers.audio_markers import SoundWatch
from harness.verification.markers.marker_reader import StripWatch
from harness.verification.measures.connections import travelled
from harness.verification.measures.curves import curves_of
from harness.verification.measures.evidence import Evidence
from harness.verification.measures.file import black_of, duration_of, frame_rate, holes_of, media_of, silent_of
from harness.verification.measures.observations import Tape
from harness.verification.measures.participants import people
from harness.verification.probe.frame_content import PlainWatch
from harness.verification.probe.probe import UnreadableError, probe
from harness.verification.report.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.verification.markers.audio_markers import Hearing
    from harness.verification.probe.tracks import Picture, Sound
    from harness.verification.report.report import Report
    from harness.verification.request import Question


class Pulse:
    """Tells how far reading has come, in seconds of the file, at every new second."""

    def __init__(self, tell: Callable[[float], object]) -> None:
        self._tell = tell
        self._told = 0.0

    def see(self, picture: Picture) -> None:
        """Take a picture."""
        self._reached(picture.at)

    def hear(self, sound: Sound) -> None:
        """Take a piece of sound."""
        self._reached(sound.at)

    def _reached(self, at: float) -> None:
        if at >= self._told + 1:
            self._told = at
            self._tell(at)


def judge(question: Question, tell: Callable[[float], object]) -> Report:
    """Return the verdict on a file; ``tell`` hears how far reading has come, in seconds of the file.

    Raises OSError where the file can't be read.
    """
    path = question.path
    manifest, damaged = _manifest(question.beside)
    redaction = Redaction(manifest, question.redact) if question.redact else None
    if redaction:
        manifest = redaction.manifest(manifest) if manifest else None
        damaged = "The manifest can't be read." if damaged else None
        question = replace(question, expect=redaction.expectations(question.expect))
    try:
        evidence, hearing = _evidence(question, manifest, damaged, Pulse(tell))
    except UnreadableError as error:
        return question.unreadable(str(error).removeprefix(f"{path.name} "))
    travel = travelled(statistics_of(path))
    return question.report(
        media=evidence.media,
        participants=tuple(person.facts for person in evidence.people),
        findings=redaction.findings(judged(evidence, question.limits))
        if redaction
        else judged(evidence, question.limits),
        curves=replace(
            curves_of(evidence, hearing, question.limits), travelled=redaction.curves(travel) if redaction else travel
        ),
    )


def _evidence(
    question: Question, manifest: Manifest | None, damaged: str | None, pulse: Pulse
) -> tuple[Evidence, Hearing | None]:
    """Return all that is known about the file, and what was heard; raises UnreadableError, OSError."""
    path = question.path
    timeline = manifest.timeline if manifest else Timeline()
    plain, strips, ear = PlainWatch(), StripWatch(timeline, _size(manifest)), SoundWatch()
    streams = probe(path, eyes=(plain, strips, pulse), ears=(ear, pulse))
    rate = frame_rate(streams.picture, manifest)
    hearing = ear.hearing() if streams.sound else None
    tape = Tape(
        sightings=strips.sightings(),
        hearing=hearing,
        rate=rate,
        duration=duration_of(streams, rate),
        zero_ms=manifest.zero_ms if manifest else None,
        cuts=timeline.cuts(),
    )
    evidence = Evidence(
        path=question.shown,
        manifest=manifest,
        unreadable=damaged,
        asked_duration=question.duration,
        asked_complete=question.complete,
        expectations=question.expect,
        sha256=sha256_of(path) if manifest and manifest.recording.path.suffix == path.suffix else None,
        streams=streams,
        media=media_of(streams, size=path.stat().st_size, rate=rate, watch=plain),
        people=people(tape, timeline),
        black=black_of(plain, rate),
        silent=silent_of(hearing),
        holes=holes_of(streams.picture, rate),
        rate=rate,
    )
    return evidence, hearing


def _size(manifest: Manifest | None) -> tuple[int, int] | None:
    """Return the width and height that were recorded, in pixels, where they are told."""
    told = manifest.recording if manifest else None
    return (told.width, told.height) if told and told.width and told.height else None


def _manifest(path: Path) -> tuple[Manifest | None, str | None]:
    """Return the manifest at ``path`` if there is one, and what is wrong with it if something is."""
    if not path.exists():
        return None, None
    try:
        return Manifest.read(path), None
    except ConfigError as error:
        return None, str(error)
    except OSError as error:
        return None, f"{path} can't be read: {error.strerror}."
