"""The checks for gaps, black video and silence, which do not need markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from harness.recording.manifest import Manifest
from harness.verification.measures.file import missed, off_grid, varies
from harness.verification.values.findings import Examined, Finding, limited, milliseconds, passed, span
from harness.verification.values.intervals import intersection, longer, merged, total, widened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.recording.timeline import Interval
    from harness.verification.measures.evidence import Evidence
    from harness.verification.probe.tracks import VideoFacts
    from harness.verification.values.limits import Limits

# If at least this share of a file is black or silent, the whole file counts as black or silent. The share is below 1,
# because the first moments of a file may differ from the rest.
_WHOLE: Final = 0.95
# Smaller amounts of lost CPU time, in seconds, are not mentioned.
_MENTIONED: Final = 0.1


def gap(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check the intervals between frames, and check the audio for gaps. In a call, check for gaps between its files."""
    if evidence.scope == "call":
        yield from _losses(evidence)
        return
    findings = [*_video_gaps(evidence, limits), *_audio_gaps(evidence, limits)]
    yield from findings
    gaps = evidence.media.video.gap_ms if evidence.media.video else None
    heard = evidence.streams.audio is not None and evidence.streams.audio.duration > 0
    if not findings and (gaps or heard):
        frames = [f"No gap between frames is longer than {gaps.max:g} ms."] if gaps else []
        audio = [f"The audio has no gap longer than {limits.audio_gap * 1000:g} ms."] if heard else []
        yield passed("gap", " ".join(frames + audio), evidence.examined_media)


def _losses(evidence: Evidence) -> Iterator[Finding]:
    """Report the intervals of a call that no file covers."""
    yield from limited(
        [
            Finding(
                check="gap",
                result="failed",
                file=loss.file,
                at=milliseconds(loss.at),
                expected="no gap",
                got=f"{(loss.at[1] - loss.at[0]) * 1000:.0f} ms",
                message=f"{loss.description} {span(loss.at)}.",
            )
            for loss in evidence.losses
        ]
    )
    if len(evidence.parts) > 1 and not evidence.losses and not any(one.doubt for one in evidence.parts):
        yield passed("gap", "There is no gap between the files.", evidence.examined_media)


