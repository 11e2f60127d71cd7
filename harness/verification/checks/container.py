"""The check for the container: format, sizes, index, tracks and timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from harness.verification.probe.track_set import MOST_DECODED
from harness.verification.probe.tracks import AudioFacts, VideoFacts
from harness.verification.values.findings import Examined, Finding, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.verification.measures.evidence import Evidence
    from harness.verification.probe.probe import Streams
    from harness.verification.probe.track_set import TrackFacts
    from harness.verification.values.limits import Limits
    from harness.verification.values.models import Track

# The formats that a suffix allows. A file with any other suffix may have any format.
_BY_SUFFIX: Final[dict[str, tuple[str, ...]]] = {
    ".webm": ("webm",),
    # WebM is a subset of Matroska.
    **dict.fromkeys((".mkv", ".mka", ".mk3d"), ("matroska", "webm")),
    **dict.fromkeys((".mp4", ".m4v", ".m4a", ".m4b"), ("mp4", "m4a")),
    **dict.fromkeys((".mov", ".qt"), ("mov",)),
    **dict.fromkeys((".ts", ".mts", ".m2ts"), ("mpegts",)),
    **dict.fromkeys((".ogg", ".oga", ".ogv", ".opus"), ("ogg",)),
    **dict.fromkeys((".aif", ".aiff"), ("aiff",)),
    **{f".{name}": (name,) for name in ("wav", "mp3", "flac", "aac", "avi", "flv", "ivf", "w64")},
}
_WEBM_CODECS: Final = frozenset({"vp8", "vp9", "av1", "opus", "vorbis"})


class _Problem(NamedTuple):
    """A problem that makes the check fail, or only causes a warning."""

    expected: str
    got: str
    message: str
    warning: bool = False


def container(evidence: Evidence, limits: Limits) -> Iterator[Finding]:
    """Check the format, tracks, index and timestamps of the file, and whether every packet can be decoded."""
    problems = [
        *_format(evidence),
        *_bytes(evidence),
        *_index(evidence),
        *_required_tracks(evidence),
        *_packets(evidence),
        *_times(evidence, limits),
    ]
    for one in problems:
        yield Finding(
            check="container",
            result="warning" if one.warning else "failed",
            expected=one.expected,
            got=one.got,
            message=one.message,
        )
    if all(one.warning for one in problems):
        seekable = " and seekable" if evidence.media.seekable else ""
        text = f"{evidence.name} is a complete{seekable} {evidence.media.container} file."
        yield passed("container", text, Examined(bytes=evidence.media.size, seconds=evidence.media.duration))
    yield from _other_tracks(evidence)


def _format(evidence: Evidence) -> Iterator[_Problem]:
    """Compare the format with the file's suffix, or with the manifest if the suffix names no format."""
    name, got = evidence.name, evidence.streams.container
    recording = evidence.recording
    recorded = ("webm",) if recording and "/webm" in recording.mime_type else (got,)
    allowed = _BY_SUFFIX.get(evidence.path.suffix.lower(), recorded)
    if got not in allowed:
        yield _Problem(allowed[0], got, f"The container of {name} is {got} instead of {allowed[0]}.")


def _bytes(evidence: Evidence) -> Iterator[_Problem]:
    """Report declared sizes that do not match the file's bytes, and any recording that follows the first one."""
    name, structure = evidence.name, evidence.streams.structure
    if structure and structure.second is not None and evidence.streams.segmented:
        text = (
            f"In the segments of {name}, another recording begins at byte {structure.second}, so players show wrong "
            "times. Mark the place as a discontinuity in the playlist."
        )
        yield _Problem("one recording", "several recordings", text)
    elif structure and structure.second is not None:
        text = (
            f"In {name}, a second recording begins at byte {structure.second}, so players show only one of them, or "
            "show wrong times. Only the first recording was examined. Split the file at this byte."
        )
        yield _Problem("one recording", "several recordings", text)
    if structure and structure.damage:
        yield _Problem("complete", "truncated", f"{name} is truncated or damaged: {structure.damage}.")
    elif evidence.streams.truncated:
        yield _Problem("complete", "truncated", f"{name} is truncated or damaged: it ends unexpectedly.")


def _index(evidence: Evidence) -> Iterator[_Problem]:
    """Report a missing or wrong index. Only formats that have an index need one."""
    name, streams = evidence.name, evidence.streams
    structure = streams.structure
    if streams.segmented and not streams.seekable:
        text = f"The segments of {name} do not begin with keyframes, so players can't start in the middle."
        yield _Problem("keyframes", "none", text, warning=True)
    if structure is None or not structure.indexed or streams.segmented:
        return
    if structure.ebml and structure.duration is None:
        yield _Problem("Duration", "none", f"{name} has no Duration element, so players can't show its length.")
    if streams.video and not streams.video.times.size:
        # The index refers to frames, so it can't be checked without them.
        return
    if structure.ebml and not structure.cues:
        yield _Problem("Cues", "none", f"{name} has no Cues element, so players can't seek.")
    if structure.wrong_index:
        yield _Problem("correct Cues", "wrong Cues", f"Players can't seek in {name}: {structure.wrong_index}.")
    if not streams.seekable:
        text = f"Seeking to the middle of {name} fails or ends up in the wrong place."
        yield _Problem("seekable", "not seekable", text)


