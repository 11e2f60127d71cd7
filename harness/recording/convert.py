"""Convert a finished recording to MP4, Matroska or WAV without changing its A/V offset."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import av
from av.error import FFmpegError
from av.filter import Graph

from harness.errors import ConfigError, HarnessError, disk_full
from harness.recording.files.disk import is_full
from harness.recording.files.formats import decoder_threads, open_media
from harness.recording.isolation.child import MEMORY
from harness.recording.isolation.task_process import CrashedError, Failure, Message, StuckError, TaskProcess
from harness.recording.recording import check_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from harness.recording.config import Target

_FORMATS: Final = {"mp4": "mp4", "mkv": "matroska", "wav": "wav"}
_AUDIO_CODECS: Final = {"mp4": ("aac", "fltp"), "wav": ("pcm_s16le", "s16")}
_SAMPLE_RATE: Final = 48_000
_AUDIO_BITRATE: Final = 160_000
_MILLISECOND: Final = Fraction(1, 1000)
# These settings combine good quality and high speed. Synthetic participants' markers survive at much lower quality.
_H264: Final = {"preset": "veryfast", "crf": "20"}
# Minimum length of the audio gaps that are reported, in seconds; jitter causes shorter gaps.
_GAP: Final = 0.1
# Maximum total silence to insert, in seconds. Without a limit, a jump in the timestamps could make the output endless.
_MOST_SILENCE: Final = 600.0
# Largest absolute value of the time in a progress message, in seconds.
_LARGEST_TIME: Final = 1e12
# Errors from file systems that do not support hard links.
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
# FFmpeg's resampler replaces missing audio with silence, and compensates for a slightly drifting clock without clicks.
_CONTINUOUS: Final = "async=1000:first_pts=0:min_hard_comp=0.02"


@dataclass(frozen=True)
class Silence:
    """Silence that a conversion inserted into an audio gap; its position ``at`` and its length are in seconds."""

    at: float
    seconds: float

    def __str__(self) -> str:
        """Return the warning."""
        return f"The audio has a gap of {self.seconds:.2f} s at {self.at:.2f} s; it was filled with silence."


def convert(
    source: Path,
    to: Target,
    target: Path | None = None,
    *,
    on_length: Callable[[float], object] = lambda _: None,
    on_progress: Callable[[float], object] = lambda _: None,
    on_silence: Callable[[Silence], object] = lambda _: None,
) -> Path:
    """Convert the recording at ``source`` to another format, and return the path of the new file.

    ``mp4`` contains H.264 and AAC, ``mkv`` contains the original packets, and ``wav`` contains only the audio, as
    16-bit PCM at 48 kHz. By default, the new file is written next to the recording, with a different suffix.
    ``on_length`` receives the recording's length, if it is known, and ``on_progress`` receives the position reached so
    far, both in seconds. ``on_silence`` is called for each audio gap that is filled with silence. The recording is
    decoded in a confined process, and is not modified.

    Raises ConfigError if the recording can't be read, if ``target`` exists, or if the gaps in the audio exceed ten
    minutes in total. Raises DiskFullError if the disk is full.
    """
    source = source.absolute()
    target = (target or source.with_suffix(f".{to}")).absolute()
    check_file(source)
    if os.path.lexists(target):
        raise _exists(target)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.touch(exist_ok=False)
        request = {"source": os.fsencode(source).hex(), "partial": os.fsencode(partial).hex(), "to": to}
        with TaskProcess("harness.recording.convert:work", request, partial=partial) as process:
            for message in process.messages():
                match message.kind:
                    case "length":
                        on_length(message.seconds)
                    case "at":
                        on_progress(message.at)
                    case "silence":
                        on_silence(Silence(message.at, message.seconds))
                    case "failed":
                        raise _failed(source, to, target, message.failure)
        _publish(partial, target)
    except OSError as error:
        raise _not_written(target, error) from error
    except (CrashedError, StuckError) as error:
        problem = f"{source} can't be converted to {to}: {error}."
        raise ConfigError(problem) from error
    finally:
        # If the file's name was too long, the file was never created, and removing it fails.
        with contextlib.suppress(OSError):
            partial.unlink()
    return target


def _publish(partial: Path, target: Path) -> None:
    """Rename the finished file to its final name; raises FileExistsError if the name is already taken."""
    try:
        os.link(partial, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        target.touch(exist_ok=False)
        try:
            partial.replace(target)
        except BaseException:
            target.unlink()
            raise


def _exists(target: Path) -> ConfigError:
    return ConfigError(f"{target} already exists and will not be overwritten; give another name with --output.")


def _not_written(target: Path, error: OSError) -> HarnessError:
    if isinstance(error, FileExistsError):
        return _exists(target)
    if is_full(error):
        message = f"No space for {target}: the disk is full. Free some space; the recording has not been changed."
        return disk_full(message)
    return ConfigError(f"{target} can't be written: {error.strerror}.")


def _failed(source: Path, to: Target, target: Path, failure: Failure | None) -> HarnessError:
    reason = failure.message if failure else "the decoder gave no reason"
    match failure:
        case Failure(kind="system", number=int() as number, message=refusal):
            return _not_written(target, OSError(number, refusal))
        case Failure(kind="memory"):
            reason = f"the conversion needs more than {MEMORY / 1e9:g} GB of memory"
        case Failure(kind="fault", message=fault):
            reason = f"this is a bug in the harness ({fault})"
    return ConfigError(f"{source} can't be converted to {to}: {reason}.")


def work(request: dict[str, Any], send: Callable[[Message], None]) -> None:
    """Convert a file; this function runs in the confined process."""
    source, partial = (Path(os.fsdecode(bytes.fromhex(request[name]))) for name in ("source", "partial"))
    if (seconds := length(source)) is not None:
        send(Message(kind="length", seconds=seconds))
    _write(source, request["to"], partial, send)


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


def _write(source: Path, to: Target, partial: Path, send: Callable[[Message], None]) -> None:
    with (
        open_media(source) as container,
        av.open(str(partial), mode="w", format=_FORMATS[to]) as output,
    ):
        if to == "mkv":
            _copy(container, output, send)
        else:
            _encode(container, output, to, send)


def _copy(container: InputContainer, output: OutputContainer, send: Callable[[Message], None]) -> None:
    """Copy the packets into a different container."""
    streams = {
        stream.index: output.add_stream_from_template(stream, opaque=True)
        for stream in (*container.streams.video, *container.streams.audio)
    }
    for packet in container.demux():
        if packet.pts is None or packet.stream.index not in streams:
            continue
        send(_progress(packet))
        packet.stream = streams[packet.stream.index]
        output.mux(packet)


def _encode(container: InputContainer, output: OutputContainer, to: Target, send: Callable[[Message], None]) -> None:
    """Encode every frame at its original time, and fill the gaps in the audio."""
    video = container.streams.video[0] if to == "mp4" and container.streams.video else None
    audio = container.streams.audio[0] if container.streams.audio else None
    if video is None and audio is None:
        message = "the recording has no audio" if to == "wav" else "the recording has no audio and no video"
        raise ValueError(message)
    video_encoder = _VideoEncoder(video, output) if video else None
    audio_encoder = _AudioEncoder(audio, output, to, send) if audio else None
    for packet in container.demux([stream for stream in (video, audio) if stream]):
        if packet.pts is not None:
            send(_progress(packet))
        if video_encoder and packet.stream is video:
            video_encoder.encode(cast("Packet[VideoStream]", packet))
        elif audio_encoder:
            audio_encoder.encode(cast("Packet[AudioStream]", packet))
    for encoder in (video_encoder, audio_encoder):
        if encoder:
            encoder.finish()


def _progress(packet: Packet[Any]) -> Message:
    at = float((packet.pts or 0) * (packet.time_base or _MILLISECOND))
    return Message(kind="at", at=max(-_LARGEST_TIME, min(_LARGEST_TIME, at)))


class _VideoEncoder:
    """Encodes every frame at its original time in the recording."""

    def __init__(self, source: VideoStream, output: OutputContainer) -> None:
        rate = source.average_rate or Fraction(30)
        self._output = output
        self._stream = output.add_stream("libx264", rate=rate, options=_H264)
        self._stream.width, self._stream.height, self._stream.pix_fmt = source.width, source.height, "yuv420p"
        self._stream.codec_context.time_base = _MILLISECOND
        self._stream.codec_context.thread_count = decoder_threads()
        self._step = round(1000 / rate)

    def encode(self, packet: Packet[VideoStream]) -> None:
        for frame in packet.decode():
            if frame.time is None:
                continue
            frame.pts = round(frame.time * 1000)
            frame.time_base = _MILLISECOND
            # Let the encoder choose the keyframes.
            frame.pict_type = av.video.frame.PictureType.NONE
            self._mux(frame)

    def finish(self) -> None:
        self._mux(None)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = packet.duration or self._step
            self._output.mux(packet)


class _AudioEncoder:
    """Encodes the audio from time zero, fills its gaps with silence, and reports each gap by calling ``send``."""

    def __init__(
        self, source: AudioStream, output: OutputContainer, to: Target, send: Callable[[Message], None]
    ) -> None:
        self._send = send
        # The current end of the audio, and the total silence inserted so far, both in seconds.
        self._end = 0.0
        self._silence = 0.0
        codec, sample_format = _AUDIO_CODECS[to]
        self._output = output
        layout = source.layout.name
        self._stream = cast("AudioStream", output.add_stream(codec, rate=_SAMPLE_RATE, layout=layout))
        if to == "mp4":
            self._stream.bit_rate = _AUDIO_BITRATE
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

    def encode(self, packet: Packet[AudioStream]) -> None:
        for frame in packet.decode():
            if frame.time is not None:
                if frame.time - self._end > _GAP:
                    self._fill_gap(frame, frame.time - self._end)
                self._end = frame.time + frame.samples / frame.sample_rate
            self._graph.push(frame)
            self._mux()

    def _fill_gap(self, frame: AudioFrame, seconds: float) -> None:
        """Insert silence before a frame, in short pieces because long ones make the resampler use too much memory."""
        self._silence += seconds
        if self._silence > _MOST_SILENCE:
            message = (
                f"the audio has a gap of {seconds:.1f} s at {self._end:.1f} s, and at most {_MOST_SILENCE:g} s of "
                "silence can be inserted; use --to mkv, which keeps all timestamps"
            )
            raise ValueError(message)
        self._send(Message(kind="silence", at=self._end, seconds=seconds))
        left = round(seconds * frame.sample_rate)
        while left > 0:
            piece = _silent(frame, min(left, frame.sample_rate))
            piece.pts = round(Fraction(self._end) / (frame.time_base or _MILLISECOND))
            left -= piece.samples
            self._end += piece.samples / frame.sample_rate
            self._graph.push(piece)
            self._mux()

    def finish(self) -> None:
        self._graph.push(None)
        self._mux()
        for packet in self._stream.encode(None):
            self._output.mux(packet)

    def _mux(self) -> None:
        for frame in self._resampled():
            for packet in self._stream.encode(frame):
                self._output.mux(packet)

    def _resampled(self) -> Iterator[AudioFrame]:
        while True:
            try:
                yield cast("AudioFrame", self._graph.pull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def _silent(like: AudioFrame, samples: int) -> AudioFrame:
    """Return a silent frame that has the same format as another frame."""
    frame = av.AudioFrame(format=like.format.name, layout=like.layout.name, samples=samples)
    frame.sample_rate, frame.time_base = like.sample_rate, like.time_base
    zero = b"\x80" if like.format.name.startswith("u8") else b"\0"
    for plane in frame.planes:
        plane.update(zero * plane.buffer_size)
    return frame
