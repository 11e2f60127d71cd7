"""Write media files with any tracks, codecs, sizes, pixel formats and times, for tests of conversions."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from tests.support.media.streams import add_audio_stream, add_video_stream

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import OutputContainer

_MILLISECOND = Fraction(1, 1000)


@dataclass(frozen=True, kw_only=True)
class VideoTrack:
    """A video track; ``times`` are the frames' times in ms."""

    codec: str = "libvpx"
    size: tuple[int, int] = (64, 48)
    pix_fmt: str = "yuv420p"
    times: tuple[int, ...] = tuple(range(0, 1000, 100))
    metadata: dict[str, str] = field(default_factory=dict)

    def add(self, media: OutputContainer) -> Any:
        """Add the stream, and return it."""
        stream: Any = add_video_stream(media, self.codec, 10, size=self.size)
        stream.pix_fmt = self.pix_fmt
        stream.codec_context.time_base = _MILLISECOND
        stream.metadata.update(self.metadata)
        if self.codec.startswith("libvpx"):
            stream.options = {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0"}
        return stream

    def write(self, media: OutputContainer, stream: Any) -> None:
        """Encode the frames."""
        width, height = self.size
        for number, time in enumerate(self.times):
            image = np.full((height, width, 3), (20 * number % 256, 128, 200), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=self.pix_fmt)
            if width % 2:
                # FFmpeg's conversion from RGB leaves the last column of an odd width black.
                colors = [bytes(plane)[:1] for plane in frame.planes]
                for plane, color in zip(frame.planes, colors, strict=True):
                    plane.update(color * plane.buffer_size)
            frame.pts, frame.time_base = time, _MILLISECOND
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))


@dataclass(frozen=True, kw_only=True)
class AudioTrack:
    """An audio track with a tone of 440 Hz."""

    codec: str = "libopus"
    rate: int = 48_000
    layout: str = "mono"
    seconds: int = 1
    metadata: dict[str, str] = field(default_factory=dict)

    def add(self, media: OutputContainer) -> Any:
        """Add the stream, and return it."""
        stream: Any = add_audio_stream(media, self.codec, self.rate, layout=self.layout)
        stream.metadata.update(self.metadata)
        return stream

    def write(self, media: OutputContainer, stream: Any) -> None:
        """Encode the samples."""
        tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(self.rate) / self.rate)).astype(np.float32)
        channels = np.tile(tone, (stream.codec_context.layout.nb_channels, 1))
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=self.layout, rate=self.rate)
        for second in range(self.seconds):
            frame = av.AudioFrame.from_ndarray(channels, format="fltp", layout=self.layout)
            frame.sample_rate, frame.pts, frame.time_base = self.rate, second * self.rate, Fraction(1, self.rate)
            for one in resampler.resample(frame):
                media.mux(stream.encode(one))
        media.mux(stream.encode(None))


@dataclass(frozen=True, kw_only=True)
class Subtitles:
    """A subtitle track with one line of text."""

    def add(self, media: OutputContainer) -> Any:
        """Add the stream, and return it."""
        return media.add_mux_stream("subrip")

    def write(self, media: OutputContainer, stream: Any) -> None:
        """Write the line."""
        packet = av.Packet(b"Hello")
        packet.stream, packet.pts, packet.dts, packet.duration = stream, 0, 0, 500
        packet.time_base = _MILLISECOND
        media.mux(packet)


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A text file in the container."""

    def add(self, media: OutputContainer) -> Any:
        """Add the file."""
        return media.add_attachment("notes.txt", "text/plain", b"Hello")

    def write(self, media: OutputContainer, stream: Any) -> None:
        """Do nothing, because the attached file is stored in the container's header."""


Track = VideoTrack | AudioTrack | Subtitles | Attachment


def write_tracks(path: Path, *tracks: Track, metadata: dict[str, str] | None = None) -> Path:
    """Write a file whose container is given by its suffix, and return its path."""
    with av.open(str(path), "w") as media:
        media.metadata.update(metadata or {})
        for track, stream in [(track, track.add(media)) for track in tracks]:
            track.write(media, stream)
    return path