def _required_tracks(evidence: Evidence) -> Iterator[_Problem]:
    """Compare the tracks and codecs with those that the format and the manifest allow."""
    name, streams = evidence.name, evidence.streams
    video, audio = streams.video, streams.audio
    codecs = [track.codec for track in (video, audio) if track]
    foreign = [codec for codec in codecs if codec not in _WEBM_CODECS]
    if foreign and streams.container == "webm":
        yield _Problem("WebM's codecs", foreign[0], f"{name} is a WebM file, which can't contain {foreign[0]}.")
    if (recording := evidence.recording) is None:
        return
    audio_only = evidence.converted and evidence.path.suffix.lower() in {".wav", ".m4a"}
    if recording.type == "video" and video is None and not audio_only:
        yield _Problem("video", "none", f"{name} contains no video, although video was recorded.")
    if recording.type == "audio" and video is not None:
        yield _Problem("audio only", "video", f"{name} contains video, but an audio-only recording was requested.")
    if audio is None:
        yield _Problem("audio", "none", f"{name} contains no audio.")
    if codecs and recording.codec not in codecs and not evidence.converted:
        message = f"{name} contains {codecs[0]}, but it was recorded as {recording.codec}."
        yield _Problem(recording.codec, codecs[0], message)


def _packets(evidence: Evidence) -> Iterator[_Problem]:
    """Report tracks without packets, packets that can't be decoded, and timestamps that do not increase."""
    for track in evidence.streams.tracks:
        if track.media is None:
            continue
        if not track.media.packets:
            text = f"{evidence.name} declares {track.kind} (track {track.index}, {track.codec}) but contains none."
            yield _Problem(f"{track.kind} packets", "none", text)
        what = _label(evidence.streams, track)
        if track.media.broken:
            packets = "packet" if track.media.broken == 1 else "packets"
            text = f"{track.media.broken} {what} {packets} can't be decoded."
            yield _Problem("0", str(track.media.broken), text)
        elif track.media.packets and not _is_decoded(track.media):
            yield _Problem("decoded packets", "none", f"The {what} of {evidence.name} can't be decoded.")
        if track.media.backward:
            places = "place" if track.media.backward == 1 else "places"
            text = f"The {what} timestamps do not increase at {track.media.backward} {places}."
            yield _Problem("0", str(track.media.backward), text)


def _label(streams: Streams, track: TrackFacts) -> str:
    """Return the kind of a track, with its number if the file has several tracks of this kind."""
    alike = [one for one in streams.tracks if one.kind == track.kind]
    return f"{track.kind} (track {track.index})" if len(alike) > 1 else track.kind


def _is_decoded(media: VideoFacts | AudioFacts) -> bool:
    return bool(media.decoded if isinstance(media, VideoFacts) else media.duration)


def _times(evidence: Evidence, limits: Limits) -> Iterator[_Problem]:
    """Report keyframes that are far apart, and tracks that start late."""
    streams, video = evidence.streams, evidence.media.video
    if video and video.keyframe_gap > limits.keyframe:
        far = video.keyframe_gap
        text = f"There is no keyframe for {far:.1f} s (limit: {limits.keyframe:g} s), so players seek slowly."
        # Other programs choose a number of frames between keyframes, not a time.
        yield _Problem(f"{limits.keyframe:g} s", f"{far:.1f} s", text, warning=evidence.recording is None)
    starts = {
        "video": float(streams.video.times[0]) if streams.video and streams.video.times.size else evidence.start,
        "audio": streams.audio.start if streams.audio else evidence.start,
    }
    for what, at in starts.items():
        start = at - evidence.start
        if abs(start) > limits.start:
            text = f"The {what} starts at {start:.2f} s (limit: {limits.start:g} s)."
            yield _Problem(f"{limits.start:g} s", f"{start:.2f} s", text)


def _other_tracks(evidence: Evidence) -> Iterator[Finding]:
    """Report the tracks that were only decoded and measured, and those that could not even be decoded."""
    name, media = evidence.name, evidence.media
    others = [one for one in media.tracks if one.kind in {"video", "audio"} and not one.examined]
    decoded = [one for one in others if one.packets is not None]
    if decoded:
        first = decoded[0].index
        text = (
            f"{name} also contains {_listed(decoded)}, which {'was' if len(decoded) == 1 else 'were'} decoded and "
            f"measured, but not examined by the other checks. To examine track {first} instead, use --track {first}."
        )
        yield Finding(check="container", result="warning", message=text)
    undecoded = [_listed([one for one in others if one.packets is None])] if len(decoded) < len(others) else []
    if (more := evidence.streams.track_count - len(media.tracks)) > 0:
        undecoded.append(f"{more} more tracks")
    if undecoded:
        text = (
            f"{name} also contains {' and '.join(undecoded)}, which could not be examined, because the codec is "
            f"unknown or there are more than {MOST_DECODED} tracks. Verify a copy with fewer tracks."
        )
        yield Finding(check="container", result="unverified", message=text)


def _listed(tracks: list[Track]) -> str:
    return ", ".join(f"track {one.index} ({', '.join(_properties(one))})" for one in tracks)


def _properties(track: Track) -> Iterator[str]:
    yield track.kind
    yield track.codec or "unknown codec"
    if track.duration is not None:
        yield f"{track.duration:.2f} s"
    if track.silent and track.packets:
        yield "silent"
    if track.black:
        yield "black"
