"""Measure each participant's presence, smoothness, A/V offset and delay."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import SCREEN_MARKER, VOICES
from harness.verification.markers.audio_signals import TONE_LEVEL
from harness.verification.measures.audio_quality import decibels, echo, median_level, similarity
from harness.verification.measures.av_sync import AvSync, capture_delays, drift_ppm, measure_av_sync, spread
from harness.verification.measures.cadence import count_freezes, count_uneven, frozen_intervals
from harness.verification.measures.content import video_content
from harness.verification.measures.curves import thinned
from harness.verification.measures.start_up import StartUp, audio_delays, longest_ms, start_ups
from harness.verification.values.intervals import longer, merged, rounded, subtract, total
from harness.verification.values.models import (
    ExtraTrack,
    ParticipantAudio,
    ParticipantReport,
    ParticipantVideo,
    ShownPlace,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from harness.recording.timeline import Interval, Timeline
    from harness.verification.markers.audio_markers import AudioAnalysis
    from harness.verification.markers.places import PlaceSpan
    from harness.verification.markers.tracks import MarkerTrack
    from harness.verification.measures.observations import Observations
    from harness.verification.values.curves import Curve

# Gaps of up to this many seconds do not count as an absence, because a codec may damage a strip or two, or conceal a
# lost audio packet.
_BRIDGE: Final = 0.1
# A tone starts or ends where its level is about half of the level next to it, because at that moment half of the
# analysis window contains the tone. The window covers up to this many steps on each side.
_HALF_LEVEL: Final = 0.45
_WINDOW_STEPS: Final = 2
# A tone that is 26 dB below its usual level does not count as audible, because remnants of a tone can remain after it
# has ended.
_FAINT: Final = 0.05
_SHORTEST_AUDIO: Final = 0.15
# To count as an unknown participant's marker, a tone must last this many seconds and have bursts one second apart.
# Otherwise, it may be music.
_SURE_VOICE: Final = 1.0
_BURST_EVERY: Final = 1.0
_BURST_SLACK: Final = 0.02
_NOT_VISIBLE: Final = ParticipantVideo(
    visible=(), frames=0, frame_rate=0.0, repeated_percent=0.0, skipped_percent=0.0, frozen=()
)


@dataclass(frozen=True, kw_only=True)
class MeasuredParticipant:
    """The measurements of a synthetic participant: the participant's ``report``, and other values that the checks need.

    ``known`` is true if the manifest lists the marker. ``in_own_tile`` holds the intervals in which the video is
    visible in the participant's own tile. ``uneven`` is the number of repeated and skipped frames. ``own_voice`` is
    false if another participant's marker has the same tone (there are only 16 tones), so it is unknown which of the two
    participants is audible. The start-ups state how long the video and audio took to appear after each join.
    ``is_screen`` is true for the screen that a participant shares in another application; its
    marker is the participant's marker plus 128.
    """

    marker: int
    known: bool
    report: ParticipantReport
    visible: tuple[Interval, ...]
    in_own_tile: tuple[Interval, ...]
    audible: tuple[Interval, ...]
    uneven: int
    offsets: NDArray[np.float64]
    delays: Curve
    own_voice: bool
    video_start_ups: tuple[StartUp, ...] = ()
    audio_start_ups: tuple[StartUp, ...] = ()
    is_screen: bool = False

    @property
    def name(self) -> str:
        """The participant's name."""
        return self.report.name


def measure_participants(observations: Observations, timeline: Timeline) -> tuple[MeasuredParticipant, ...]:
    """Return all synthetic participants.

    The timeline's participants come first, followed by other participants who are visible, and then by others who are
    only audible.
    """
    members = {member.marker: member.name for member in timeline.members if member.marker is not None}
    screens = {
        marker + SCREEN_MARKER: f"{name} (screen)"
        for marker, name in members.items()
        if marker + SCREEN_MARKER in observations.marker_tracks
    }
    visible = sorted(set(observations.marker_tracks) - set(members) - set(screens))
    voices = {marker % VOICES for marker in (*members, *visible)}
    audible = [
        voice for voice in range(VOICES) if voice not in voices and is_voice(observations.of_voice(voice).audio, voice)
    ]
    names = members | {marker: f"marker {marker}" for marker in (*visible, *audible)}
    users = Counter(marker % VOICES for marker in names)
    participants = (
        _measured(
            observations.of(marker),
            marker,
            name,
            known=marker in members,
            own_voice=users[marker % VOICES] == 1,
            late_counters=timeline.late_counters(marker),
        )
        for marker, name in names.items()
    )
    shared = (
        _measured_screen(observations.of(marker), marker, name, timeline.late_counters(marker))
        for marker, name in screens.items()
    )
    timed = (_with_start_ups(one, timeline, observations.duration) for one in participants)
    return tuple(_with_tracks(one, timeline, observations.duration) for one in (*timed, *shared))


