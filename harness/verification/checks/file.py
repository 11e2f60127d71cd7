"""The checks of the file as a whole: container, size, rate, length, hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.verification.measures.file import missed, picture_end
from harness.verification.values.findings import Finding, milliseconds, span, stretches

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
    """Judge the container by its bytes: kind, tracks, index, order, and whether everything decodes."""
    problems = [
        Finding(check="container", ok=False, expected=expected, got=got, message=message)
        for expected, got, message in (*_kind(evidence), *_tracks(evidence), *_damage(evidence, limits))
    ]
    yield from problems
    if not problems:
        yield Finding(check="container", ok=True, message=f"{evidence.media.container}, complete and seekable")
    if left := evidence.streams.unexamined:
        text = f"{evidence.path.name} also holds {', '.join(left)}, which nothing here examines."
        yield Finding(check="container", ok=True, warning=True, message=text)


def _kind(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    name, streams = evidence.path.name, evidence.streams
    expected = _BY_SUFFIX.get(evidence.path.suffix.lower(), "webm")
    if streams.container != expected:
        yield expected, streams.container, f"{name} is {streams.container}, not {expected}."
    if streams.duration is None:
        yield "Duration", "none", f"{name} has no Duration: players show no length."
    empty = [*_empty_tracks(streams)]
    for kind in empty:
        yield f"{kind} packets", "none", f"{name} declares {kind} and holds none."
    if "video" in empty:
        # The index is about its frames.
        return
    if streams.structure and not streams.structure.cues:
        yield "Cues", "none", f"{name} has no Cues: players can't jump."
    if not streams.lands:
        yield "lands", "does not", f"A seek to the middle of {name} does not land there."


def _empty_tracks(streams: Streams) -> Iterator[str]:
    if streams.picture and not streams.picture.decoded:
        yield "video"
    if streams.sound and not streams.sound.duration:
        yield "audio"


def _tracks(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    video, audio = evidence.media.video, evidence.media.audio
    codecs = [track.codec for track in (video, audio) if track]
    foreign = [codec for codec in codecs if codec not in _WEBM_CODECS]
    if foreign and evidence.media.container == "webm":
        yield "WebM's codecs", foreign[0], f"WebM does not hold {foreign[0]}."
    if evidence.manifest is None:
        return
    told = evidence.manifest.recording
    sound_alone = evidence.converted and evidence.path.suffix.lower() == ".wav"
    if told.type == "video" and video is None and not sound_alone:
        yield "picture", "none", "There is no picture in it."
    if told.type == "audio" and video is not None:
        yield "sound alone", "picture", "There is a picture in a recording of sound."
    if audio is None:
        yield "sound", "none", "There is no sound in it."
    if codecs and told.codec not in codecs and not evidence.converted:
        yield told.codec, codecs[0], f"It holds {codecs[0]}, and {told.codec} was recorded."


def _damage(evidence: Evidence, limits: Limits) -> Iterator[tuple[str, str, str]]:
    streams = evidence.streams
    if streams.cut or (streams.structure and not streams.structure.complete):
        yield "complete", "cut off", f"{evidence.path.name} is cut off: its bytes end before its elements do."
    for what, track in (("picture", streams.picture), ("sound", streams.sound)):
        if track and track.broken:
            yield "0", str(track.broken), f"{track.broken} packets of the {what} don't decode."
        if track and track.backward:
            yield "0", str(track.backward), f"{track.backward} times of the {what} go backward or stand still."
    if evidence.media.video and evidence.media.video.keyframe_gap > limits.keyframe:
        far = evidence.media.video.keyframe_gap
        yield f"{limits.keyframe:g} s", f"{far:.1f} s", f"For {far:.1f} s there is no keyframe: players jump slowly."
    starts = {
        "picture": float(streams.picture.times[0]) if streams.picture and streams.picture.times.size else 0.0,
        "sound": streams.sound.start if streams.sound else 0.0,
    }
    for what, start in starts.items():
        if abs(start) > limits.start:
            yield f"{limits.start:g} s", f"{start:.2f} s", f"The {what} begins at {start:.2f} s."


def size(evidence: Evidence, _limits: Limits) -> Iterator[Finding]:
    """Judge the coded size of every picture, in pixels."""
    picture = evidence.streams.picture
    if picture is None or not picture.sizes:
        return
    told = evidence.manifest.recording if evidence.manifest else None
    width, height = (told.width, told.height) if told and told.width and told.height else picture.sizes[0][1:]
    expected = f"{width}x{height}"
    wrong = [
        Finding(
            check="size",
            ok=False,
            at=milliseconds((start, end)),
            expected=expected,
            got=f"{wide}x{high}",
            message=f"The picture is {wide}x{high} instead of {expected} {span((start, end))}.",
        )
        for (start, wide, high), end in zip(picture.sizes, _ends(evidence), strict=True)
        if (wide, high) != (width, height)
    ]
    yield from stretches(wrong)
    if not wrong:
        yield Finding(check="size", ok=True, expected=expected, got=expected, message=f"{expected} throughout")


def frame_rate(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Judge the pictures a second; what is missing from the grid is for the gaps."""
    told = evidence.manifest.recording.frame_rate if evidence.manifest else None
    picture = evidence.streams.picture
    if told is None or picture is None or evidence.rate is None or not np.ptp(picture.times):
        return
    got = (picture.times.size - 1 + missed(picture, evidence.rate)) / float(np.ptp(picture.times))
    # In a very short file the end of the last tick alone is over a percent: times are whole milliseconds.
    slack = told * limits.frame_rate_percent / 100 + 2 * told / 1000 / float(np.ptp(picture.times))
    ok = abs(got - told) <= slack
    message = f"{got:.2f} pictures a second" + ("" if ok else f" instead of {told}")
    yield Finding(check="frame-rate", ok=ok, expected=float(told), got=round(got, 2), message=message)


