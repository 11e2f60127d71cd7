"""List all tracks of a file, choose those that the checks examine, and decode and measure each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast

import av
import av.error
from av.stream import Disposition

from harness.verification.probe.frame_content import FrameContentDetector
from harness.verification.probe.tracks import AudioDecoder, VideoDecoder, codec_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av.container import InputContainer
    from av.stream import Stream

    from harness.verification.probe.tracks import AudioBlock, AudioFacts, Frame, VideoFacts

# Maximum number of tracks to decode; each decoder needs memory and time.
MOST_DECODED: Final = 8
# Maximum number of tracks in a report.
MOST_LISTED: Final = 50
_LONGEST_TEXT: Final = 40
_KINDS: Final = frozenset({"video", "audio", "subtitle", "data", "attachment"})

Kind = Literal["video", "audio", "subtitle", "data", "attachment"]


class VideoSink(Protocol):
    """Receives the decoded frames."""

    def on_frame(self, frame: Frame) -> None:
        """Handle the next frame. The frame's ``luma`` may be overwritten after the call."""


class AudioSink(Protocol):
    """Receives the decoded audio."""

    def on_audio(self, block: AudioBlock) -> None:
        """Handle the next block of audio."""


@dataclass(frozen=True, kw_only=True)
class TrackFacts:
    """One track of a file.

    ``index`` is its number in the file, from 0. ``codec`` is None if the codec is unknown. ``examined`` is true if the
    sinks received its frames or audio. ``duration`` is the duration in seconds that the container states, or None.
    ``media`` is None if the track was not decoded, and ``content`` describes the frames of a decoded video track.
    """

    index: int
    kind: Kind
    codec: str | None
    language: str | None
    default: bool
    examined: bool
    duration: float | None
    media: VideoFacts | AudioFacts | None = None
    content: FrameContentDetector | None = None


class NoSuchTrackError(Exception):
    """The file has no audio or video track with the chosen number; the error's message names the existing tracks."""


class TrackSet:
    """All tracks of an open file. ``chosen`` is the index of the track to examine, or None for the default tracks.

    ``zero`` is the container's time, in seconds, at which the file begins.

    Raises NoSuchTrackError if the chosen track can't be decoded.
    """

    def __init__(self, media: InputContainer, *, chosen: int | None = None, zero: float = 0.0) -> None:
        self._media = media
        decodable = [stream for stream in media.streams if _is_decodable(stream)]
        if chosen is not None and chosen not in {stream.index for stream in decodable}:
            known = ", ".join(f"{one.index} ({one.type}, {_codec(one)})" for one in decodable[:MOST_LISTED]) or "none"
            message = f"has no video or audio track {chosen} that can be decoded; choose one of these: {known}"
            raise NoSuchTrackError(message)
        self.video = _examined([stream for stream in decodable if stream.type == "video"], chosen)
        self.audio = _examined([stream for stream in decodable if stream.type == "audio"], chosen)
        first = [index for index in (self.video, self.audio) if index is not None]
        others = [stream.index for stream in decodable if stream.index not in first]
        self._decoders: dict[int, VideoDecoder | AudioDecoder] = {}
        self._content: dict[int, FrameContentDetector] = {}
        for index in (*first, *others)[:MOST_DECODED]:
            stream = media.streams[index]
            if index in others:
                # Every thread of a decoder needs memory for its own frames.
                cast("av.VideoStream", stream).codec_context.thread_count = 1
            if stream.type == "video":
                self._decoders[index] = VideoDecoder(cast("av.VideoStream", stream), zero=zero)
                self._content[index] = FrameContentDetector()
            else:
                self._decoders[index] = AudioDecoder(cast("av.AudioStream", stream), zero=zero)

    def read(self, video_sinks: Sequence[VideoSink], audio_sinks: Sequence[AudioSink]) -> bool:
        """Decode all packets, and pass the frames and the audio of the examined tracks to each of the sinks.

        Return whether reading ended with an error.
        """
        for packet in self._packets():
            if packet is None:
                return True
            index = packet.stream.index
            decoder = self._decoders[index]
            if isinstance(decoder, VideoDecoder):
                for frame in decoder.decode(packet):
                    self._content[index].on_frame(frame)
                    for video_sink in video_sinks if index == self.video else ():
                        video_sink.on_frame(frame)
            else:
                for block in decoder.decode(packet):
                    for audio_sink in audio_sinks if index == self.audio else ():
                        audio_sink.on_audio(block)
        return False

    def facts(self) -> tuple[TrackFacts, ...]:
        """Return the tracks in their order in the file, after all packets have been decoded."""
        return tuple(self._facts(stream) for stream in self._media.streams if stream.index < MOST_LISTED)

    def _facts(self, stream: Stream) -> TrackFacts:
        decoder = self._decoders.get(stream.index)
        cover = bool(stream.disposition & Disposition.attached_pic)
        kind = "attachment" if cover else stream.type if stream.type in _KINDS else "data"
        return TrackFacts(
            index=stream.index,
            kind=cast("Kind", kind),
            codec=_codec(stream),
            language=_language(stream),
            default=bool(stream.disposition & Disposition.default),
            examined=stream.index in {self.video, self.audio},
            duration=_stated_duration(stream) if kind != "attachment" else None,
            media=decoder.facts() if decoder else None,
            content=self._content.get(stream.index),
        )

    def _packets(self) -> Iterator[av.Packet[Any] | None]:
        """Yield the packets of the decoded tracks, followed by empty packets that flush the decoders.

        If a packet can't be read from the container, no further packets are read, and the last value is None.
        """
        streams = [decoder.stream for decoder in self._decoders.values()]
        if not streams:
            return
        packets = self._media.demux(*streams)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                for stream in streams:
                    flush = av.Packet()
                    flush.stream = stream
                    yield flush
                yield None
                return
            if packet is None:
                return
            yield packet


def _is_decodable(stream: Stream) -> bool:
    """Return whether a track is a video or audio track with a known codec, and not a cover image."""
    return (
        stream.type in {"video", "audio"}
        and stream.codec_context is not None
        and not stream.disposition & Disposition.attached_pic
    )


def _examined(streams: Sequence[Stream], chosen: int | None) -> int | None:
    """Return the index of the chosen track, of the first default track, or else of the first track."""
    indexes = [stream.index for stream in streams]
    if chosen in indexes:
        return chosen
    defaults = [stream.index for stream in streams if stream.disposition & Disposition.default]
    return next(iter((*defaults, *indexes)), None)


def _stated_duration(stream: Stream) -> float | None:
    """Return the duration in seconds that the container states, or None."""
    return float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None


def _language(stream: Stream) -> str | None:
    """Return the track's language, or None if it is undetermined."""
    language = (stream.language or "")[:_LONGEST_TEXT]
    return language if language not in {"", "und"} else None


def _codec(stream: Stream) -> str | None:
    if stream.type in {"video", "audio"} and stream.codec_context is not None:
        return codec_of(cast("av.VideoStream", stream))
    name = getattr(stream.codec_context, "name", None) or getattr(stream, "mimetype", None)
    return str(name)[:_LONGEST_TEXT] if name else None
