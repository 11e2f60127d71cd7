"""Check each participant's video for freezes, repeated frames and skipped frames, and its sync with the audio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.checks.timing import FEWEST_FOR_P95
from harness.verification.values.findings import Examined, Finding, assessed, limited, milliseconds, passed, span
from harness.verification.values.intervals import intersection, longer, subtract, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.recording.timeline import Interval
    from harness.verification.measures.evidence import Evidence
    from harness.verification.measures.participants import MeasuredParticipant
    from harness.verification.values.findings import FindingResult
    from harness.verification.values.limits import Limits

# A participant who is visible and audible for this many seconds sends at least one complete burst.
_UNMEASURED: Final = 2.0
_MISSING: Final = {
    "ambiguous": "no burst of the audio marker shows which second it belongs to",
    "no bursts": "no usable burst of the audio marker was found",
    "shared tone": "another participant has the same audio marker",
    "not visible": "no video marker was found",
    "no audio": "the file has no audio",
    "separate files": (
        "the audio and the video are in separate files without a common clock, and aligning them by their markers "
        "would hide any offset"
    ),
}
_LISTEN: Final = "Listen to the recording."
_REMEDIES: Final = {
    **dict.fromkeys(("ambiguous", "no bursts"), "Listen to the recording, or record again for longer."),
    "separate files": "Record audio and video into one file, or let the recorder write the start time into each file.",
}
# Times that differ by at most this many seconds count as equal, because the last frame is visible until the next tick,
# and the manifest's times are accurate only to a few ticks.
_SAME_TIME: Final = 0.15


def frozen(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check whether a participant's video freezes. Other checks report video that is black or missing."""
    for one in evidence.visible_participants:
        intervals = one.report.video.frozen if one.report.video else ()
        unexplained = [at for at in intervals if not _is_leaving(one, at, evidence, limits)]
        too_long = longer(subtract(unexplained, evidence.video_missing), limits.frozen)
        yield from limited(
            [
                Finding(
                    check="frozen",
                    result="failed",
                    participant=one.name,
                    at=milliseconds(at),
                    expected=f"{limits.frozen:g} s",
                    got=f"{at[1] - at[0]:.2f} s",
                    message=f"{one.name} is frozen {span(at)} (limit: {limits.frozen:g} s).",
                )
                for at in too_long
            ]
        )
        if not too_long:
            text = f"{one.name}'s video moves throughout."
            yield passed("frozen", text, _examined_video(one), participant=one.name)


def _is_leaving(participant: MeasuredParticipant, at: Interval, evidence: Evidence, limits: Limits) -> bool:
    """Return whether the video is frozen only because the participant has left and the connection is still closing."""
    if evidence.manifest is None or at[1] - at[0] > limits.edge:
        return False
    duration = evidence.media.duration
    ends = (end for _, end in evidence.manifest.timeline.visible(participant.name, duration) if end < duration)
    return any(abs(at[1] - end) < _SAME_TIME for end in ends)


def repeated(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check how many of each participant's frames were needlessly repeated or skipped.

    A frame that has to be repeated or skipped to convert the sender's frame rate to the file's frame rate does not
    count.
    """
    for one in evidence.visible_participants:
        if (video := one.report.video) is None:
            continue
        worst = max(video.repeated_percent, video.skipped_percent)
        tolerated = one.uneven <= limits.repeated_frames
        ok = worst <= limits.repeated_percent or tolerated
        warning = ok and worst > limits.repeated_warning_percent and not tolerated
        limit = "" if ok else f" (limit: {limits.repeated_percent:g} %)"
        text = (
            f"{video.repeated_percent:g} % of {one.name}'s frames are repeated and {video.skipped_percent:g} % are "
            f"skipped{limit}."
        )
        if video.late_percent:
            text += (
                f" {video.late_percent:g} % were painted too late or not at all, because {one.name}'s machine was too "
                "busy."
            )
        result: FindingResult = "warning" if warning else "passed" if ok else "failed"
        values = {"participant": one.name, "expected": limits.repeated_percent, "got": worst}
        yield assessed("repeated", result, text, _examined_video(one), **values)


def av_offset(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check every participant's A/V offset, in milliseconds."""
    for one in evidence.visible_participants:
        offset = one.report.av_offset_ms
        if offset is None:
            together = total(intersection(one.visible, one.audible))
            if not one.is_screen and together > _UNMEASURED and one.report.av_offset_missing:
                reason = _MISSING[one.report.av_offset_missing]
                remedy = _REMEDIES.get(one.report.av_offset_missing, _LISTEN)
                text = f"{one.name} is visible and audible, but the A/V offset is unknown: {reason}. {remedy}"
                yield Finding(check="av-offset", result="unverified", participant=one.name, message=text)
            continue
        limit, warning_limit = _offset_limits(one, offset.median, evidence, limits)
        ok = abs(offset.median) <= limit
        late = "late" if offset.median > 0 else "early"
        text = f"{abs(offset.median):.0f} ms {late}" if round(offset.median) else "in sync with the video"
        allowed = "" if ok else f" (limit: {limit:g} ms)"
        result: FindingResult = "failed" if not ok else "warning" if abs(offset.median) > warning_limit else "passed"
        message = f"{one.name}'s audio is {text}{allowed}."
        values = {"participant": one.name, "expected": limit, "got": offset.median}
        yield assessed("av-offset", result, message, _examined_sync(one), **values)
        if ok and len(one.offsets) >= FEWEST_FOR_P95 and offset.p95 > limits.av_offset_p95_ms:
            yield Finding(
                check="av-offset",
                result="failed",
                participant=one.name,
                expected=limits.av_offset_p95_ms,
                got=offset.p95,
                message=(
                    f"{one.name}'s audio is {offset.p95:.0f} ms early or late for at least 5 % of the time "
                    f"(limit: {limits.av_offset_p95_ms:g} ms)."
                ),
            )


def _offset_limits(
    participant: MeasuredParticipant, offset: float, evidence: Evidence, limits: Limits
) -> tuple[float, float]:
    """Return the maximum offset in the direction of ``offset``, and the offset that causes a warning, in ms."""
    if offset > 0:
        most, warning = limits.audio_late_ms, limits.audio_late_warning_ms
    else:
        most, warning = limits.audio_early_ms, limits.audio_early_warning_ms
    return min(most, limits.own_av_offset_ms) if _is_recording(participant, evidence) else most, warning


def _is_recording(participant: MeasuredParticipant, evidence: Evidence) -> bool:
    return evidence.recording is not None and evidence.recording.participant == participant.name


def drift(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check how fast every participant's A/V offset grows, if the offset was measured for at least a minute."""
    for one in evidence.visible_participants:
        ppm = one.report.drift_ppm
        if ppm is None:
            continue
        ok = abs(ppm) <= limits.drift_ppm
        limit = "" if ok else f" (limit: {limits.drift_ppm:g} ppm)"
        text = f"{one.name}'s audio drifts from the video by {ppm:.0f} ppm{limit}."
        values = {"participant": one.name, "expected": limits.drift_ppm, "got": ppm}
        yield assessed("drift", "passed" if ok else "failed", text, _examined_sync(one), **values)


def _examined_video(one: MeasuredParticipant) -> Examined:
    frames = one.report.video.frames if one.report.video else 0
    return Examined(frames=frames, seconds=total(one.visible), participants=1)


def _examined_sync(one: MeasuredParticipant) -> Examined:
    return Examined(seconds=total(intersection(one.visible, one.audible)), participants=1)
