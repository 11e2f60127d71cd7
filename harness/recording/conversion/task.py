"""Write the new file; this code runs in the confined process."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

from harness.recording.conversion.audio import AudioEncoder
from harness.recording.conversion.formats import FORMATS, Format
from harness.recording.conversion.losses import (
    first_frame,
    own_metadata,
    properties_left_out,
    tracks_left_out,
    videos,
)
from harness.recording.conversion.video import VideoEncoder, alpha_mode
from harness.recording.files.formats import open_media
from harness.recording.isolation.task_process import LONGEST_WARNING, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_MILLISECOND: Final = Fraction(1, 1000)
# Largest absolute value of the time in a progress message, in seconds.
_LARGEST_TIME: Final = 1e12
_TRANSPORT_STREAM: Final = "mpegts"


def work(request: dict[str, Any], send: Callable[[Message], None]) -> None:
    """Convert a file, and send its length, the progress, and warnings about everything that is not kept."""
    source, partial = (Path(os.fsdecode(bytes.fromhex(request[name]))) for name in ("source", "partial"))
    to = FORMATS[request["to"]]
    if (seconds := length(source)) is not None:
        send(Message(kind="length", seconds=seconds))
    conversion = _Conversion(source, to, send)
    with (
        open_media(source) as container,
        av.open(str(partial), mode="w", format=to.muxer, options=to.options) as output,
    ):
        conversion.write(container, output)
    for warning in properties_left_out(source, partial, copied=to.copies):
        conversion.warn(warning)


def length(source: Path) -> float | None:
    """Return the length in a file's header, in seconds, or None if the header has no length or can't be read."""
    try:
        # Accept only regular files, because opening a pipe would block. Use an absolute path, because FFmpeg interprets
        # some relative paths, such as pipe:0, as URLs.
        if not source.is_file():
            return None
        with open_media(source.absolute()) as container:
            return container.duration / 1e6 if container.duration else None
    except (OSError, FFmpegError, ValueError):
        return None


class _Conversion:
    """Writes the packets or the encoded frames of one file to another."""

    def __init__(self, source: Path, to: Format, send: Callable[[Message], None]) -> None:
        self._source = source
        self._to = to
        self._send = send

    def warn(self, warning: str) -> None:
        self._send(Message(kind="warning", text=warning[:LONGEST_WARNING]))

    def write(self, container: InputContainer, output: OutputContainer) -> None:
        output.metadata.update(own_metadata(container.metadata))
        if chapters := container.chapters():
            output.set_chapters(chapters)
        if self._to.copies:
            self._copy(container, output)
        else:
            self._encode(container, output)

    def _copy(self, container: InputContainer, output: OutputContainer) -> None:
        """Copy the packets into a different container."""
        tracks: list[VideoStream | AudioStream] = [*videos(container), *container.streams.audio]
        streams = {one.index: _copied_stream(one, output) for one in tracks}
        for warning in tracks_left_out(container, streams, video=True):
            self.warn(warning)
        untimed = 0
        hidden = 0.0
        for packet in _packets(container, list(streams)):
            if not packet.size:
                continue
            if packet.pts is None:
                untimed += 1
                continue
            self._report_progress(packet)
            if packet.is_discard:
                if packet.stream.type == "audio":
                    continue
                # Other frames may depend on a frame that is not shown.
                hidden += float((packet.duration or 0) * (packet.time_base or _MILLISECOND))
            packet.stream = streams[packet.stream.index]
            output.mux(packet)
        if untimed:
            self.warn(f"{untimed} packets were left out, because they have no timestamp.")
        if hidden:
            self.warn(f"{hidden:.2f} s of video that the recording's edit list hides are visible in the new file.")

    def _encode(self, container: InputContainer, output: OutputContainer) -> None:
        """Encode every frame at its original time, and fill the gaps in the audio."""
        video = next(iter(videos(container)), None) if self._to.video else None
        audio = next(iter(container.streams.audio), None)
        first_video = first_frame(self._source, video.index) if video else None
        first_audio = first_frame(self._source, audio.index) if audio else None
        if first_video is None and first_audio is None:
            message = "the recording has no audio and no video" if self._to.video else "the recording has no audio"
            raise ValueError(message)
        kept = [one.index for one, first in ((video, first_video), (audio, first_audio)) if one and first]
        for warning in tracks_left_out(container, kept, video=self._to.video):
            self.warn(warning)
        video_encoder = VideoEncoder(video, first_video, output, self.warn) if video and first_video else None
        audio_encoder = AudioEncoder(audio, first_audio, output, self._to, self.warn) if audio and first_audio else None
        for old, new in zip(kept, output.streams, strict=True):
            new.metadata.update(own_metadata(container.streams[old].metadata))
        for packet in _packets(container, kept):
            if packet.pts is not None:
                self._report_progress(packet)
            if video_encoder and packet.stream is video:
                video_encoder.encode(cast("Packet[VideoStream]", packet))
            elif audio_encoder:
                audio_encoder.encode(cast("Packet[AudioStream]", packet))
        if video_encoder:
            video_encoder.finish()
        if audio_encoder:
            audio_encoder.finish(video_encoder.pauses if video_encoder else ())

    def _report_progress(self, packet: Packet[Any]) -> None:
        at = float((packet.pts or 0) * (packet.time_base or _MILLISECOND))
        self._send(Message(kind="at", at=max(-_LARGEST_TIME, min(_LARGEST_TIME, at))))


def _copied_stream(stream: VideoStream | AudioStream, output: OutputContainer) -> VideoStream | AudioStream:
    """Add a stream for the same packets to the new file."""
    new = output.add_stream_from_template(stream, opaque=True)
    new.metadata.update(own_metadata(stream.metadata))
    if isinstance(stream, VideoStream):
        new.metadata.update(alpha_mode(stream))
    return new


def _packets(container: InputContainer, kept: list[int]) -> Iterator[Packet[Any]]:
    """Yield the packets of the streams with these indexes, and shift the times of a transport stream to begin at zero.

    The clock of a transport stream can begin at any time. In all other formats, the times are not changed, even if the
    recording begins late.
    """
    origin = Fraction(container.start_time or 0, 1_000_000) if container.format.name == _TRANSPORT_STREAM else 0
    for packet in container.demux([container.streams[index] for index in kept]):
        if origin and packet.time_base:
            shift = round(origin / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        yield packet
