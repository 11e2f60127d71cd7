"""Define a file of a call with its place on the timeline, and group the files that share a clock into units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.assembly.alignment import ROOM, UTC, Start, Unit
from harness.verification.assembly.clocks import CaptureClock, burst_zero, counter_zero
from harness.verification.measures.participants import audible_intervals, is_voice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.recording.manifest import Manifest
    from harness.recording.timeline import Interval
    from harness.verification.assembly.observed import Observed
    from harness.verification.sources import Source


@dataclass(frozen=True)
class CallFile:
    """A file, or a rendition of a playlist, that was read. ``name`` is its name in the report.

    ``manifest`` is the file's own manifest, or None, and ``manifest_error`` states why it can't be used, or is None.
    """

    source: Source
    name: str
    observed: Observed
    manifest: Manifest | None = None
    manifest_error: str | None = None

    @cached_property
    def begins(self) -> float:
        """The time of the first frame or audio in the file's own timestamps, in seconds."""
        streams = self.observed.streams
        starts = [float(streams.video.times[0])] if streams.video and streams.video.times.size else []
        starts += [streams.audio.start] if streams.audio and streams.audio.duration else []
        return min(starts, default=0.0)

    @cached_property
    def voices(self) -> frozenset[int]:
        """The voices that are audible in the file."""
        audio = self.observed.audio
        return frozenset(voice for voice in range(VOICES) if is_voice(audio, voice))


@dataclass(frozen=True)
class PlacedFile:
    """A file of a call. ``at`` is the time on the call's timeline at which the file's own times begin, in seconds.

    ``start`` and ``end`` are the file's interval on the timeline. ``unit`` is the number of the file's unit.
    """

    file: CallFile
    unit: int
    at: float
    start: float
    end: float

    @property
    def observed(self) -> Observed:
        """What was observed in the file."""
        return self.file.observed

    @cached_property
    def _audible(self) -> dict[int, list[Interval]]:
        return {}

    def audible(self, voice: int) -> list[Interval]:
        """Return the intervals on the timeline in which a voice is audible in the file."""
        if voice not in self._audible:
            found = audible_intervals(self.observed.audio, voice)
            self._audible[voice] = [(start + self.at, end + self.at) for start, end in found]
        return self._audible[voice]


@dataclass(frozen=True)
class FileGroup:
    """The files of a unit, and the time on the unit's clock at which each file's own times begin, in seconds."""

    files: tuple[int, ...]
    offsets: tuple[float, ...]
    unit: Unit


def groups_of(files: Sequence[CallFile]) -> list[FileGroup]:
    """Return a group for each run of segments in a playlist, and one for each other file."""
    runs: dict[tuple[int, int] | int, list[int]] = {}
    for number, one in enumerate(files):
        clock = one.source.clock
        runs.setdefault((clock.playlist, clock.run) if clock else -1 - number, []).append(number)
    return [_group(files, numbers) for numbers in runs.values()]


def _group(files: Sequence[CallFile], numbers: list[int]) -> FileGroup:
    own = [files[number] for number in numbers]
    offsets = _offsets(own)
    shifted = list(zip(own, offsets, strict=True))
    first = own[0]
    clock = first.source.clock
    tracks = [(track, at) for one, at in shifted for track in one.observed.marker_tracks.values()]
    captures = CaptureClock(tracks)
    audio_zeros: dict[int, float] = {}
    video_zeros: dict[int, float] = {}
    for one, at in shifted:
        for voice in one.voices:
            if one.observed.audio and (zero := burst_zero(one.observed.audio, voice)) is not None:
                audio_zeros.setdefault(voice, zero + at)
        for voice in {marker % VOICES for marker in one.observed.marker_tracks}:
            if (zero := counter_zero(one.observed.marker_tracks, voice)) is not None:
                video_zeros.setdefault(voice, zero + at)
    unit = Unit(
        name=first.name,
        start=min(0.0 if clock is None else one.begins + at for one, at in shifted),
        end=max(one.observed.end + at for one, at in shifted),
        kinds=frozenset(kind for one in own for kind in _kinds(one)),
        captures=captures,
        markers=frozenset(marker for one in own for marker in one.observed.marker_tracks),
        voices=frozenset(voice for one in own for voice in one.voices),
        audio_zeros=audio_zeros,
        video_zeros=video_zeros,
        starts=tuple(start for one, at in shifted for start in _starts(one, at)),
        pauses=tuple(pause for one in own for pause in (one.manifest.timeline.cuts() if one.manifest else ())),
        playlist=(clock.playlist, min(one.source.clock.at for one in own if one.source.clock)) if clock else None,
    )
    return FileGroup(tuple(numbers), tuple(offsets), unit)


def _offsets(files: Sequence[CallFile]) -> list[float]:
    """Return the time on the common clock at which each file's timestamps begin.

    The renditions of a run share a clock, on which the first segment begins at 0.
    """
    clocks = [one.source.clock for one in files]
    earliest = min((clock.at for clock in clocks if clock), default=0.0)
    bases = [
        one.begins - clock.origin - (clock.at - earliest) for one, clock in zip(files, clocks, strict=True) if clock
    ]
    base = float(np.median(bases)) if bases else 0.0
    return [-clock.origin - base if clock else 0.0 for clock in clocks]


def _kinds(file: CallFile) -> Iterator[str]:
    streams = file.observed.streams
    if streams.video and streams.video.times.size:
        yield "video"
    if streams.audio and streams.audio.duration:
        yield "audio"


def _starts(file: CallFile, at: float) -> Iterator[Start]:
    """Yield the start times that a file, its playlist or its manifest states."""
    manifest = file.manifest
    if manifest and manifest.zero_ms is not None and manifest.room is not None:
        yield Start(f"{ROOM}{manifest.room}", manifest.zero_ms / 1000 - at, precise=True)
    if file.source.started_at is not None:
        yield Start(UTC, file.source.started_at - file.begins - at, precise=_has_fraction(file.source.started_at))
    elif (text := file.observed.streams.created) and (created := _unix_time(text)) is not None:
        yield Start(UTC, created - at, precise=_has_fraction(created))


def _has_fraction(seconds: float) -> bool:
    """Return whether a time has a fraction of a second. A time without a fraction was probably rounded."""
    return seconds % 1 != 0


def _unix_time(text: str) -> float | None:
    try:
        date = datetime.fromisoformat(text)
        return date.timestamp() if date.tzinfo else None
    except (ValueError, OverflowError):
        return None
