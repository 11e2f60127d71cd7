"""Compare a recording's tracks, orientation, chapters and metadata with those of the new file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from av.error import FFmpegError
from av.stream import Disposition

from harness.recording.conversion.video import Geometry
from harness.recording.files.formats import open_media
from harness.recording.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

# Metadata that describes the file rather than its content, and that every muxer writes on its own.
_OF_THE_FILE: Final = frozenset(
    {"encoder", "major_brand", "minor_version", "compatible_brands", "duration", "handler_name", "vendor_id"}
    | {"bps", "number_of_bytes", "number_of_frames", "alpha_mode", "rotate", "software"}
)
_STATISTICS: Final = "_statistics_"
# Metadata values that mean "unknown".
_UNKNOWN: Final = {"", "und"}
_MOST_NAMES: Final = 10
_LONGEST_NAME: Final = 40


def is_cover(stream: Stream) -> bool:
    """Return whether a video stream is a still cover image."""
    return bool(stream.disposition & Disposition.attached_pic)


def videos(container: InputContainer) -> list[VideoStream]:
    """Return a file's video streams without cover images."""
    return [stream for stream in container.streams.video if not is_cover(stream)]


def first_frame(source: Path, index: int) -> Any:
    """Return the first video or audio frame of a stream that can be decoded, or None."""
    with open_media(source) as container:
        for packet in container.demux(container.streams[index]):
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except FFmpegError:
                continue
            if frames:
                return frames[0]
    return None


def tracks_left_out(container: InputContainer, kept: Collection[int], *, video: bool) -> Iterator[str]:
    """Yield a sentence for each kind of track that the new file does not have.

    ``kept`` are the indexes of the streams in the new file. If ``video`` is false, a missing video track is intended.
    """
    for kind, streams in (("video", videos(container)), ("audio", [*container.streams.audio])):
        left_out = [one for one in streams if one.index not in kept]
        if left_out and len(left_out) < len(streams):
            yield f"The recording has {len(streams)} {kind} tracks; the new file has only the first one."
        elif left_out and (video or kind == "audio"):
            yield f"The {kind} track has no data that can be decoded; the new file has no {kind}."
    others = {
        "cover image": [one for one in container.streams.video if is_cover(one) and one.index not in kept],
        "subtitle track": container.streams.subtitles,
        "data track": container.streams.data,
        "attachment": container.streams.attachments,
    }
    for kind, found in others.items():
        if found:
            what = f"one {kind}" if len(found) == 1 else f"{len(found)} {kind}s"
            yield f"The recording has {what}{_named(found)}; the new file has none."


def _named(streams: Collection[Stream]) -> str:
    names = [name for one in streams if (name := one.metadata.get("filename") or one.metadata.get("title"))]
    return f" ({_listed(names)})" if names else ""


def properties_left_out(source: Path, finished: Path, *, copied: bool) -> Iterator[str]:
    """Yield a sentence for each property of the recording that the new file does not have, by reading both files.

    ``copied`` means that the frames were not turned, so the new file must store the same orientation as the recording.
    """
    with open_media(source) as before, open_media(finished) as after:
        if missing := _missing(before.metadata, after.metadata):
            yield f"The new file is missing this metadata from the recording: {_listed(missing)}."
        if len(before.chapters()) != len(after.chapters()):
            yield f"The recording has {len(before.chapters())} chapters; the new file has {len(after.chapters())}."
        for kind in ("video", "audio"):
            old, new = (_first(container, kind) for container in (before, after))
            if old and new and (missing := _missing(old.metadata, new.metadata)):
                yield f"The new file's {kind} track does not have this metadata: {_listed(missing)}."
        shapes = [_shape(container, path) for container, path in ((before, source), (after, finished)) if copied]
    if shapes and shapes[0] != shapes[1]:
        yield (
            "The new file does not store the video's rotation, flip or aspect ratio, so players show it differently; "
            "--to mp4 keeps them."
        )


def _first(container: InputContainer, kind: str) -> VideoStream | AudioStream | None:
    streams: list[Any] = videos(container) if kind == "video" else [*container.streams.audio]
    return streams[0] if streams else None


def _shape(container: InputContainer, path: Path) -> tuple[Any, ...] | None:
    """Return how a file's video is rotated or flipped, and the aspect ratio of its pixels."""
    stream = next(iter(videos(container)), None)
    frame = first_frame(path, stream.index) if stream else None
    if stream is None or frame is None:
        return None
    geometry = Geometry.of(frame, stream)
    return geometry.turn, geometry.aspect


def own_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Return the metadata without the entries that describe the file itself."""
    return {
        name: value
        for name, value in metadata.items()
        if value not in _UNKNOWN
        and name.lower().split("-")[0] not in _OF_THE_FILE
        and not name.lower().startswith(_STATISTICS)
    }


def _missing(before: dict[str, str], after: dict[str, str]) -> list[str]:
    found = {name.lower(): value for name, value in after.items()}
    return [name for name, value in own_metadata(before).items() if found.get(name.lower()) != value]


def _listed(names: list[str]) -> str:
    shown = ", ".join(printable(name)[:_LONGEST_NAME] for name in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
