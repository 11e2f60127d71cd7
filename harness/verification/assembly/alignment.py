"""Put the files of a call onto one timeline: by capture times, playlists, start times, bursts, or else their order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.assembly.clocks import CAPTURE_PERIOD
from harness.verification.markers.audio_signals import SECONDS
from harness.verification.markers.periods import centered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.verification.assembly.clocks import CaptureClock
    from harness.verification.values.models import AlignedBy

# If the capture times of several participants disagree about a file's position by more than this many seconds, the
# position is in doubt. Delays differ by less, even over poor networks.
_DISAGREE: Final = 1.0
# Bursts repeat every 16 s. A position is certain if it fits to the other file better than every other position, by at
# least this many seconds.
_CLEARLY: Final = 8.0
# The names of clocks: UTC, and this prefix before the name of a room whose server's clock is used.
UTC: Final = "utc"
ROOM: Final = "room "
_MOST_PERIODS: Final = 10_000
_MODULO: Final = "Its bursts state when it begins only modulo 16 s"
_REMEDY: Final = "Record audio and video into one file, or let the recorder write the start time into each file."


@dataclass(frozen=True)
class Start:
    """The time at which a unit's zero was recorded, in seconds on a named clock, for example "utc".

    ``precise`` is false if the time is only accurate to a second.
    """

    clock: str
    at: float
    precise: bool


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Files with a common clock: a single file, or the renditions of one run of segments in a playlist.

    ``start`` and ``end`` are times on the common clock, in seconds. ``audio_zeros`` holds, for each voice, the time at
    which the counter of the bursts was 0 (modulo 16 s), and ``video_zeros`` the same for the counter in the video.
    ``pauses`` holds the time and the duration of each pause that was cut out. ``playlist`` is the playlist's number,
    and the time of the common clock's zero on the playlist's clock.
    """

    name: str
    start: float
    end: float
    kinds: frozenset[str]
    captures: CaptureClock
    markers: frozenset[int]
    voices: frozenset[int]
    audio_zeros: Mapping[int, float]
    video_zeros: Mapping[int, float]
    starts: tuple[Start, ...] = ()
    pauses: tuple[tuple[float, float], ...] = ()
    playlist: tuple[int, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a unit is on the timeline: ``at`` is the time of its common clock's zero, in seconds.

    ``by`` states how the time was determined. ``anchor`` is the number of the unit whose clock was used, if both units
    are on one known clock. ``doubt`` states why the position is not certain, as a complete sentence, or is None.
    """

    at: float
    by: AlignedBy
    anchor: int | None = None
    doubt: str | None = None


def align(units: Sequence[Unit]) -> list[Placement]:
    """Return the placement of each unit. The earliest media of the call is at the time 0."""
    placed = _by_captures(units) if len(units) > 1 else {}
    if not placed:
        first = units[0]
        placed[0] = Placement(at=0.0, by="playlist" if first.playlist else "start time" if first.starts else "order")
    for number, unit in enumerate(units):
        if number not in placed:
            placed[number] = (
                _by_playlist(units, placed, unit)
                or _by_start(units, placed, unit)
                or _by_bursts(units, placed, unit)
                or _by_order(units, placed, number)
            )
    earliest = min(placed[number].at + unit.start for number, unit in enumerate(units))
    return [
        Placement(at=one.at - earliest, by=one.by, anchor=one.anchor, doubt=one.doubt)
        for one in (placed[number] for number in range(len(units)))
    ]


def _by_captures(units: Sequence[Unit]) -> dict[int, Placement]:
    """Place all units with capture times, each relative to the one before it that shows the same participants."""
    rough, doubts = _rough_positions(units)
    if not rough:
        return {}
    first, *later = sorted(rough, key=lambda one: rough[one])
    placed = {first: Placement(at=0.0, by="markers", doubt=doubts.get(first))}
    for number in later:
        unit, expected = units[number], rough[number] - rough[first]
        nearest = max(
            placed,
            key=lambda one: (
                bool(units[one].captures.markers & unit.captures.markers),
                -abs(placed[one].at + units[one].end - expected - unit.start),
            ),
        )
        relative, by, doubt = _relative(unit, units[nearest], expected - placed[nearest].at)
        placed[number] = Placement(at=placed[nearest].at + relative, by=by, doubt=doubt or doubts.get(number))
    return placed


def _rough_positions(units: Sequence[Unit]) -> tuple[dict[int, float], dict[int, str]]:
    """Return the approximate position of each unit with capture times, and why some of them are in doubt.

    Capture times repeat. The counters of a participant who is in two units decide between the possible positions, or
    else the start times. Otherwise, the position nearest to the other unit is used, which is in doubt for long files.
    """
    rest = [number for number, unit in enumerate(units) if unit.captures]
    positions: dict[int, float] = {rest.pop(0): 0.0} if rest else {}
    doubts: dict[int, str] = {}
    while rest:
        number, known = max(
            ((one, other) for one in rest for other in positions),
            key=lambda pair: len(units[pair[0]].captures.markers & units[pair[1]].captures.markers),
        )
        rest.remove(number)
        unit, other = units[number], units[known]
        found = unit.captures.position_on(other.captures)
        at = found.at
        if found.repeats and (stated := _difference(unit, other, precise=False)) is not None:
            at += CAPTURE_PERIOD * round((stated - at) / CAPTURE_PERIOD)
        elif found.repeats and max(unit.end - unit.start, other.end - other.start) > CAPTURE_PERIOD / 2:
            doubts[number] = (
                f"Its capture times repeat every {CAPTURE_PERIOD / 60:.0f} minutes, and nobody is in both this file "
                f"and {other.name}, so it may begin earlier or later by a multiple of this time."
            )
        positions[number] = positions[known] + at
    return positions, doubts


def _relative(unit: Unit, other: Unit, expected: float) -> tuple[float, AlignedBy, str | None]:
    """Return the position of a unit on another one's clock, how it was determined, and why it is in doubt."""
    found = unit.captures.position_on(other.captures, expected)
    if found.spread > _DISAGREE:
        doubt = (
            f"The capture times of its participants disagree by {found.spread:.1f} s about when it begins, so the "
            "clocks of their pages do not match."
        )
        return found.at, "markers", doubt
    # The harness's own recordings state their start on the clock of the capture times, so delays can be measured.
    if (stated := _difference(unit, other, precise=True, clock=ROOM)) is None:
        return found.at, "markers", None
    at = _without_pauses(stated, other)
    if abs(at - found.at) <= _DISAGREE:
        return at, "start time", None
    doubt = (
        f"The start time in its manifest differs from the capture times in its video by {abs(at - found.at):.1f} s, so "
        "the manifest may belong to another recording."
    )
    return at, "start time", doubt


def _without_pauses(at: float, unit: Unit) -> float:
    """Return the position on a unit's clock of a moment that is ``at`` seconds after its start in real time."""
    for pause, seconds in sorted(unit.pauses):
        at -= min(seconds, max(0.0, at - pause))
    return at


def _by_playlist(units: Sequence[Unit], placed: Mapping[int, Placement], unit: Unit) -> Placement | None:
    if unit.playlist is None:
        return None
    number, at = unit.playlist
    siblings = [
        (abs(at - other.playlist[1]), index, other.playlist[1])
        for index, other in enumerate(units)
        if index in placed and other.playlist and other.playlist[0] == number
    ]
    if not siblings:
        return None
    _, index, theirs = min(siblings)
    return Placement(at=placed[index].at + at - theirs, by="playlist", doubt=placed[index].doubt)


def _by_start(units: Sequence[Unit], placed: Mapping[int, Placement], unit: Unit) -> Placement | None:
    """Place a unit by the start times that it and a placed unit state, preferably one that shows its participants."""
    ranked = sorted(placed, key=lambda one: -len({marker % VOICES for marker in units[one].markers} & unit.voices))
    for index in ranked:
        if (difference := _difference(unit, units[index], precise=True)) is not None:
            at = placed[index].at + _without_pauses(difference, units[index])
            return Placement(at=at, by="start time", anchor=index, doubt=placed[index].doubt)
    return None


def _difference(unit: Unit, other: Unit, *, precise: bool, clock: str = "") -> float | None:
    """Return how much later a unit's clock begins than another's, according to their start times, or None.

    Only start times on clocks whose names begin with ``clock`` are used.
    """
    for mine in unit.starts:
        for theirs in other.starts:
            same = mine.clock == theirs.clock and mine.clock.startswith(clock)
            if same and (not precise or (mine.precise and theirs.precise)):
                return mine.at - theirs.at
    return None


def _by_bursts(units: Sequence[Unit], placed: Mapping[int, Placement], unit: Unit) -> Placement | None:
    """Place audio by its bursts, which state its position relative to other media of the same participants modulo 16 s.

    Audio usually covers the same time as the participant's video. Two audio files of a participant follow each other.
    """
    return _next_to_video(units, placed, unit) or _after_audio(units, placed, unit)


def _next_to_video(units: Sequence[Unit], placed: Mapping[int, Placement], unit: Unit) -> Placement | None:
    positions = [
        (placed[index].at + difference, index)
        for index in placed
        if (difference := _phase(units[index].video_zeros, unit.audio_zeros)) is not None
    ]
    if not positions:
        return None
    reference = positions[0][0]
    disagreement = max(abs(float(centered(np.array(at - reference), SECONDS))) for at, _ in positions)
    # How badly each position fits to the video that it fits best to, by the number of periods from the reference.
    misfits: dict[int, float] = {}
    for _, index in positions:
        other, at = units[index], placed[index].at
        stated = _difference(unit, other, precise=False)
        nearest = round((at + other.start - reference - unit.start) / SECONDS)
        reach = 2 + min(_MOST_PERIODS, int((other.end - other.start + unit.end - unit.start) / SECONDS))
        for number in range(nearest - reach, nearest + reach + 1):
            position = reference + number * SECONDS
            misfit = abs(position + unit.start - at - other.start) + abs(position + unit.end - at - other.end)
            if stated is not None:
                misfit = 2 * abs(position - at - stated)
            misfits[number] = min(misfit, misfits.get(number, math.inf))
    (best, misfit), (_, next_misfit), *_ = sorted(misfits.items(), key=lambda one: one[1])
    doubt = None
    if disagreement > _DISAGREE:
        doubt = "Its bursts do not match the markers in the videos of its participants."
    elif next_misfit - misfit < _CLEARLY:
        doubt = f"{_MODULO}, and several times fit equally well. {_REMEDY}"
    return Placement(at=reference + best * SECONDS, by="bursts", doubt=doubt)


def _after_audio(units: Sequence[Unit], placed: Mapping[int, Placement], unit: Unit) -> Placement | None:
    found = [
        (placed[index].at + units[index].end, placed[index].at + difference)
        for index in placed
        if (difference := _phase(units[index].audio_zeros, unit.audio_zeros)) is not None
    ]
    if not found:
        return None
    end, position = max(found)
    # The next position at which the unit begins after the end of the other one, or overlaps it by less than a second.
    periods = math.ceil((end - 1 - position - unit.start) / SECONDS)
    doubt = f"{_MODULO}, so more time may have passed before it. {_REMEDY}"
    return Placement(at=position + periods * SECONDS, by="bursts", doubt=doubt)


def _phase(theirs: Mapping[int, float], mine: Mapping[int, float]) -> float | None:
    """Return the position of a unit on another one's clock, modulo 16 s, as the median over their common voices."""
    common = sorted(set(theirs) & set(mine))
    if not common:
        return None
    differences = np.array([theirs[voice] - mine[voice] for voice in common])
    return float(differences[0] + np.median(centered(differences - differences[0], SECONDS)))


def _by_order(units: Sequence[Unit], placed: Mapping[int, Placement], number: int) -> Placement:
    """Place a unit after the one before it in the given order."""
    earlier = [index for index in placed if index < number] or list(placed)
    before = max(earlier)
    doubt = (
        "Neither its markers nor a start time state when it was recorded, so it is shown directly after "
        f"{units[before].name}, and the gap between the two is unknown."
    )
    return Placement(at=placed[before].at + units[before].end - units[number].start, by="order", doubt=doubt)
