"""Check the quality of the audio: level, clipping, noise, echo, and differences between the channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.timeline import VOICES
from harness.verification.markers.audio_markers import HOP
from harness.verification.measures.audio_quality import level_deviations, noise_floor, noisy_intervals
from harness.verification.values.findings import Examined, Finding, limited, milliseconds, passed, span
from harness.verification.values.intervals import longer, merged, subtract, total, widened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.recording.timeline import Interval
    from harness.verification.measures.audio_quality import Deviation
    from harness.verification.measures.evidence import Evidence
    from harness.verification.measures.participants import MeasuredParticipant
    from harness.verification.values.findings import CheckName
    from harness.verification.values.limits import Limits

# Intervals of one kind that are at most this many seconds apart are reported as one interval.
_BRIDGE: Final = 0.2
# If a microphone is switched during a burst, the part of the burst that is left sounds like noise for up to this time,
# in seconds.
_CUT_BURST: Final = 0.5
_CHANNELS: Final = ("left", "right")
_STEREO: Final = 2


def level(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check that every participant is as loud in the file as the participant's synthetic microphone."""
    for one in evidence.participants:
        audio = evidence.audio_of(one)
        if audio is None or one.is_screen or not one.audible:
            continue
        if not one.own_voice:
            yield shared_tone("level", one)
            continue
        deviations = level_deviations(audio, one.marker % VOICES, limits.level_db)
        wrong = [deviation for deviation in deviations if longer([deviation.at], limits.absence)]
        yield from limited([_level_finding(one.name, deviation, limits) for deviation in wrong])
        if not wrong:
            text = f"{one.name}'s audio has the expected level."
            got = one.report.audio.level_db if one.report.audio else None
            examined = Examined(seconds=total(one.audible), participants=1)
            yield passed("level", text, examined, participant=one.name, got=got)


def shared_tone(check: CheckName, participant: MeasuredParticipant) -> Finding:
    """Return a finding that a participant can't be examined, because another participant has the same tone."""
    name = participant.name
    text = (
        f"{name}'s audio could not be examined, because another participant has the same audio marker. Use at most "
        f"{VOICES} synthetic participants."
    )
    return Finding(check=check, result="unverified", participant=name, message=text)


def _level_finding(name: str, deviation: Deviation, limits: Limits) -> Finding:
    direction = "quieter" if deviation.level < 0 else "louder"
    return Finding(
        check="level",
        result="failed",
        participant=name,
        at=milliseconds(deviation.at),
        expected=f"within {limits.level_db:g} dB",
        got=f"{deviation.level:+.1f} dB",
        message=(
            f"{name}'s audio is {abs(deviation.level):.0f} dB {direction} than the synthetic microphone "
            f"{span(deviation.at)} (limit: {limits.level_db:g} dB)."
        ),
    )


