"""Read a whole file in one pass: collect the properties of its tracks, and pass its frames and audio to the sinks."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import av
import av.error

from harness.recording.files.formats import open_media
from harness.verification.probe.container import Structure, read_structure
from harness.verification.probe.tracks import AudioDecoder, VideoDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.container import InputContainer

    from harness.verification.probe.tracks import AudioBlock, AudioFacts, Frame, VideoFacts


class UnreadableError(Exception):
    """The file contains no media that can be analyzed; the error's message states the reason."""


class VideoSink(Protocol):
    """Receives the decoded frames."""

    def on_frame(self, frame: Frame) -> None:
        """Handle the next frame. The frame's ``luma`` may be overwritten after the call."""


class AudioSink(Protocol):
    """Receives the decoded audio."""

    def on_audio(self, block: AudioBlock) -> None:
        """Handle the next block of audio."""


@dataclass(frozen=True, kw_only=True)
class Streams:
    """The result of one pass over a file.

    ``container`` is the format detected from the file's bytes: ``webm``, ``matroska``, ``mp4``, or libav's name for any
    other format. ``structure`` is None if the file is not EBML. ``duration`` is the duration in seconds that the
    container states, or None. ``truncated`` is true if an error occurred before the end of the file was reached.
    ``seekable`` is true if seeking to the middle of the file yields a frame or audio from the middle.
    ``ignored_tracks`` names the tracks that were not read.
    """

    container: str
    structure: Structure | None
    duration: float | None
    video: VideoFacts | None
    audio: AudioFacts | None
    truncated: bool
    seekable: bool
    ignored_tracks: tuple[str, ...] = ()


def probe(path: Path, *, video_sinks: Sequence[VideoSink] = (), audio_sinks: Sequence[AudioSink] = ()) -> Streams:
    """Return the properties of the file at ``path``, and pass all its frames and audio to each of the sinks.

    Memory use is constant except for a few numbers per frame. Raises UnreadableError if the file contains no media that
    can be analyzed, and OSError if the file can't be read.
    """
    if path.stat().st_size == 0:
        message = f"{path.name} is empty (0 bytes)."
        raise UnreadableError(message)
    structure = read_structure(path)
    try:
        with open_media(path) as media:
            video, audio, truncated = _read(media, video_sinks, audio_sinks)
            duration = media.duration / av.time_base if media.duration else None
            name = media.format.name
            ignored_tracks = tuple(_ignored_tracks(media))
    except (av.error.FFmpegError, ValueError) as error:
        message = f"{path.name} is not a readable media file: {_reason(error)}."
        raise UnreadableError(message) from error
    if not (video and video.times.size) and not (audio and audio.duration):
        message = f"{path.name} contains neither video nor audio that can be decoded."
        raise UnreadableError(message)
    return Streams(
        container=structure.doc_type if structure else _short_name(name),
        structure=structure,
        duration=structure.duration if structure else duration,
        video=video,
        audio=audio,
        truncated=truncated,
        seekable=_is_seekable(path, video, audio),
        ignored_tracks=ignored_tracks,
    )


def _ignored_tracks(media: InputContainer) -> Iterator[str]:
    """Yield descriptions of the ignored tracks: all except the first decodable video track and audio track."""
    for kind, streams in (("video", media.streams.video), ("audio", media.streams.audio)):
        known = [stream for stream in streams if stream.codec_context is not None]
        unknown = len(streams) - len(known)
        if unknown:
            yield f"{_number_of(unknown, kind)} with an unknown codec"
        if len(known) > 1:
            yield f"{_number_of(len(known) - 1, kind)} in addition to the first"


def _number_of(tracks: int, kind: str) -> str:
    return f"{tracks} {kind} track{'s' if tracks > 1 else ''}"


def _read(
    media: InputContainer, video_sinks: Sequence[VideoSink], audio_sinks: Sequence[AudioSink]
) -> tuple[VideoFacts | None, AudioFacts | None, bool]:
    """Return the properties of the video and the audio track, and whether reading ended with an error."""
    video = next((VideoDecoder(stream) for stream in media.streams.video if stream.codec_context is not None), None)
    audio = next((AudioDecoder(stream) for stream in media.streams.audio if stream.codec_context is not None), None)
    truncated = False
    for packet in _packets(media, [decoder.stream for decoder in (video, audio) if decoder]):
        if packet is None:
            truncated = True
        elif video and packet.stream is video.stream:
            for frame in video.decode(packet):
                for video_sink in video_sinks:
                    video_sink.on_frame(frame)
        elif audio:
            for block in audio.decode(packet):
                for audio_sink in audio_sinks:
                    audio_sink.on_audio(block)
    return video.facts() if video else None, audio.facts() if audio else None, truncated


def _packets(
    media: InputContainer, streams: Sequence[av.VideoStream | av.AudioStream]
) -> Iterator[av.Packet[Any] | None]:
    """Yield the packets of the given tracks, followed by empty packets that flush the tracks' decoders.

    If a packet can't be read from the container, None takes its place, and no further packets are read.
    """
    if not streams:
        return
    packets = media.demux(*streams)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            yield None
            for stream in streams:
                flush = av.Packet()
                flush.stream = stream
                yield flush
            return
        if packet is None:
            return
        yield packet


def _is_seekable(path: Path, video: VideoFacts | None, audio: AudioFacts | None) -> bool:
    """Return whether seeking to the middle of the file yields a frame or audio from the middle."""
    if video and video.keyframes.size:
        middle = float(video.times[video.times.size // 2])
        # Add half a millisecond, so that a keyframe exactly at the middle counts even if its time was rounded.
        earliest = float(video.keyframes[video.keyframes <= middle + 0.0005].max(initial=video.keyframes[0]))
    else:
        middle = (audio.end if audio else 0.0) / 2
        # If there is no video, the index refers to clusters. Clusters written by libav and Chrome are at most five
        # seconds long.
        earliest = middle - 5.0
    with suppress(av.error.FFmpegError, ValueError, StopIteration), open_media(path) as media:
        media.seek(round(middle * av.time_base))
        frame = next(media.decode(media.streams.video[0]) if video else media.decode(media.streams.audio[0]))
        return frame.time is not None and earliest - 0.002 <= frame.time <= middle + 0.1
    return False


def _short_name(name: str) -> str:
    """Shorten libav's list of names for a container to a single name."""
    return "mp4" if "mp4" in name.split(",") else name.split(",", maxsplit=1)[0]


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".").lower()