def _video_gaps(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    video, rate = evidence.streams.video, evidence.rate
    if video is None or rate is None or video.times.size < 2:  # noqa: PLR2004 (a gap is between two frames)
        return
    gaps = np.diff(video.times) * 1000
    expected = f"{np.floor(1000 / rate):.0f} or {np.ceil(1000 / rate):.0f} ms"
    manifest = evidence.manifest if isinstance(evidence.manifest, Manifest) else None
    requested = manifest is not None and manifest.recording.frame_rate is not None
    if not requested and varies(video, rate, limits.gap_ms):
        text = (
            f"The frame rate varies: gaps between frames last {gaps.min():.0f} to {gaps.max():.0f} ms, so missing "
            "frames can't be detected."
        )
        yield _worst_gap(video, gaps, expected, text).model_copy(update={"result": "warning"})
        return
    off = off_grid(video, rate, limits.gap_ms)
    lost = missed(video, rate)
    counted = manifest.ticks_missed if manifest else 0
    if off.any():
        yield _worst_gap(
            video,
            np.where(off, gaps, 0),
            expected,
            f"{np.count_nonzero(off)} of {gaps.size} gaps between frames differ by more than {limits.gap_ms:g} ms from "
            f"a multiple of {1000 / rate:.1f} ms ({rate:.5g} fps).",
            longest="The longest of these gaps",
        )
    if lost > counted:
        noted = f", but the manifest reports {counted}" if manifest else ""
        text = f"{_frames(lost)} missing at {rate:.5g} fps{noted}."
        yield _worst_gap(video, gaps, expected, text)
    elif lost:
        percent = 100 * lost / (lost + video.times.size)
        few = percent <= limits.missed_percent
        text = (
            f"{_frames(lost)} missing ({percent:.1f} %; limit: {limits.missed_percent:g} %). According to the "
            f"manifest, the machine was too busy.{_lost_cpu_time(manifest)}"
        )
        yield _worst_gap(video, gaps, expected, text).model_copy(update={"result": "warning" if few else "failed"})


def _lost_cpu_time(manifest: Manifest | None) -> str:
    """Return sentences about the CPU time that was lost during the recording, each with a leading space."""
    throttled = manifest.throttled_seconds if manifest else None
    stolen = manifest.stolen_seconds if manifest else None
    text = ""
    if throttled and throttled >= _MENTIONED:
        text += f" The CPU limit of the container or control group throttled the harness for {throttled:.1f} s."
    if stolen and stolen >= _MENTIONED:
        text += f" The hypervisor gave {stolen:.1f} s of CPU time to other virtual machines."
    return text


def _frames(number: int) -> str:
    return "1 frame is" if number == 1 else f"{number} frames are"


def _worst_gap(
    video: VideoFacts, gaps: Iterable[float], expected: str, text: str, *, longest: str = "The longest gap"
) -> Finding:
    at = int(np.argmax(np.asarray(gaps)))
    where = milliseconds((float(video.times[at]), float(video.times[at + 1])))
    worst = round((where[1] - where[0]) * 1000)
    return Finding(
        check="gap",
        result="failed",
        at=where,
        expected=expected,
        got=f"{worst} ms",
        message=f"{text} {longest} is {worst} ms at {where[0]:.2f} s.",
    )


def _audio_gaps(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    audio = evidence.streams.audio
    for at in longer(audio.gaps, limits.audio_gap) if audio else ():
        yield Finding(
            check="gap",
            result="failed",
            at=milliseconds(at),
            expected=f"{limits.audio_gap * 1000:g} ms",
            got=f"{(at[1] - at[0]) * 1000:.0f} ms",
            message=f"The audio has a gap {span(at)} (limit: {limits.audio_gap * 1000:g} ms).",
        )


def black(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check that the video is never black while a participant should be visible."""
    if evidence.media.video is None:
        return
    wanted = None
    if evidence.scope == "file":
        if _is_excused(evidence, "video"):
            return
    elif evidence.manifest:
        timeline, duration = evidence.manifest.timeline, evidence.media.duration
        wanted = [interval for member in timeline.members for interval in timeline.visible(member.name, duration)]
    yield from _check_intervals("black", evidence, evidence.black, wanted, limits)


def silent(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check that the audio is never silent while a participant should be audible.

    Real speakers pause, so without a synthetic participant, the check only fails if the whole file is silent.
    """
    if not evidence.has_audio:
        return
    wanted = None
    if evidence.scope == "file":
        if _is_excused(evidence, "audio"):
            return
    elif evidence.manifest:
        timeline, duration = evidence.manifest.timeline, evidence.media.duration
        audible = {member: timeline.audible(member.name, duration) for member in timeline.members}
        synthetic = [interval for member, spans in audible.items() if member.marker is not None for interval in spans]
        wanted = synthetic if synthetic or not any(audible.values()) else None
    findings = [*_check_intervals("silent", evidence, evidence.silent, wanted, limits)]
    if (
        wanted is None
        and evidence.call_manifest is None
        and (at := _longest_silence(evidence, limits))
        and all(finding.result == "passed" for finding in findings)
    ):
        text = (
            f"The audio is silent for {at[1] - at[0]:.1f} s {span(at)}. Without a synthetic participant, it is unknown "
            "whether somebody should be audible."
        )
        yield Finding(check="silent", result="warning", at=milliseconds(at), message=text)
        return
    yield from findings


def _is_excused(evidence: Evidence, kind: Literal["video", "audio"]) -> bool:
    """Return whether nobody should be visible, or audible, while one of a call's files was recorded."""
    if evidence.call_manifest is None:
        return False
    timeline, end = evidence.call_manifest.timeline, evidence.whole[1]
    state = timeline.visible if kind == "video" else timeline.audible
    wanted = [interval for member in timeline.members for interval in state(member.name, end)]
    return not intersection(wanted, [evidence.whole])


def _longest_silence(evidence: Evidence, limits: Limits) -> Interval | None:
    """Return the longest silent interval if it is longer than the limit."""
    too_long = longer(evidence.silent, limits.long_silence)
    return max(too_long, key=lambda at: at[1] - at[0]) if too_long else None


def _check_intervals(
    check: Literal["black", "silent"],
    evidence: Evidence,
    found: Iterable[Interval],
    wanted: list[Interval] | None,
    limits: Limits,
) -> Iterator[Finding]:
    """Check for black or silent intervals.

    ``wanted`` holds the intervals in which a participant should be visible or audible, and is None if these intervals
    are unknown.
    """
    track, state = {"black": ("video", "visible"), "silent": ("audio", "audible")}[check]
    checked = widened(merged(wanted or ()), -limits.edge)
    if wanted is None:
        whole = total(found) >= _WHOLE * evidence.media.duration
        wrong = [evidence.whole] if whole else []
    else:
        if not total(checked):
            # No participant is expected to be visible or audible for long enough to be checked, so this check does not
            # apply.
            return
        wrong = longer(intersection(found, checked), getattr(limits, check))
    yield from limited(
        [
            Finding(
                check=check,
                result="failed",
                at=milliseconds(at),
                expected=f"{getattr(limits, check):g} s",
                got=f"{at[1] - at[0]:.2f} s",
                message=(
                    f"The {track} is {check} {span(at)}, which is at least {100 * _WHOLE:g} % of the recording."
                    f"{_other_track(evidence, track)}"
                    if wanted is None
                    else f"The {track} is {check} {span(at)}, although a participant should be {state} (limit: "
                    f"{getattr(limits, check):g} s)."
                ),
            )
            for at in wrong
        ]
    )
    if not wrong:
        text = (
            f"The {track} is not completely {check}."
            if wanted is None
            else f"The {track} is not {check} while a participant should be {state}."
        )
        seconds = evidence.media.duration if wanted is None else total(checked)
        frames = evidence.media.video.frames if check == "black" and evidence.media.video else 0
        yield passed(check, text, Examined(frames=frames, seconds=seconds))


def _other_track(evidence: Evidence, kind: str) -> str:
    """Return a sentence about another track of this kind that is neither black nor silent, or an empty string."""
    alike = [one for one in evidence.media.tracks if one.kind == kind and one.packets]
    mine = next((one.index for one in alike if one.examined), None)
    other = next((one.index for one in alike if not one.examined and not one.silent and not one.black), None)
    if other is None:
        return ""
    state = "black" if kind == "video" else "silent"
    return f" This is track {mine}. Track {other} is not {state}; to examine it, use --track {other}."
