"""Read a whole file in one pass: collect the properties of its tracks, and pass its frames and audio to the sinks."""

from __future__ import annotations

import codecs
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import av
import av.error

from harness.recording.files.formats import open_media
from harness.verification.probe.container import Structure, read_structure
from harness.verification.probe.track_set import AudioSink, NoSuchTrackError, TrackFacts, TrackSet, VideoSink
from harness.verification.probe.tracks import AudioFacts, VideoFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from av.container import InputContainer

# These formats are also used for streams, whose clock may show any time when a recording begins.
_ANY_START: Final = frozenset({"mpegts", "ogg"})
# If there is no video, the index refers to clusters. Clusters written by libav and Chrome are at most five seconds
# long. Without an index, players estimate the position.
_CLUSTER: Final = 5.0
_HEAD: Final = 1024


class UnreadableError(Exception):
    """The file contains no media that can be analyzed; the error's message states the reason."""


@dataclass(frozen=True, kw_only=True)
class Streams:
    """The result of one pass over a file.

    ``container`` is the format detected from the file's bytes: a Structure's ``container``, or libav's name for any
    other format. ``structure`` is None if the harness has no reader for the format's structure. ``tracks`` lists all
    tracks, up to a maximum, and ``track_count`` is their number. ``video`` and ``audio`` are the examined tracks.
    ``truncated`` is true if an error occurred before the end of the file was reached. ``seekable`` is true if seeking
    to the middle of the file yields a frame or audio from the middle. ``segmented`` is true if the media is stored in
    the segments of a playlist. ``created`` is the time at which the file was created according to its container, in
    ISO 8601, or None.
    """

    container: str
    structure: Structure | None
    tracks: tuple[TrackFacts, ...]
    track_count: int
    truncated: bool
    seekable: bool
    segmented: bool = False
    created: str | None = None

    @property
    def duration(self) -> float | None:
        """The duration in seconds that the file's header states, or None."""
        return self.structure.duration if self.structure else None

    @property
    def video(self) -> VideoFacts | None:
        """The examined video track, or None."""
        return next((one.media for one in self.tracks if one.examined and isinstance(one.media, VideoFacts)), None)

    @property
    def audio(self) -> AudioFacts | None:
        """The examined audio track, or None."""
        return next((one.media for one in self.tracks if one.examined and isinstance(one.media, AudioFacts)), None)


def probe(
    path: Path,
    *,
    video_sinks: Sequence[VideoSink] = (),
    audio_sinks: Sequence[AudioSink] = (),
    track: int | None = None,
) -> Streams:
    """Return the properties of the file at ``path``, and pass the frames and audio of two tracks to each of the sinks.

    The two tracks are the default tracks unless ``track`` specifies the index of another one. If several recordings
    follow each other in the file, only the first one is read. Memory use is constant except for a few numbers per
    frame.

    Raises UnreadableError if the file contains no media that can be analyzed, and OSError if the file can't be read.
    """
    if path.stat().st_size == 0:
        message = f"{path.name} is empty (0 bytes)."
        raise UnreadableError(message)
    structure = read_structure(path)
    if structure is None and _is_playlist(path):
        message = (
            f"{path.name} is not a readable media file: it is a playlist. To verify the files that it lists, use "
            "--together."
        )
        raise UnreadableError(message)
    medium = Medium(path.name, structure, lambda: _opened(path, structure))
    decoded = medium.decode(video_sinks, audio_sinks, track)
    return decoded.streams(seekable=_is_seekable(path, structure, decoded.tracks, decoded.zero))


@dataclass(frozen=True)
class Medium:
    """A file, or a stream of segments, that ``open`` opens. Its ``name`` is used in error messages.

    ``keeps_clock`` is true if times are the container's own times, even in formats whose clock may begin at any time.
    """

    name: str
    structure: Structure | None
    open: Callable[[], AbstractContextManager[InputContainer]]
    keeps_clock: bool = False

    def decode(self, video_sinks: Sequence[VideoSink], audio_sinks: Sequence[AudioSink], track: int | None) -> Decoded:
        """Read all tracks. Raises UnreadableError."""
        structure = self.structure
        try:
            with self.open() as media:
                zero = 0.0 if self.keeps_clock else _zero(media, structure)
                tracks = TrackSet(media, chosen=track, zero=zero)
                truncated = tracks.read(video_sinks, audio_sinks)
                container = structure.container if structure else _short_name(media.format.name)
                created = media.metadata.get("creation_time")
                return Decoded(self, container, tracks.facts(), len(media.streams), truncated, zero, created)
        except NoSuchTrackError as error:
            message = f"{self.name} {error}."
            raise UnreadableError(message) from error
        except (av.error.FFmpegError, ValueError) as error:
            reason = structure.damage if structure and structure.damage else _reason(error)
            message = f"{self.name} is not a readable media file: {reason}."
            raise UnreadableError(message) from error


