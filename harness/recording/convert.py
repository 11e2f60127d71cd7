"""Conversion: a finished recording as MP4, Matroska or WAV, its sound as far from its picture as before."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final, cast

import av
from av.error import FFmpegError
from av.filter import Graph

from harness.errors import ConfigError, DiskFullError
from harness.recording.alone import open_media
from harness.recording.disk import is_full
from harness.recording.recording import check_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from harness.recording.config import Target

_FORMATS: Final = {"mp4": "mp4", "mkv": "matroska", "wav": "wav"}
_SOUND: Final = {"mp4": ("aac", "fltp"), "wav": ("pcm_s16le", "s16")}
_SAMPLE_RATE: Final = 48_000
_SOUND_BITS: Final = 160_000
_MILLISECOND: Final = Fraction(1, 1000)
# Good to look at and soon done; the marks of synthetic participants survive far worse.
_H264: Final = {"preset": "veryfast", "crf": "20"}
# Sound that is missing becomes silence, and a clock that runs a little off is followed without a click.
_CONTINUOUS: Final = "async=1000:first_pts=0:min_hard_comp=0.02"


def convert(
    source: Path, to: Target, target: Path | None = None, *, tell: Callable[[float], object] = lambda _: None
) -> Path:
    """Write the recording at ``source`` as another kind of file, and return its path; the recording stays.

    ``mp4`` is H.264 and AAC, ``mkv`` the same packets in Matroska, ``wav`` the sound alone as 16-bit PCM at 48 kHz.
    ``target`` lies beside the recording, with another suffix, by default. ``tell`` hears how far it is, in seconds.

    Raises ConfigError where there is nothing to convert or ``target`` exists, and DiskFullError where it has no room.
    """
    source = source.absolute()
    target = (target or source.with_suffix(f".{to}")).absolute()
    check_file(source)
    if os.path.lexists(target):
        message = f"{target} is there already, and nothing is overwritten; give another name with --output."
        raise ConfigError(message)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        _write(source, to, partial, tell)
        # A link, as it fails where a file appeared by that name meanwhile.
        os.link(partial, target)
    except OSError as error:
        if is_full(error):
            message = f"No room for {target}: the disk is full. Make room there; the recording is as it was."
            raise DiskFullError(message, code=10452) from error
        message = f"{target} can't be written: {error.strerror}."
        raise ConfigError(message) from error
    except (FFmpegError, ValueError) as error:
        # PyAV says a ValueError of what is no text, or no layout of channels.
        message = f"{source} can't be converted to {to}: {getattr(error, 'strerror', error)}."
        raise ConfigError(message) from error
    finally:
        # What could not be made, as its name was too long, can't be removed either.
        with contextlib.suppress(OSError):
            partial.unlink()
    return target


def length(source: Path) -> float | None:
    """Return how long a file says that it lasts, in seconds; None where it does not, or can't be read."""
    try:
        # A pipe would be waited for; and what is no path from the root may be an address to FFmpeg, as pipe:0 is.
        if not source.is_file():
            return None
        with open_media(source.absolute()) as container:
            return container.duration / 1e6 if container.duration else None
    except (OSError, FFmpegError, ValueError):
        return None


def _write(source: Path, to: Target, partial: Path, tell: Callable[[float], object]) -> None:
    with (
        open_media(source) as container,
        av.open(str(partial), mode="w", format=_FORMATS[to]) as output,
    ):
        if to == "mkv":
            _copy(container, output, tell)
        else:
            _encode(container, output, to, tell)


def _copy(container: InputContainer, output: OutputContainer, tell: Callable[[float], object]) -> None:
    """Put the packets as they are into another container."""
    streams = {
        stream.index: output.add_stream_from_template(stream, opaque=True)
        for stream in (*container.streams.video, *container.streams.audio)
    }
    for packet in container.demux():
        if packet.pts is None or packet.stream.index not in streams:
            continue
        tell(float(packet.pts * (packet.time_base or _MILLISECOND)))
        packet.stream = streams[packet.stream.index]
        output.mux(packet)


def _encode(container: InputContainer, output: OutputContainer, to: Target, tell: Callable[[float], object]) -> None:
    """Encode every picture at its own time, and the sound without holes."""
    picture = container.streams.video[0] if to == "mp4" and container.streams.video else None
    sound = container.streams.audio[0] if container.streams.audio else None
    if picture is None and sound is None:
        message = f"There is nothing in it that {to} holds."
        raise ConfigError(message)
    film = _Film(picture, output) if picture else None
    tape = _Tape(sound, output, to) if sound else None
    for packet in container.demux([stream for stream in (picture, sound) if stream]):
        if packet.pts is not None:
            tell(float(packet.pts * (packet.time_base or _MILLISECOND)))
        if film and packet.stream is picture:
            film.take(cast("Packet[VideoStream]", packet))
        elif tape:
            tape.take(cast("Packet[AudioStream]", packet))
    for part in (film, tape):
        if part:
            part.end()


class _Film:
    """The picture: each with the time that it has in the recording."""

    def __init__(self, source: VideoStream, output: OutputContainer) -> None:
        rate = source.average_rate or Fraction(30)
        self._output = output
        self._stream = output.add_stream("libx264", rate=rate, options=_H264)
        self._stream.width, self._stream.height, self._stream.pix_fmt = source.width, source.height, "yuv420p"
        self._stream.codec_context.time_base = _MILLISECOND
        self._step = round(1000 / rate)

    def take(self, packet: Packet[VideoStream]) -> None:
        for frame in packet.decode():
            frame.pts = round(frame.time * 1000)
            frame.time_base = _MILLISECOND
            # Which pictures are key pictures is for the encoder to say.
            frame.pict_type = av.video.frame.PictureType.NONE
            self._mux(frame)

    def end(self) -> None:
        self._mux(None)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = packet.duration or self._step
            self._output.mux(packet)


class _Tape:
    """The sound: one sample after the other from zero on, silence where there is none."""

    def __init__(self, source: AudioStream, output: OutputContainer, to: Target) -> None:
        codec, sample_format = _SOUND[to]
        self._output = output
        layout = source.layout.name
        self._stream = cast("AudioStream", output.add_stream(codec, rate=_SAMPLE_RATE, layout=layout))
        if to == "mp4":
            self._stream.bit_rate = _SOUND_BITS
        graph = Graph()
        self._first = graph.add_abuffer(template=source)
        chain = [
            self._first,
            graph.add("aresample", _CONTINUOUS),
            graph.add("aformat", f"sample_fmts={sample_format}:sample_rates={_SAMPLE_RATE}:channel_layouts={layout}"),
            graph.add("asetnsamples", "n=1024:p=0"),
            graph.add("abuffersink"),
        ]
        for left, right in pairwise(chain):
            left.link_to(right)
        graph.configure()
        self._graph = graph

    def take(self, packet: Packet[AudioStream]) -> None:
        for frame in packet.decode():
            self._graph.push(frame)
            self._mux()

    def end(self) -> None:
        self._graph.push(None)
        self._mux()
        for packet in self._stream.encode(None):
            self._output.mux(packet)

    def _mux(self) -> None:
        for frame in self._continuous():
            for packet in self._stream.encode(frame):
                self._output.mux(packet)

    def _continuous(self) -> Iterator[AudioFrame]:
        while True:
            try:
                yield cast("AudioFrame", self._graph.pull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return