def _with_start_ups(one: MeasuredParticipant, timeline: Timeline, duration: float) -> MeasuredParticipant:
    """Add the time from each join to the first video and audio."""
    video = start_ups(timeline, one.name, "video", one.visible, duration) if one.report.video else ()
    audio = start_ups(timeline, one.name, "audio", one.audible, duration) if one.report.audio and one.own_voice else ()
    times = {"first_video_ms": longest_ms(video), "first_audio_ms": longest_ms(audio)}
    report = one.report.model_copy(update=times)
    return replace(one, report=report, video_start_ups=video, audio_start_ups=audio)


def _with_tracks(one: MeasuredParticipant, timeline: Timeline, duration: float) -> MeasuredParticipant:
    """Add the participant's extra tracks, which the manifest lists, to the report."""
    tracks = tuple(
        ExtraTrack(track=label, kind=kind, present=rounded(present))
        for (label, kind), present in timeline.extra_tracks(one.name, duration).items()
    )
    return replace(one, report=one.report.model_copy(update={"tracks": tracks})) if tracks else one


def _measured_screen(
    observations: Observations, marker: int, name: str, late_counters: Collection[int]
) -> MeasuredParticipant:
    """Measure a shared screen, whose audio has the same tone as its participant's audio."""
    measured = _measured(observations, marker, name, known=True, own_voice=False, late_counters=late_counters)
    report = measured.report.model_copy(
        update={"audio": None, "present": rounded(merged(measured.visible, bridge=_BRIDGE))}
    )
    return replace(measured, report=report, audible=(), is_screen=True)


def _measured(
    observations: Observations,
    marker: int,
    name: str,
    *,
    known: bool,
    own_voice: bool,
    late_counters: Collection[int],
) -> MeasuredParticipant:
    track = observations.marker_tracks.get(marker)
    video = _measure_video(track, observations, late_counters)
    audible = audible_intervals(observations.audio, marker % VOICES)
    shared = observations.audio is not None and not own_voice
    sync = AvSync(missing="shared tone") if shared else _av_sync(track, observations)
    delays = capture_delays(track, observations)
    return MeasuredParticipant(
        marker=marker,
        known=known,
        report=ParticipantReport(
            name=name,
            present=rounded(merged((*video.visible, *audible), bridge=_BRIDGE)),
            video=video.report,
            audio=_audio_report(audible, observations, None if shared else marker % VOICES),
            av_offset_ms=spread(sync.offsets[:, 1] * 1000),
            av_offset_missing=sync.missing,
            drift_ppm=drift_ppm(sync.offsets),
            delay_ms=spread(delays[:, 1]),
            audio_delay_ms=spread(audio_delays(sync.offsets, delays)),
            places=tuple(_shown(one, observations) for one in track.places) if track else (),
        ),
        visible=video.visible,
        in_own_tile=video.in_own_tile,
        audible=tuple(audible),
        uneven=video.uneven,
        offsets=sync.offsets,
        delays=thinned(delays[:, 0], delays[:, 1]),
        own_voice=own_voice,
    )


def _av_sync(track: MarkerTrack | None, observations: Observations) -> AvSync:
    if not observations.one_clock:
        return AvSync(missing="separate files")
    return measure_av_sync(track, observations.audio, observations.pauses)


def _shown(one: PlaceSpan, observations: Observations) -> ShownPlace:
    """Return a place as viewers see it, whose players turn the frames and change the shape of the pixels."""
    x, y, width, height = one.box
    # The place is accurate only to a pixel or two, so it can seem to end outside the frame.
    across, down = observations.frame_size(one.start) or (x + width, y + height)
    left, top, right, bottom = (
        round(min(max(edge, 0), most))
        for edge, most in ((x, across), (y, down), (x + width, across), (y + height, down))
    )
    place = one.place
    # Players make the frame wider in its own direction, which is the height of a video that is turned by 90°.
    wider = 1 / observations.pixel_aspect if place.turn % 2 else observations.pixel_aspect
    return ShownPlace(
        start=round(one.start, 3),
        end=round(one.end, 3),
        x=left,
        y=top,
        width=right - left,
        height=bottom - top,
        turn=(place.turn - round(observations.rotation / 90)) % 4,
        mirrored=place.mirrored,
        stretch=round(place.stretch * wider, 3),
        visible_percent=round(100 * one.share, 1),
        main=one.main,
    )


