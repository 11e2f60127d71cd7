"""From what was seen and heard of each marker to what a report says about a participant."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.markers.audio_markers import VOICES
from harness.verification.measures import av_sync
from harness.verification.measures.cadence import frozen, uneven
from harness.verification.measures.curves import thinned
from harness.verification.values.intervals import longer, merged, rounded, spans, subtract, total
from harness.verification.values.models import ParticipantAudio, ParticipantReport, ParticipantVideo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.recording.timeline import Interval, Timeline
    from harness.verification.markers.audio_markers import Hearing
    from harness.verification.markers.marker_reader import Sightings
    from harness.verification.measures.observations import Tape
    from harness.verification.values.curves import Curve

# A strip or two that a codec spoilt, a packet of sound that was concealed: shorter holes are no absence.
_BRIDGE: Final = 0.1
# Half the usual loudness marks the moment at which a window of sound is half filled.
_HALF_LOUD: Final = 0.45
_SHORTEST_SOUND: Final = 0.15
# Somebody unknown must be heard this long, with bursts a second apart, before music counts as a voice.
_SURE_VOICE: Final = 1.0
_BURST_EVERY: Final = 1.0
_BURST_SLACK: Final = 0.02
_NOT_VISIBLE: Final = ParticipantVideo(
    visible=(), frames=0, frame_rate=0.0, repeated_percent=0.0, skipped_percent=0.0, frozen=()
)


@dataclass(frozen=True, kw_only=True)
class Person:
    """A synthetic participant, with what the checks need beyond the report's ``facts``.

    ``known`` says whether the manifest names the marker, ``home`` when the video is visible in its own tile, ``uneven``
    how many pictures were repeated or skipped.
    ``own_voice`` is false where another marker shares the voice (there are 16): then nobody can tell who is heard.
    """

    marker: int
    known: bool
    facts: ParticipantReport
    visible: tuple[Interval, ...]
    home: tuple[Interval, ...]
    audible: tuple[Interval, ...]
    uneven: int
    offsets: NDArray[np.float64]
    delays: Curve
    own_voice: bool

    @property
    def name(self) -> str:
        """The participant's name."""
        return self.facts.name


def people(tape: Tape, timeline: Timeline) -> tuple[Person, ...]:
    """Return everybody who should be or is in the file: the timeline's members first, then strangers by number."""
    members = {member.marker: member.name for member in timeline.members if member.marker is not None}
    seen = sorted(set(tape.sightings) - set(members))
    voices = {marker % VOICES for marker in (*members, *seen)}
    heard = [voice for voice in range(VOICES) if voice not in voices and _is_voice(tape.hearing, voice)]
    names = members | {marker: f"marker {marker}" for marker in (*seen, *heard)}
    users = Counter(marker % VOICES for marker in names)
    return tuple(
        _person(tape, marker, name, known=marker in members, own_voice=users[marker % VOICES] == 1)
        for marker, name in names.items()
    )


def _person(tape: Tape, marker: int, name: str, *, known: bool, own_voice: bool) -> Person:
    audible = _audible(tape.hearing, marker % VOICES)
    sight = _sight(tape.sightings.get(marker), tape)
    offsets = av_sync.offsets(tape.sightings.get(marker), tape.hearing if own_voice else None, tape.cuts)
    delays = av_sync.delays(tape.sightings.get(marker), tape)
    return Person(
        marker=marker,
        known=known,
        facts=ParticipantReport(
            name=name,
            present=rounded(merged((*sight.visible, *audible), bridge=_BRIDGE)),
            video=sight.facts,
            audio=_audio(audible, tape),
            av_offset_ms=av_sync.spread(offsets[:, 1] * 1000),
            drift_ppm=av_sync.drift_ppm(offsets),
            delay_ms=av_sync.spread(delays[:, 1]),
        ),
        visible=sight.visible,
        home=sight.home,
        audible=tuple(audible),
        uneven=sight.uneven,
        offsets=offsets,
        delays=thinned(delays[:, 0], delays[:, 1]),
        own_voice=own_voice,
    )


@dataclass(frozen=True, kw_only=True)
class _Sight:
    """What the picture says about one participant; ``facts`` is None in a file without pictures."""

    facts: ParticipantVideo | None
    visible: tuple[Interval, ...] = ()
    home: tuple[Interval, ...] = ()
    uneven: int = 0


def _sight(sightings: Sightings | None, tape: Tape) -> _Sight:
    rate = tape.rate
    if rate is None:
        return _Sight(facts=None)
    if sightings is None:
        return _Sight(facts=_NOT_VISIBLE)
    period = 1 / rate
    visible = tuple(spans(sightings.times.tolist(), lasting=period, bridge=_BRIDGE))
    still = frozen(sightings, period=period)
    repeated, skipped = uneven(sightings, period=period, apart=still, cuts=[at for at, _ in tape.cuts])
    count = sightings.times.size
    facts = ParticipantVideo(
        visible=rounded(visible),
        frames=count,
        frame_rate=round((1 + np.count_nonzero(np.diff(sightings.captures_ms))) / total(visible), 2),
        repeated_percent=round(100 * repeated / count, 2),
        skipped_percent=round(100 * skipped / count, 2),
        frozen=rounded(still),
    )
    home = tuple(spans(sightings.times[sightings.home].tolist(), lasting=period, bridge=_BRIDGE))
    return _Sight(facts=facts, visible=visible, home=home, uneven=repeated + skipped)


def _audio(audible: list[Interval], tape: Tape) -> ParticipantAudio | None:
    if tape.hearing is None:
        return None
    silent = longer(subtract([(0.0, tape.duration)], audible), _BRIDGE)
    return ParticipantAudio(audible=rounded(audible), silent=rounded(silent))


def _audible(hearing: Hearing | None, voice: int) -> list[Interval]:
    """Return when the tone of a voice is there."""
    if hearing is None or not hearing.tones[:, voice].any():
        return []
    tone = hearing.tones[:, voice]
    loud = tone > _HALF_LOUD * np.median(tone[tone > 0])
    steps = ((float(start), float(end)) for start, end in hearing.steps[loud])
    return longer(merged(steps, bridge=_BRIDGE), _SHORTEST_SOUND)


def _is_voice(hearing: Hearing | None, voice: int) -> bool:
    """Return whether this is a synthetic participant's voice, and not music that holds its tone."""
    if hearing is None or total(_audible(hearing, voice)) < _SURE_VOICE:
        return False
    return bool((np.abs(np.diff(hearing.bursts[voice]) - _BURST_EVERY) < _BURST_SLACK).any())
