"""From a file to its report: read it once, measure, check."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.recording.recording import Manifest, Recording, manifest_of, sha256_of, statistics_of
from harness.recording.timeline import Timeline
from harness.verification.checks import judged
from harness.verification.curves import curves_of
from harness.verification.evidence import (
    Evidence,
    black_of,
    duration_of,
    frame_rate,
    holes_of,
    media_of,
    silent_of,
)
from harness.verification.findings import Finding
from harness.verification.limits import Limits
from harness.verification.measures import Tape, people
from harness.verification.probe import UnreadableError, probe
from harness.verification.report import Report
from harness.verification.sightings import PlainWatch, StripWatch
from harness.verification.sound import SoundWatch
from harness.verification.statistics import travelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.verification.expectations import Expectation
    from harness.verification.sound import Hearing


def verify(
    recording: Recording | Path | str,
    *,
    duration: float | None = None,
    limits: Limits | None = None,
    expect: Sequence[Expectation] = (),
) -> Report:
    """Return the verdict on a recording, by what is in the file and in the manifest beside it, if there is one.

    ``duration`` is how long it should last, in seconds, and ``expect`` who should be seen or heard when. Bad media
    gives a report that says so. Raises ConfigError where there is no file to read, or a duration that can't be.
    """
    if duration is not None and not 0 <= duration < float("inf"):
        message = f"duration: {duration!r} is not possible; give seconds from 0 up."
        raise ConfigError(message)
    limits = limits or Limits()
    path = (recording.path if isinstance(recording, Recording) else Path(recording)).absolute()
    beside = recording.manifest if isinstance(recording, Recording) else manifest_of(path)
    if not path.is_file():
        message = f"{path} is {'no file' if path.exists() else 'not there'}; give the path of a recording."
        raise ConfigError(message)
    try:
        evidence, hearing = _evidence(path, beside, duration, tuple(expect))
    except UnreadableError as error:
        return Report(path=path, media=None, findings=(Finding(check="container", ok=False, message=str(error)),))
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}."
        raise ConfigError(message) from error
    return Report(
        path=path,
        media=evidence.media,
        participants=tuple(person.facts for person in evidence.people),
        findings=judged(evidence, limits),
        curves=replace(curves_of(evidence, hearing, limits), travelled=travelled(statistics_of(path))),
    )


def _evidence(
    path: Path, beside: Path, asked: float | None, expect: tuple[Expectation, ...]
) -> tuple[Evidence, Hearing | None]:
    """Return all that is known about the file, and what was heard; raises UnreadableError, OSError."""
    manifest, unreadable = _manifest(beside)
    timeline = manifest.timeline if manifest else Timeline()
    plain, strips, ear = PlainWatch(), StripWatch(timeline, _size(manifest)), SoundWatch()
    streams = probe(path, eyes=(plain, strips), ears=(ear,))
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
        path=path,
        manifest=manifest,
        unreadable=unreadable,
        asked_duration=asked,
        expectations=expect,
        sha256=sha256_of(path) if manifest else None,
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
