"""The checks of the file as a whole: container, size, frame rate, duration, hash, completeness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.measures.file import missed, video_end
from harness.verification.values.findings import Finding, limited, milliseconds, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.recording.manifest import Manifest
    from harness.recording.timeline import Interval
    from harness.verification.measures.evidence import Evidence
    from harness.verification.probe.probe import Streams
    from harness.verification.values.limits import Limits

_BY_SUFFIX: Final = {".mkv": "matroska", ".mp4": "mp4", ".m4a": "mp4", ".wav": "wav"}
_WEBM_CODECS: Final = frozenset({"vp8", "vp9", "av1", "opus", "vorbis"})


def container(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check the container by its bytes: kind, tracks, index, order, and whether everything decodes."""
    problems = [
        Finding(check="container", ok=False, expected=expected, got=got, message=message)
        for expected, got, message in (*_kind(evidence), *_tracks(evidence), *_damage(evidence, limits))
    ]
    yield from problems
    if not problems:
        yield Finding(check="container", ok=True, message=f"{evidence.media.container}, complete and seekable")
    if unexamined := evidence.streams.unexamined:
        text = f"{evidence.path.name} also contains {', '.join(unexamined)}, which no check examines."
        yield Finding(check="container", ok=True, warning=True, message=text)


def _kind(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    name, streams = evidence.path.name, evidence.streams
    expected = _BY_SUFFIX.get(evidence.path.suffix.lower(), "webm")
    if streams.container != expected:
        yield expected, streams.container, f"{name} is {streams.container}, not {expected}."
    if streams.duration is None:
        yield "Duration", "none", f"{name} has no Duration: players don't show its length."
    empty = [*_empty_tracks(streams)]
    for kind in empty:
        yield f"{kind} packets", "none", f"The {kind} track of {name} contains no packets."
    if "video" in empty:
        # The index refers to its frames.
        return
    if streams.structure and not streams.structure.cues:
        yield "Cues", "none", f"{name} has no Cues: players can't seek."
    if not streams.seekable:
        yield "seekable", "not seekable", f"A seek to the middle of {name} does not arrive there."


def _empty_tracks(streams: Streams) -> Iterator[str]:
    if streams.video and not streams.video.decoded:
        yield "video"
    if streams.audio and not streams.audio.duration:
        yield "audio"


def _tracks(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    video, audio = evidence.media.video, evidence.media.audio
    codecs = [track.codec for track in (video, audio) if track]
    foreign = [codec for codec in codecs if codec not in _WEBM_CODECS]
    if foreign and evidence.media.container == "webm":
        yield "WebM's codecs", foreign[0], f"WebM can't contain {foreign[0]}."
    if evidence.manifest is None:
        return
    recording = evidence.manifest.recording
    audio_only = evidence.converted and evidence.path.suffix.lower() == ".wav"
    if recording.type == "video" and video is None and not audio_only:
        yield "video", "none", f"{evidence.path.name} contains no video."
    if recording.type == "audio" and video is not None:
        yield "audio only", "video", f"{evidence.path.name} contains video, but only audio was recorded."
    if audio is None:
        yield "audio", "none", f"{evidence.path.name} contains no audio."
    if codecs and recording.codec not in codecs and not evidence.converted:
        message = f"{evidence.path.name} contains {codecs[0]}, but {recording.codec} was recorded."
        yield recording.codec, codecs[0], message


def _damage(evidence: Evidence, limits: Limits) -> Iterator[tuple[str, str, str]]:
    streams = evidence.streams
    if streams.truncated or (streams.structure and not streams.structure.complete):
        yield "complete", "truncated", f"{evidence.path.name} is truncated: its bytes end before its elements do."
    for what, track in (("video", streams.video), ("audio", streams.audio)):
        if track and track.broken:
            yield "0", str(track.broken), f"{track.broken} {what} packets can't be decoded."
        if track and track.backward:
            yield "0", str(track.backward), f"{track.backward} {what} timestamps do not increase."
    if evidence.media.video and evidence.media.video.keyframe_gap > limits.keyframe:
        far = evidence.media.video.keyframe_gap
        yield f"{limits.keyframe:g} s", f"{far:.1f} s", f"There is no keyframe for {far:.1f} s: players seek slowly."
    starts = {
        "video": float(streams.video.times[0]) if streams.video and streams.video.times.size else 0.0,
        "audio": streams.audio.start if streams.audio else 0.0,
    }
    for what, start in starts.items():
        if abs(start) > limits.start:
            yield f"{limits.start:g} s", f"{start:.2f} s", f"The {what} starts at {start:.2f} s."


def size(evidence: Evidence, _limits: Limits) -> Iterator[Finding]:
    """Check the coded size of every frame, in pixels."""
    video = evidence.streams.video
    if video is None or not video.sizes:
        return
    recording = evidence.manifest.recording if evidence.manifest else None
    requested = (recording.width, recording.height) if recording and recording.width and recording.height else None
    width, height = requested or video.sizes[0][1:]
    expected = f"{width}x{height}"
    wrong = [
        Finding(
            check="size",
            ok=False,
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
        yield Finding(check="size", ok=True, expected=expected, got=expected, message=f"{expected} throughout")


def frame_rate(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check the frame rate; the check for gaps reports missing frames."""
    requested = evidence.manifest.recording.frame_rate if evidence.manifest else None
    video = evidence.streams.video
    if requested is None or video is None or evidence.rate is None or not np.ptp(video.times):
        return
    got = (video.times.size - 1 + missed(video, evidence.rate)) / float(np.ptp(video.times))
    # In a very short file the end of the last tick alone is over a percent: times are whole milliseconds.
    slack = requested * limits.frame_rate_percent / 100 + 2 * requested / 1000 / float(np.ptp(video.times))
    ok = abs(got - requested) <= slack
    message = f"{got:.2f} fps" if ok else f"The frame rate is {got:.2f} fps instead of {requested}."
    yield Finding(check="frame-rate", ok=ok, expected=float(requested), got=round(got, 2), message=message)


def duration(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check the durations of video and audio, against each other and against the stated ones."""
    streams, got = evidence.streams, evidence.media.duration
    stated = {
        "was requested": evidence.expected_duration,
        "is in the manifest": evidence.manifest.recording.duration if evidence.manifest else None,
        "is in the container": streams.duration,
        "passed on the page's clock": evidence.manifest.wall_seconds if evidence.manifest else None,
    }
    ends = {"video": video_end(streams.video, evidence.rate), "audio": streams.audio.end if streams.audio else 0}
    wrong = [
        Finding(
            check="duration",
            ok=False,
            expected=round(expected, 3),
            got=got,
            message=f"The recording lasts {got:.2f} s, but {expected:.2f} s {source}.",
        )
        for source, expected in stated.items()
        if expected is not None and abs(expected - got) > limits.duration
    ]
    if all(ends.values()) and abs(ends["video"] - ends["audio"]) > limits.duration:
        message = f"The video ends at {ends['video']:.2f} s and the audio at {ends['audio']:.2f} s."
        at = milliseconds((min(ends.values()), max(ends.values())))
        wrong.append(Finding(check="duration", ok=False, at=at, message=message))
    yield from wrong
    if not wrong:
        yield Finding(check="duration", ok=True, got=got, message=f"{got:.2f} s")


def hash_(evidence: Evidence, _limits: Limits) -> Iterator[Finding]:
    """Check whether the bytes are those that the manifest was written for."""
    if error := evidence.manifest_error:
        yield Finding(check="hash", ok=False, expected="a manifest", got="damaged", message=error)
    if evidence.manifest is None or evidence.sha256 is None:
        return
    expected = evidence.manifest.recording.sha256
    ok = expected == evidence.sha256
    message = "the file that was recorded" if ok else "The file is not the one that the manifest was written for."
    yield Finding(check="hash", ok=ok, expected=expected, got=evidence.sha256, message=message)


def complete(evidence: Evidence, _limits: Limits) -> Iterator[Finding]:
    """Report what went wrong during the recording according to the manifest: no stop, and each alarm with its time.

    These are warnings, unless the caller demands a complete recording.
    """
    if evidence.manifest is None:
        if evidence.expect_complete:
            text = "It is unknown whether the recording is complete: there is no manifest next to it."
            yield Finding(check="complete", ok=False, expected="a manifest", got="none", message=text)
        return
    wrong = [*_interruptions(evidence.manifest, evidence.media.duration)]
    yield from limited(
        [
            Finding(check="complete", ok=not evidence.expect_complete, warning=True, at=at, message=message)
            for at, message in wrong
        ]
    )
    if not wrong:
        yield Finding(check="complete", ok=True, message="stopped by a call, without an alarm")


def _interruptions(manifest: Manifest, duration: float) -> Iterator[tuple[Interval | None, str]]:
    if reason := manifest.recording.recovered:
        text = f"The recording ends at {duration:.2f} s and was not stopped: {reason.rstrip('.')}."
        yield milliseconds((duration, duration)), text
    timed = [event for event in manifest.timeline.events if event.event == "alarm"]
    for event in timed:
        at = max(0.0, event.at)
        yield milliseconds((at, at)), f"An alarm was raised at {at:.2f} s: {event.message or 'it gave no reason'}"
    known = {event.message for event in timed}
    for message in manifest.alarms:
        if message not in known:
            yield None, f"An alarm was raised: {message}"


def _ends(evidence: Evidence) -> list[float]:
    """Return when each frame size ends."""
    video = evidence.streams.video
    starts = [start for start, _, _ in video.sizes] if video else []
    return [*starts[1:], video_end(video, evidence.rate)]