def duration(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Judge how long picture and sound last, against each other and what they were said to."""
    streams, got = evidence.streams, evidence.media.duration
    told = {
        "asked for": evidence.asked_duration,
        "in the manifest": evidence.manifest.recording.duration if evidence.manifest else None,
        "in the container": streams.duration,
        "by the clock of the page": evidence.manifest.wall_seconds if evidence.manifest else None,
    }
    ends = {"picture": picture_end(streams.picture, evidence.rate), "sound": streams.sound.end if streams.sound else 0}
    wrong = [
        Finding(
            check="duration",
            ok=False,
            expected=round(expected, 3),
            got=got,
            message=f"It lasts {got:.2f} s, and {expected:.2f} s are {who}.",
        )
        for who, expected in told.items()
        if expected is not None and abs(expected - got) > limits.duration
    ]
    if all(ends.values()) and abs(ends["picture"] - ends["sound"]) > limits.duration:
        message = f"The picture ends at {ends['picture']:.2f} s and the sound at {ends['sound']:.2f} s."
        at = milliseconds((min(ends.values()), max(ends.values())))
        wrong.append(Finding(check="duration", ok=False, at=at, message=message))
    yield from wrong
    if not wrong:
        yield Finding(check="duration", ok=True, got=got, message=f"{got:.2f} s")


def hash_(evidence: Evidence, _limits: Limits) -> Iterator[Finding]:
    """Judge whether the bytes are those that the manifest was written for."""
    if evidence.unreadable:
        yield Finding(check="hash", ok=False, expected="a manifest", got="damaged", message=evidence.unreadable)
    if evidence.manifest is None or evidence.sha256 is None:
        return
    told = evidence.manifest.recording.sha256
    ok = told == evidence.sha256
    message = "the file that was recorded" if ok else "The file is not the one that the manifest was written for."
    yield Finding(check="hash", ok=ok, expected=told, got=evidence.sha256, message=message)


def complete(evidence: Evidence, _limits: Limits) -> Iterator[Finding]:
    """Report what the manifest says went wrong while recording: that nobody stopped it, and each alarm with its time.

    These are warnings, unless the caller demands a complete recording.
    """
    if evidence.manifest is None:
        if evidence.asked_complete:
            text = "Nothing says whether the recording is complete: there is no manifest beside it."
            yield Finding(check="complete", ok=False, expected="a manifest", got="none", message=text)
        return
    wrong = [*_interruptions(evidence.manifest, evidence.media.duration)]
    yield from stretches(
        [
            Finding(check="complete", ok=not evidence.asked_complete, warning=True, at=at, message=message)
            for at, message in wrong
        ]
    )
    if not wrong:
        yield Finding(check="complete", ok=True, message="stopped by a call, without an alarm")


def _interruptions(manifest: Manifest, duration: float) -> Iterator[tuple[Interval | None, str]]:
    if reason := manifest.recording.recovered:
        text = f"The recording ends at {duration:.2f} s without having been stopped: {reason.rstrip('.')}."
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
    """Return when each size of the picture ends."""
    picture = evidence.streams.picture
    starts = [start for start, _, _ in picture.sizes] if picture else []
    return [*starts[1:], picture_end(picture, evidence.rate)]
