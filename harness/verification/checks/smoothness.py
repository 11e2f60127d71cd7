"""The checks of how smoothly each participant's video and audio run: frozen, repeated, A/V offset, drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.verification.values.findings import Finding, milliseconds, span, stretches
from harness.verification.values.intervals import longer, shared, subtract, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.recording.timeline import Interval
    from harness.verification.measures.evidence import Evidence
    from harness.verification.measures.participants import Person
    from harness.verification.values.limits import Limits

# A participant who is visible and audible for this many seconds has played at least two bursts.
_UNMEASURED: Final = 3.0
# The last frame is visible until the next tick, and the manifest's times are accurate to a few ticks.
_AT_ONCE: Final = 0.15


def frozen(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Judge whether everybody's picture moves; what is black or missing as a whole is for other checks."""
    for person in evidence.visible_people:
        intervals = person.facts.video.frozen if person.facts.video else ()
        stays = [at for at in intervals if not _going(person, at, evidence, limits)]
        still = longer(subtract(stays, evidence.video_missing), limits.frozen)
        yield from stretches(
            [
                Finding(
                    check="frozen",
                    ok=False,
                    participant=person.name,
                    at=milliseconds(at),
                    expected=f"{limits.frozen:g} s",
                    got=f"{at[1] - at[0]:.2f} s",
                    message=f"{person.name} is frozen {span(at)}.",
                )
                for at in still
            ]
        )
        if not still:
            yield Finding(check="frozen", ok=True, participant=person.name, message="moves throughout")


def _going(person: Person, at: Interval, evidence: Evidence, limits: Limits) -> bool:
    """Tell whether a picture stands only until it was known that nothing more comes, no longer than that takes."""
    if evidence.manifest is None or at[1] - at[0] > limits.edge:
        return False
    duration = evidence.media.duration
    ends = (end for _, end in evidence.manifest.timeline.visible(person.name, duration) if end < duration)
    return any(abs(at[1] - end) < _AT_ONCE for end in ends)


def repeated(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Judge how many pictures of everybody are repeated or skipped, beyond exact rate conversion."""
    for person in evidence.visible_people:
        if (video := person.facts.video) is None:
            continue
        worst = max(video.repeated_percent, video.skipped_percent)
        ok = worst <= limits.repeated_percent or person.uneven <= limits.repeated_frames
        text = f"{video.repeated_percent:g} % repeated and {video.skipped_percent:g} % skipped"
        yield Finding(
            check="repeated",
            ok=ok,
            participant=person.name,
            expected=limits.repeated_percent,
            got=worst,
            message=text if ok else f"Of {person.name}'s frames, {text}.",
        )


def av_offset(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Judge how far everybody's sound is from the picture, in milliseconds."""
    for person in evidence.visible_people:
        spread = person.facts.av_offset_ms
        if spread is None:
            if person.own_voice and total(shared(person.visible, person.audible)) > _UNMEASURED:
                text = f"{person.name} is visible and audible, but no burst was found to measure the A/V offset."
                yield Finding(check="av-offset", ok=True, warning=True, participant=person.name, message=text)
            continue
        limit = limits.own_av_offset_ms if _records(person, evidence) else limits.av_offset_ms
        ok = abs(spread.median) <= limit
        side = "late" if spread.median > 0 else "early"
        yield Finding(
            check="av-offset",
            ok=ok,
            participant=person.name,
            expected=limit,
            got=spread.median,
            message=f"audio {abs(spread.median):.0f} ms {side}"
            if ok
            else f"{person.name}'s audio is {abs(spread.median):.0f} ms {side}.",
        )


def _records(person: Person, evidence: Evidence) -> bool:
    return evidence.manifest is not None and evidence.manifest.recording.participant == person.name


def drift(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Judge how fast everybody's sound moves away from the picture, where it was followed for a minute."""
    for person in evidence.visible_people:
        ppm = person.facts.drift_ppm
        if ppm is None:
            continue
        ok = abs(ppm) <= limits.drift_ppm
        yield Finding(
            check="drift",
            ok=ok,
            participant=person.name,
            expected=limits.drift_ppm,
            got=ppm,
            message=f"{ppm:.0f} ppm" if ok else f"{person.name}'s audio drifts from the video by {ppm:.0f} ppm.",
        )
