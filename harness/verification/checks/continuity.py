"""The checks of what flows through a file and needs no marker: gaps, black pictures, silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from harness.verification.measures.file import missed, off_grid, varies
from harness.verification.values.findings import Finding, milliseconds, span, stretches
from harness.verification.values.intervals import grown, longer, merged, shared, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.recording.timeline import Interval
    from harness.verification.measures.evidence import Evidence
    from harness.verification.probe.tracks import PictureFacts
    from harness.verification.values.limits import Limits

# A file is black or silent as a whole when this share of it is; its first moments may be the other way.
_WHOLE: Final = 0.95


def gap(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check the time from each frame to the next, and look for holes in the audio."""
    findings = [*_picture_gaps(evidence, limits), *_sound_gaps(evidence, limits)]
    yield from findings
    gaps = evidence.media.video.gap_ms if evidence.media.video else None
    if not findings and (gaps or evidence.media.audio):
        message = f"no gap over {gaps.max:g} ms" if gaps else "no hole in the audio"
        yield Finding(check="gap", ok=True, message=message)


def _picture_gaps(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    picture, rate = evidence.streams.picture, evidence.rate
    if picture is None or rate is None or picture.times.size < 2:  # noqa: PLR2004 (a gap is between two frames)
        return
    gaps = np.diff(picture.times) * 1000
    expected = f"{np.floor(1000 / rate):.0f} or {np.ceil(1000 / rate):.0f} ms"
    promised = evidence.manifest is not None and evidence.manifest.recording.frame_rate is not None
    if not promised and varies(picture, rate, limits.gap_ms):
        text = (
            f"The frame rate varies: gaps between frames last {gaps.min():.0f} to {gaps.max():.0f} ms, so nothing can "
            "be said about missing frames"
        )
        yield _worst_gap(picture, gaps, expected, text).model_copy(update={"ok": True, "warning": True})
        return
    off = off_grid(picture, rate, limits.gap_ms)
    lost = missed(picture, rate)
    counted = evidence.manifest.ticks_missed if evidence.manifest else 0
    if off.any():
        yield _worst_gap(
            picture,
            np.where(off, gaps, 0),
            expected,
            f"{np.count_nonzero(off)} of {gaps.size} gaps between frames are off the grid of {rate:.5g} fps",
        )
    if lost > counted:
        noted = f", and the manifest counts {counted}" if evidence.manifest else ""
        yield _worst_gap(picture, gaps, expected, f"{_frames(lost)} missing from the grid of {rate:.5g} fps{noted}")
    elif lost:
        percent = 100 * lost / (lost + picture.times.size)
        few = percent <= limits.missed_percent
        text = f"{_frames(lost)} missing ({percent:.1f} %): the machine was too busy, and the manifest counts them"
        yield _worst_gap(picture, gaps, expected, text).model_copy(update={"ok": few, "warning": few})


def _frames(number: int) -> str:
    return "1 frame is" if number == 1 else f"{number} frames are"


def _worst_gap(picture: PictureFacts, gaps: Iterable[float], expected: str, text: str) -> Finding:
    at = int(np.argmax(np.asarray(gaps)))
    where = milliseconds((float(picture.times[at]), float(picture.times[at + 1])))
    worst = round((where[1] - where[0]) * 1000)
    return Finding(
        check="gap",
        ok=False,
        at=where,
        expected=expected,
        got=f"{worst} ms",
        message=f"{text}; the longest is {worst} ms at {where[0]:.2f} s.",
    )


def _sound_gaps(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    sound = evidence.streams.sound
    for hole in longer(sound.holes, limits.audio_gap) if sound else ():
        yield Finding(
            check="gap",
            ok=False,
            at=milliseconds(hole),
            expected=f"{limits.audio_gap * 1000:g} ms",
            got=f"{(hole[1] - hole[0]) * 1000:.0f} ms",
            message=f"There is a hole in the sound {span(hole)}.",
        )


def black(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Judge whether the whole picture is black while somebody should be seen."""
    if evidence.media.video is None:
        return
    wanted = None
    if evidence.manifest:
        timeline, duration = evidence.manifest.timeline, evidence.media.duration
        wanted = [interval for member in timeline.members for interval in timeline.visible(member.name, duration)]
    yield from _lacking("black", evidence, evidence.black, wanted, limits)


def silent(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Judge whether the whole mix is silent while somebody should be heard.

    Real people may pause, so without a synthetic voice only a silent file is a finding.
    """
    if evidence.media.audio is None:
        return
    wanted = None
    if evidence.manifest:
        timeline, duration = evidence.manifest.timeline, evidence.media.duration
        heard = {member: timeline.audible(member.name, duration) for member in timeline.members}
        synthetic = [interval for member, spans in heard.items() if member.marker is not None for interval in spans]
        wanted = synthetic if synthetic or not any(heard.values()) else None
    yield from _lacking("silent", evidence, evidence.silent, wanted, limits)


def _lacking(
    check: Literal["black", "silent"],
    evidence: Evidence,
    found: Iterable[Interval],
    wanted: list[Interval] | None,
    limits: Limits,
) -> Iterator[Finding]:
    """Judge the intervals that are black or silent; ``wanted`` is when they must not be, None if nobody says."""
    text = {"black": "The picture is black", "silent": "There is no sound"}[check]
    if wanted is None:
        whole = total(found) >= _WHOLE * evidence.media.duration
        wrong = [(0.0, evidence.media.duration)] if whole else []
    else:
        examined = grown(merged(wanted), -limits.edge)
        if not total(examined):
            # Nobody should be visible or audible for long enough to tell: this check has nothing to say.
            return
        wrong = longer(shared(found, examined), getattr(limits, check))
    yield from stretches(
        [
            Finding(
                check=check,
                ok=False,
                at=milliseconds(at),
                expected=f"{getattr(limits, check):g} s",
                got=f"{at[1] - at[0]:.2f} s",
                message=f"{text} {span(at)}.",
            )
            for at in wrong
        ]
    )
    if not wrong:
        yield Finding(check=check, ok=True, message={"black": "not black", "silent": "not silent"}[check])