def clipping(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check that the audio is not clipped. In audio without markers, clipping is only a warning."""
    audio = evidence.streams.audio
    if audio is None or not audio.duration:
        return
    clipped = merged(audio.levels.clipped_intervals(limits.clipped_percent), bridge=_BRIDGE)
    synthetic = _has_markers(evidence)
    yield from limited(
        [
            Finding(
                check="clipping",
                result="failed" if synthetic else "warning",
                at=milliseconds(at),
                expected=f"{limits.clipped_percent:g} %",
                message=(
                    f"The audio is clipped {span(at)}: more than {limits.clipped_percent:g} % of the samples are at "
                    "full scale."
                ),
            )
            for at in clipped
        ]
    )
    if not clipped:
        yield passed("clipping", "The audio is not clipped.", Examined(seconds=audio.duration))


def noise(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check that the audio contains nothing but the participants' markers: no noise, distortion, clicks or echo.

    If the audio may contain something else, for example a real microphone, noise is only a warning.
    """
    audio = evidence.audio
    if audio is None or not _has_markers(evidence):
        return
    echoes = [*_echoes(evidence, limits)]
    yield from echoes
    if (floor := noise_floor(audio)) is None:
        text = (
            "The audio can't be checked for noise, because bursts are playing the whole time. Record for longer, or "
            "with fewer participants."
        )
        yield Finding(check="noise", result="unverified", message=text)
        return
    noisy = noisy_intervals(audio, limits.noise_dbfs)
    switches = _around_switches(evidence)
    lasting = [one for one in noisy if longer(subtract([one.at], switches), limits.noise)]
    only_markers = _contains_only_markers(evidence)
    yield from limited(
        [
            Finding(
                check="noise",
                result="failed" if only_markers else "warning",
                at=milliseconds(one.at),
                expected=f"{limits.noise_dbfs:g} dBFS",
                got=f"{one.level:.0f} dBFS",
                message=(
                    f"The audio contains noise or distortion with a level of {one.level:.0f} dBFS {span(one.at)} "
                    f"(limit: {limits.noise_dbfs:g} dBFS)."
                ),
            )
            for one in lasting
        ]
    )
    if clicks := [one for one in noisy if one not in lasting]:
        first = clicks[0].at
        number = "a click" if len(clicks) == 1 else f"{len(clicks)} clicks"
        text = f"The audio contains {number} or other short noise; the first is at {first[0]:.2f} s."
        yield Finding(check="noise", result="warning", at=milliseconds(first), message=text)
    if not (echoes or noisy):
        text = f"Neither noise nor an echo was found in the audio; its noise floor is {floor:g} dBFS."
        yield passed("noise", text, Examined(seconds=HOP * np.count_nonzero(np.isfinite(audio.noise))), got=floor)


def _around_switches(evidence: Evidence) -> list[Interval]:
    """Return the intervals around the times at which a microphone was switched on or off."""
    manifest = evidence.call_manifest or evidence.manifest
    if manifest is None:
        return []
    timeline, (start, end) = manifest.timeline, evidence.whole
    switches = {
        at
        for member in timeline.members
        for interval in timeline.audible(member.name, end)
        for at in interval
        if start < at < end
    }
    return widened(((at, at) for at in sorted(switches)), _CUT_BURST)


def _echoes(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    for one in evidence.participants:
        echo = one.report.audio.echo if one.report.audio else None
        if echo is not None and echo.level_db > limits.echo_db:
            text = (
                f"{one.name}'s audio has an echo after {echo.delay_ms:.0f} ms, {abs(echo.level_db):.0f} dB quieter "
                f"than the audio (limit: {abs(limits.echo_db):g} dB quieter)."
            )
            expected, got = f"{limits.echo_db:g} dB", f"{echo.level_db:g} dB"
            yield Finding(
                check="noise", result="failed", participant=one.name, expected=expected, got=got, message=text
            )


def channels(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Warn if a channel is silent while another is not, or if channels cancel each other out when they are mixed."""
    audio = evidence.streams.audio
    if audio is None or not audio.duration:
        return
    if audio.channels < _STEREO:
        yield passed("channels", "The audio has only one channel.", Examined(seconds=audio.duration))
        return
    wrong = [
        (at, f"The {_CHANNELS[number]} channel is silent {span(at)}, while another channel is not.")
        for number, steps in audio.levels.one_sided_intervals()
        # In surround audio, the other channels are often silent, for example those for effects and low frequencies.
        if number < _STEREO
        for at in _joined(steps, limits)
    ]
    wrong += [
        (at, f"The channels have opposite phase {span(at)}, so they cancel each other out on a mono device.")
        for at in _joined(audio.levels.opposite_intervals(), limits)
    ]
    yield from limited(
        [Finding(check="channels", result="warning", at=milliseconds(at), message=text) for at, text in wrong]
    )
    if not wrong:
        text = "Neither the left nor the right channel is silent alone, and no channels cancel each other out."
        yield passed("channels", text, Examined(seconds=audio.duration))


def _joined(steps: list[Interval], limits: Limits) -> list[Interval]:
    return longer(merged(steps, bridge=_BRIDGE), limits.channel)


def _has_markers(evidence: Evidence) -> bool:
    return any(total(one.audible) for one in evidence.participants)


def _contains_only_markers(evidence: Evidence) -> bool:
    """Return whether, according to the manifest, all audio in the file is synthetic."""
    manifest = evidence.call_manifest or evidence.manifest
    if manifest is None or any(one.report.tracks for one in evidence.participants):
        return False
    return all(member.marker is not None for member in manifest.timeline.members)
