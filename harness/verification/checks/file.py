"""The checks for the file as a whole: size, frame rate, duration, hash and completeness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recording.manifest import Manifest
from harness.verification.measures.file import missed, video_end
from harness.verification.values.findings import Examined, Finding, limited, milliseconds, passed, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.recording.manifest import AnyManifest
    from harness.recording.timeline import Interval
    from harness.verification.measures.evidence import Evidence
    from harness.verification.values.limits import Limits
    from harness.verification.values.models import AlignedBy


_ALIGNED_BY: Final[Mapping[AlignedBy, str]] = {
    "markers": "the capture times in the videos",
    "playlist": "the playlist's clock",
    "start time": "the start times that the files state",
    "bursts": "the bursts in the audio",
    "order": "their order",
}


def timeline(evidence: Evidence, _limits: Limits) -> Iterator[Finding]:
    """Check whether all files of a call could be put onto one timeline, and whether each participant is in one file."""
    doubtful = [one for one in evidence.parts if one.doubt]
    for one in doubtful:
        yield Finding(
            check="timeline", result="unverified", file=one.name, at=milliseconds(one.at), message=str(one.doubt)
        )
    for double in evidence.doubles:
        text = (
            f"{double.participant}'s {double.kind} is in {double.examined} and in {double.other} at the same time, "
            f"and was examined only in {double.examined}. Verify {double.other} on its own."
        )
        yield Finding(
            check="timeline", result="unverified", participant=double.participant, file=double.other, message=text
        )
    if len(evidence.parts) > 1 and not doubtful:
        ways = dict.fromkeys(_ALIGNED_BY[one.aligned_by] for one in evidence.parts)
        text = f"The {len(evidence.parts)} files were put onto one timeline by {' and '.join(ways)}."
        yield passed("timeline", text, evidence.examined_media)


def size(evidence: Evidence, _limits: Limits) -> Iterator[Finding]:
    """Check the size of every frame, in pixels."""
    video = evidence.streams.video
    if video is None or not video.sizes:
        return
    recording = evidence.recording
    requested = (recording.width, recording.height) if recording and recording.width and recording.height else None
    width, height = requested or video.sizes[0][1:]
    expected = f"{width}x{height}"
    wrong = [
        Finding(
            check="size",
            result="failed",
            at=milliseconds((start, end)),
            expected=expected,
            got=f"{wide}x{high}",
            message=f"The video is {wide}x{high} instead of {expected} {span((start, end))}.",
        )
        for (start, wide, high), end in zip(video.sizes, _ends(evidence), strict=True)
        if (wide, high) != (width, height)
    ]
    yield from limited(wrong)
    if not wrong:
        text = f"The size of every frame is {expected}."
        yield passed("size", text, evidence.examined_frames, expected=expected, got=expected)


def frame_rate(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check the frame rate. Missing frames count as present, because the ``gap`` check reports them."""
    requested = evidence.recording.frame_rate if evidence.recording else None
    video = evidence.streams.video
    if requested is None or video is None or evidence.rate is None or not np.ptp(video.times):
        return
    got = (video.times.size - 1 + missed(video, evidence.rate)) / float(np.ptp(video.times))
    # Times are rounded to whole milliseconds. In a very short file, this rounding alone changes the rate by more than
    # one percent.
    slack = requested * limits.frame_rate_percent / 100 + 2 * requested / 1000 / float(np.ptp(video.times))
    ok = abs(got - requested) <= slack
    values = {"expected": float(requested), "got": round(got, 2)}
    if ok:
        yield passed("frame-rate", f"The frame rate is {got:.2f} fps.", evidence.examined_frames, **values)
    else:
        text = f"The frame rate is {got:.2f} fps instead of {requested} fps (allowed deviation: {slack:.2f} fps)."
        yield Finding(check="frame-rate", result="failed", message=text, **values)