@dataclass(frozen=True)
class Decoded:
    """The tracks of a medium after they were read. ``zero`` is the container's time at which the medium begins."""

    medium: Medium
    container: str
    tracks: tuple[TrackFacts, ...]
    track_count: int
    truncated: bool
    zero: float
    created: str | None

    def streams(self, *, seekable: bool, segmented: bool = False) -> Streams:
        """Return the result. Raises UnreadableError if no track contains media that can be decoded."""
        streams = Streams(
            container=self.container,
            structure=self.medium.structure,
            tracks=self.tracks,
            track_count=self.track_count,
            truncated=self.truncated,
            seekable=seekable,
            segmented=segmented,
            created=self.created,
        )
        if (streams.video and streams.video.times.size) or (streams.audio and streams.audio.duration):
            return streams
        empty = [
            f"{one.kind} (track {one.index}, {one.codec})" for one in self.tracks if one.media and not one.media.packets
        ]
        declared = f"declares {' and '.join(empty)} but contains none"
        missing = declared if empty else "contains neither video nor audio that can be decoded"
        message = f"{self.medium.name} {missing}."
        raise UnreadableError(message)


def _is_playlist(path: Path) -> bool:
    """Return whether a file begins like an HLS playlist or a DASH manifest."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head.removeprefix(codecs.BOM_UTF8).startswith(b"#EXTM3U") or b"<MPD" in head


class _FirstBytes:
    """The first ``length`` bytes of a file, as a file-like object that libav can read."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._length = length

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        return self._file.read(max(0, min(size, self._length - self._file.tell())))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position, and return it."""
        return self._file.seek(self._length + offset) if whence == 2 else self._file.seek(offset, whence)  # noqa: PLR2004

    def tell(self) -> int:
        """Return the current position."""
        return self._file.tell()


@contextmanager
def _opened(path: Path, structure: Structure | None) -> Iterator[InputContainer]:
    """Open a file, or only its first recording if several recordings follow each other."""
    with ExitStack() as stack:
        if structure is None or structure.second is None:
            yield stack.enter_context(open_media(path))
        else:
            file = stack.enter_context(path.open("rb"))
            yield stack.enter_context(open_media(_FirstBytes(file, structure.second)))


def _zero(media: InputContainer, structure: Structure | None) -> float:
    """Return the container's time, in seconds, at which the file begins."""
    any_start = structure is not None and structure.container in _ANY_START
    return media.start_time / av.time_base if any_start and media.start_time is not None else 0.0


def _is_seekable(path: Path, structure: Structure | None, tracks: Sequence[TrackFacts], zero: float) -> bool:
    """Return whether seeking to the middle of the file yields a frame or audio from the middle."""
    indexed = structure is not None and structure.indexed
    examined = {one.kind: one for one in tracks if one.examined}
    video, audio = (one.media if (one := examined.get(kind)) else None for kind in ("video", "audio"))
    if isinstance(video, VideoFacts) and video.times.size:
        index = examined["video"].index
        middle = float(video.times[video.times.size // 2])
        earliest, latest = _keyframes_near(video, middle, indexed=indexed)
    elif isinstance(audio, AudioFacts):
        index = examined["audio"].index
        middle = (audio.start + audio.end) / 2
        earliest, latest = middle - _CLUSTER, middle + 0.1
    else:
        return False
    with suppress(av.error.FFmpegError, ValueError, StopIteration), _opened(path, structure) as media:
        media.seek(round((middle + zero) * av.time_base))
        frame = next(media.decode(media.streams[index]))
        if not isinstance(frame, av.VideoFrame | av.AudioFrame):
            return False
        stamp = frame.dts if frame.pts is None else frame.pts
        at = float(stamp * frame.time_base) - zero if stamp is not None and frame.time_base else None
        return at is not None and earliest <= at <= latest
    return False


def _keyframes_near(video: VideoFacts, middle: float, *, indexed: bool) -> tuple[float, float]:
    """Return the earliest and the latest time that a seek to the time ``middle`` may reach, in seconds."""
    keyframes = video.keyframes if video.keyframes.size else video.times
    # Add half a millisecond, so that a keyframe exactly at the middle counts even if its time was rounded.
    before = float(keyframes[keyframes <= middle + 0.0005].max(initial=keyframes[0]))
    if indexed:
        return before - 0.002, middle + 0.1
    # Without an index, players estimate the position, and continue to the next keyframe.
    return before - _CLUSTER, float(keyframes[keyframes > middle].min(initial=keyframes[-1])) + _CLUSTER


def _short_name(name: str) -> str:
    """Shorten libav's list of names for a container to a single name."""
    return "mp4" if "mp4" in name.split(",") else name.split(",", maxsplit=1)[0]


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".").lower()
