"""Align another recorder's file with an observation: find the part of the observed call that the file covers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.recording.timeline import VOICES, Event, Timeline
from harness.verification.measures.alignment.clocks import UnknownClockError, zero_from_audio, zero_from_video
from harness.verification.measures.participants import audible_intervals, visible_intervals
from harness.verification.values.intervals import intersection, merged, subtract, total

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.recording.manifest import ObservationManifest
    from harness.recording.timeline import Interval
    from harness.verification.measures.alignment.clocks import FileZero
    from harness.verification.measures.observations import Observations

# A manifest may claim a call of any length, but no more than this many positions in the call are compared.
_MOST_POSITIONS: Final = 2000
# Two positions are distinguished if what should be visible and audible differs for at least this share of the time.
_DIFFERENCE: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """The part of an observed call that a file covers.

    ``manifest`` is the observation's manifest with file times. ``start`` is the position in the observed call at which
    the file starts, in seconds, and is negative if the recorder started first. ``observed`` is the part of the file
    during which the call was observed. ``ambiguous`` is a time in seconds: ``start`` may be wrong by any multiple of
    this time, because nothing in the file distinguishes these positions. It is None if ``start`` is certain. ``lags``
    holds how much later the video of each participant appears than the fastest participant's video, in ms, by marker.
    """

    manifest: ObservationManifest
    start: float
    observed: Interval
    ambiguous: float | None = None
    lags: Mapping[int, float] = field(default_factory=dict)

    @property
    def covered(self) -> Interval:
        """The part of the observed call that the file covers, in seconds since the start of the observation."""
        return (self.observed[0] + self.start, self.observed[1] + self.start)


@dataclass(frozen=True)
class Unaligned:
    """A file that can't be aligned with an observation; ``reason`` is a complete sentence."""

    reason: str


def align(manifest: ObservationManifest, observations: Observations) -> Alignment | Unaligned:
    """Find the part of the observed call that a file covers, and return the manifest with file times."""
    try:
        zero = _file_zero(manifest, observations)
    except UnknownClockError as error:
        return Unaligned(str(error))
    first = (zero.ms - manifest.zero_ms) % zero.period / 1000
    period, observed, duration = zero.period / 1000, manifest.observation.duration, observations.duration
    # All positions at which the file and the observation overlap.
    lowest, highest = math.floor((-duration - first) / period) + 1, math.ceil((observed - first) / period) - 1
    if highest - lowest >= _MOST_POSITIONS:
        return Unaligned(f"The observation lasts {observed:.0f} s, which is too long for finding the recording in it.")
    starts = [first + number * period for number in range(lowest, highest + 1)]
    if not starts:
        return Unaligned(
            "According to its markers, the recording was not made during the observed call. The manifest may belong to "
            "another call."
        )
    comparison = _Comparison(manifest, observations)
    # The best position explains most of what is visible and audible.
    ranked = sorted(((comparison.agreement(start), start) for start in starts), reverse=True)
    agreement, start = ranked[0]
    rivals = [other for other, _ in ranked[1:] if other >= agreement - _DIFFERENCE * comparison.most]
    return Alignment(
        manifest=_in_file_times(manifest, start, duration),
        start=start,
        observed=(max(0.0, -start), min(duration, observed - start)),
        ambiguous=period if rivals else None,
        lags=zero.lags,
    )


def _file_zero(manifest: ObservationManifest, observations: Observations) -> FileZero:
    """Return the room's time at the start of the file; raises UnknownClockError if it is unknown."""
    members = manifest.timeline.members
    zero = zero_from_video(members, observations.marker_tracks)
    # If a call is stored in several files, each participant's audio can be in another file.
    for one in (observations, *observations.by_voice.values()) if zero is None else ():
        if zero is None and one.audio is not None:
            zero = zero_from_audio(members, manifest.observation.marker_clocks, one.audio)
    if zero is None:
        message = "The recording contains too few readable markers of the observed participants."
        raise UnknownClockError(message)
    return zero


class _Comparison:
    """Compares who is visible and audible in the file with who should be, for different positions in the call."""

    def __init__(self, manifest: ObservationManifest, observations: Observations) -> None:
        self._length = manifest.observation.duration
        self._duration = observations.duration
        # For each participant's video and audio: when it should be in the file, in times of the call, and when it is.
        self._expected: list[tuple[list[Interval], list[Interval]]] = []
        timeline, rate = manifest.timeline, observations.rate
        for member in timeline.members:
            if member.marker is None:
                continue
            audio = observations.of(member.marker).audio
            if rate is not None:
                track = observations.marker_tracks.get(member.marker)
                found = list(visible_intervals(track, observations)) if track else []
                self._expected.append((timeline.visible(member.name, self._length), found))
            if audio is not None:
                found = audible_intervals(audio, member.marker % VOICES)
                self._expected.append((timeline.audible(member.name, self._length), found))

    @property
    def most(self) -> float:
        """The agreement of a file that is a part of the observed call and fits perfectly."""
        return len(self._expected) * min(self._length, self._duration)

    def agreement(self, start: float) -> float:
        """Return for how many seconds the file agrees with the call, added up over all participants' video and audio.

        The parts of the file before and after the observed call count as disagreement, so that a fault in the file does
        not favor positions at which little of the file is compared.
        """
        judged = [(max(0.0, -start), min(self._duration, self._length - start))]
        agreement = 0.0
        for wanted, found in self._expected:
            shifted = [(begin - start, end - start) for begin, end in wanted]
            wrong = merged((*subtract(shifted, found), *subtract(found, shifted)))
            agreement += total(judged) - total(intersection(wrong, judged))
        return agreement


def _in_file_times(manifest: ObservationManifest, start: float, duration: float) -> ObservationManifest:
    """Return the manifest with file times; nobody is expected in the file after the end of the observation."""
    timeline, end = manifest.timeline, manifest.observation.duration - start
    events = [event.model_copy(update={"at": round(event.at - start, 4)}) for event in timeline.events]
    if end < duration:
        events = [event for event in events if event.at <= end] + _end_events(timeline, round(end, 4))
    return manifest.model_copy(
        update={
            "timeline": Timeline(members=timeline.members, events=tuple(events)),
            "zero_ms": manifest.zero_ms + start * 1000,
        }
    )


def _end_events(timeline: Timeline, at: float) -> list[Event]:
    """Return the events that end everything that the observation has seen."""
    keys = dict.fromkeys(
        (event.event, event.participant, event.track, event.kind)
        for event in timeline.events
        if event.event in {"video", "audio", "track"}
    )
    joined = dict.fromkeys(event.participant for event in timeline.events if event.event == "join")
    switched_off = (
        Event(at=at, event=kind_of_event, participant=name, track=track, kind=kind, on=False)
        for kind_of_event, name, track, kind in keys
    )
    return [*switched_off, *(Event(at=at, event="leave", participant=name) for name in joined)]