def duration(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Compare the durations of video and audio with each other and with the stated durations."""
    streams, got = evidence.streams, evidence.media.duration
    # A manifest that was joined from several manifests states nothing about the duration of the call.
    manifest = None if evidence.joined else evidence.manifest
    stated = {
        "the requested duration": evidence.expected_duration,
        "the manifest's duration": manifest.recording.duration if manifest and manifest.recording else None,
        "the container's duration": streams.duration,
        "the playlist's duration": evidence.stated_duration,
        "the elapsed time on the page's clock": manifest.wall_seconds if isinstance(manifest, Manifest) else None,
    }
    allowed = f" (allowed difference: {limits.duration:g} s)"
    pairs = [ends for ends in evidence.track_ends if all(ends.values())]
    wrong = [
        Finding(
            check="duration",
            result="failed",
            expected=round(expected, 3),
            got=got,
            message=f"The recording lasts {got:.2f} s, but {source} is {expected:.2f} s{allowed}.",
        )
        for source, expected in stated.items()
        if expected is not None and abs(expected - got) > limits.duration
    ]
    for ends in pairs:
        if abs(ends["video"] - ends["audio"]) > limits.duration:
            message = f"The video ends at {ends['video']:.2f} s and the audio at {ends['audio']:.2f} s{allowed}."
            at = milliseconds((min(ends.values()), max(ends.values())))
            wrong.append(Finding(check="duration", result="failed", at=at, message=message))
    yield from wrong
    if wrong:
        return
    # Without a stated duration, and without both video and audio, there is nothing to compare.
    if pairs or any(expected is not None for expected in stated.values()):
        yield passed("duration", f"The recording lasts {got:.2f} s.", Examined(seconds=got), got=got)


def hash_(evidence: Evidence, _limits: Limits) -> Iterator[Finding]:
    """Check whether the file has the SHA-256 hash that its manifest states."""
    if error := evidence.manifest_error:
        yield Finding(check="hash", result="failed", expected="a manifest", got="damaged", message=error)
    if evidence.recording is None or evidence.sha256 is None:
        return
    values = {"expected": evidence.recording.sha256, "got": evidence.sha256}
    if values["expected"] == values["got"]:
        yield passed("hash", "The file's SHA-256 matches its manifest.", Examined(bytes=evidence.media.size), **values)
    else:
        text = "The file's SHA-256 does not match its manifest: the file was changed or replaced after it was recorded."
        yield Finding(check="hash", result="failed", message=text, **values)


def complete(evidence: Evidence, _limits: Limits) -> Iterator[Finding]:
    """Report the problems that the manifest mentions: a recording that was not stopped normally, and every alarm.

    An abnormal stop or an alarm is reported as a warning, or as a failure if the caller expects a complete recording.
    """
    if evidence.alignment is not None:
        yield from _complete_observation(evidence)
        return
    if evidence.joined or (evidence.scope == "file" and evidence.manifest is None):
        return
    if not isinstance(evidence.manifest, Manifest):
        if evidence.expect_complete:
            text = "It is unknown whether the recording is complete: there is no manifest next to it."
            yield Finding(check="complete", result="failed", expected="a manifest", got="none", message=text)
        return
    if reason := evidence.manifest.recording.download_failure:
        text = f"The browser did not download the file ({reason}); the file was taken from the spool."
        yield Finding(check="complete", result="warning", message=text)
    wrong = [*_interruptions(evidence.manifest, evidence.whole[1])]
    result: Final = "failed" if evidence.expect_complete else "warning"
    yield from limited([Finding(check="complete", result=result, at=at, message=message) for at, message in wrong])
    if not wrong:
        text = "The recording was stopped normally, and no alarm was raised."
        yield passed("complete", text, Examined(seconds=evidence.media.duration))


def _complete_observation(evidence: Evidence) -> Iterator[Finding]:
    """Report every alarm of the observation. An observation can't show whether another recorder stopped normally."""
    if evidence.expect_complete:
        text = (
            "It is unknown whether the recording is complete, because the manifest is an observation, which does not "
            "contain whether the recorder was stopped normally."
        )
        yield Finding(check="complete", result="unverified", message=text)
    alarms = _alarms(evidence.manifest) if evidence.manifest else ()
    yield from limited([Finding(check="complete", result="warning", at=at, message=text) for at, text in alarms])


def _interruptions(manifest: Manifest, end: float) -> Iterator[tuple[Interval | None, str]]:
    if reason := manifest.recording.recovered:
        text = f"The recording ends at {end:.2f} s and was not stopped normally: {reason.rstrip('.')}."
        yield milliseconds((end, end)), text
    yield from _alarms(manifest)


def _alarms(manifest: AnyManifest) -> Iterator[tuple[Interval | None, str]]:
    timed = [event for event in manifest.timeline.events if event.event == "alarm"]
    for event in timed:
        at = max(0.0, event.at)
        yield milliseconds((at, at)), f"An alarm was raised at {at:.2f} s: {event.message or 'no reason was given'}"
    known = {event.message for event in timed}
    for message in manifest.alarms:
        if message not in known:
            yield None, f"An alarm was raised: {message}"


def _ends(evidence: Evidence) -> list[float]:
    """Return the end, in seconds, of each interval in which the frame size stays the same."""
    video = evidence.streams.video
    starts = [start for start, _, _ in video.sizes] if video else []
    return [*starts[1:], video_end(video, evidence.rate)]
