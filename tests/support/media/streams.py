"""Add video and audio streams to files that tests write, and return each stream with its exact type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from av import AudioStream, VideoStream

if TYPE_CHECKING:
    from fractions import Fraction

    from av.container import OutputContainer


def add_video_stream(
    container: OutputContainer, codec: str, rate: int | Fraction, *, size: tuple[int, int]
) -> VideoStream:
    """Add a video stream in 4:2:0; ``size`` is in pixels."""
    stream = container.add_stream(codec, rate=rate)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    # On a busy machine, libvpx's threads use up to four times the CPU time, because they wait for each other in loops.
    stream.thread_count = 1
    return stream


def add_audio_stream(container: OutputContainer, codec: str, rate: int, *, layout: str = "mono") -> AudioStream:
    """Add an audio stream of ``rate`` samples per second."""
    stream = container.add_stream(codec, rate=rate, layout=layout)
    assert isinstance(stream, AudioStream)
    return stream