@dataclass(frozen=True, kw_only=True)
class _MeasuredVideo:
    """The measurements of one participant's video; ``report`` is None if the file has no video."""

    report: ParticipantVideo | None
    visible: tuple[Interval, ...] = ()
    in_own_tile: tuple[Interval, ...] = ()
    uneven: int = 0


def _measure_video(
    track: MarkerTrack | None, observations: Observations, late_counters: Collection[int]
) -> _MeasuredVideo:
    rate = observations.rate
    if rate is None:
        return _MeasuredVideo(report=None)
    if track is None:
        return _MeasuredVideo(report=_NOT_VISIBLE)
    period = 1 / rate
    visible = visible_intervals(track, observations)
    frozen = frozen_intervals(track, period=period, varies=math.isinf(observations.longest_frame))
    pauses = [at for at, _ in observations.pauses]
    uneven = count_uneven(track, period=period, frozen=frozen, pauses=pauses, late_counters=late_counters)
    count = track.times.size
    report = ParticipantVideo(
        visible=rounded(visible),
        frames=count,
        frame_rate=round((1 + np.count_nonzero(np.diff(track.captures_ms))) / total(visible), 2),
        repeated_percent=round(100 * uneven.repeated / count, 2),
        skipped_percent=round(100 * uneven.skipped / count, 2),
        late_percent=round(100 * uneven.late / count, 2),
        frozen=rounded(frozen),
        freezes=count_freezes(track),
        content=video_content(track.content, period=period),
    )
    in_own_tile = visible_intervals(track, observations, track.in_own_tile)
    return _MeasuredVideo(
        report=report, visible=visible, in_own_tile=in_own_tile, uneven=uneven.repeated + uneven.skipped
    )


def visible_intervals(
    track: MarkerTrack, observations: Observations, chosen: NDArray[np.bool_] | None = None
) -> tuple[Interval, ...]:
    """Return the intervals in which a participant is visible, in seconds, in all frames or only in the chosen ones."""
    times, numbers = (values if chosen is None else values[chosen] for values in (track.times, track.numbers))
    if not times.size or observations.rate is None:
        return ()
    period, gaps = 1 / observations.rate, np.diff(times)
    lasts = (np.diff(numbers.astype(np.int64)) == 1) & (gaps <= observations.longest_frame)
    breaks = np.flatnonzero(~lasts & (gaps - period > _BRIDGE))
    starts, ends = times[np.append(0, breaks + 1)], times[np.append(breaks, -1)] + period
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))


def _audio_report(audible: list[Interval], observations: Observations, voice: int | None) -> ParticipantAudio | None:
    """Return the measurements of a participant's audio.

    ``voice`` is the number of the participant's tone; it is None if another participant has the same tone.
    """
    audio = observations.audio
    if audio is None:
        return None
    silent = longer(subtract([(0.0, observations.duration)], audible), _BRIDGE)
    report = ParticipantAudio(audible=rounded(audible), silent=rounded(silent))
    if voice is None or not audible:
        return report
    level = median_level(audio, voice)
    bursts = audio.bursts[voice]
    return report.model_copy(
        update={
            "level_dbfs": level,
            "level_db": None if level is None else round(level - decibels(TONE_LEVEL), 1),
            "similarity": similarity(bursts),
            "echo": echo(bursts),
        }
    )


def audible_intervals(audio: AudioAnalysis | None, voice: int) -> list[Interval]:
    """Return the intervals in which one of the 16 tones is audible.

    Where a tone starts or ends, only a part of the analysis window contains the tone, so each step is compared with the
    loudest of the steps around it. Quieter parts of a recording therefore also count as audible.
    """
    if audio is None or not audio.tones[:, voice].any():
        return []
    tone = audio.tones[:, voice]
    loudest = tone.copy()
    for away in range(1, _WINDOW_STEPS + 1):
        loudest[away:] = np.maximum(loudest[away:], tone[:-away])
        loudest[:-away] = np.maximum(loudest[:-away], tone[away:])
    loud = (tone > _HALF_LEVEL * loudest) & (tone > _FAINT * np.median(tone[tone > 0]))
    steps = ((float(start), float(end)) for start, end in audio.steps[loud])
    return longer(merged(steps, bridge=_BRIDGE), _SHORTEST_AUDIO)


def is_voice(audio: AudioAnalysis | None, voice: int) -> bool:
    """Return whether the tone comes from a synthetic participant, and not from music that contains the same pitch."""
    if audio is None or total(audible_intervals(audio, voice)) < _SURE_VOICE:
        return False
    return bool((np.abs(np.diff(audio.bursts[voice].times) - _BURST_EVERY) < _BURST_SLACK).any())
