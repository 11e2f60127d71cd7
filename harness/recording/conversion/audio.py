"""Encode audio from time zero on, with silence in its gaps."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final, cast

import av
from av.filter import Graph

from harness.recording.conversion.packets import PacketDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

    from harness.recording.conversion.formats import Format
    from harness.recording.timeline import Interval

_SAMPLE_RATE: Final = 48_000
_BITRATE: Final = 160_000
_MILLISECOND: Final = Fraction(1, 1000)
# Minimum length of the gaps that are filled and reported, in seconds. Timestamps can be off by several milliseconds,
# while one lost Opus packet leaves a gap of up to 60 ms.
_GAP: Final = 0.045
# Maximum total silence to insert, in seconds. Without a limit, a jump in the timestamps could make the output endless.
_MOST_SILENCE: Final = 600.0
# FFmpeg's resampler replaces missing audio with silence, and compensates for a slightly drifting clock without clicks.
_CONTINUOUS: Final = "async=1000:first_pts={start}:min_hard_comp=0.02"
# If the video has no frame for nearly as long as the audio has a gap, the recording was paused. Both are in seconds.
_PAUSE: Final = 0.5
_TOLERANCE: Final = 0.25
# Names of lossless codecs begin like this; the samples of other codecs have no fixed number of bits.
_LOSSLESS: Final = ("pcm_", "flac", "alac", "wavpack")
_BITS: Final = 16
# FFmpeg's names for layouts whose channels have no positions end like this, for example "2 channels".
_UNNAMED: Final = " channels"
# FFmpeg's names for the usual channel layouts, by the number of channels.
_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


class AudioEncoder:
    """Encodes audio from time zero on, and fills its gaps with silence.

    ``first`` is the first frame of the stream. ``warn`` receives one sentence about each thing that the new file does
    not preserve.
    """

    def __init__(
        self,
        source: AudioStream,
        first: AudioFrame,
        output: OutputContainer,
        to: Format,
        warn: Callable[[str], object],
    ) -> None:
        self._warn = warn
        self._to = to
        # The latest end of the audio, the end of the previous frame, and the total silence inserted so far, in seconds.
        self._end = 0.0
        self._previous_end = 0.0
        self._silence = 0.0
        self._gaps: list[Interval] = []
        self._packets = PacketDecoder()
        self._output = output
        self._layout = _named_layout(first)
        self._stream = cast("AudioStream", output.add_stream(to.audio_codec, rate=_SAMPLE_RATE, layout=self._layout))
        if to.audio_codec == "aac":
            self._stream.bit_rate = _BITRATE
        self._parameters = _parameters(first)
        self._graph = self._new_graph(first)
        self._report_losses(source, first)

    def _report_losses(self, source: AudioStream, first: AudioFrame) -> None:
        if first.sample_rate > _SAMPLE_RATE:
            self._warn(f"The audio has {first.sample_rate} samples per second; the new file has {_SAMPLE_RATE}.")
        lossless = source.codec_context.name.startswith(_LOSSLESS)
        if lossless and self._to.audio_codec.startswith(_LOSSLESS) and first.format.bits > _BITS:
            self._warn(f"The audio's samples have more than {_BITS} bits; the new file's have {_BITS}.")

    def encode(self, packet: Packet[AudioStream]) -> None:
        """Decode a packet, and encode the resulting audio."""
        for frame in self._packets.decode(packet):
            if _parameters(frame) != self._parameters:
                self._change(frame)
            if frame.time is not None:
                if frame.time - self._end > _GAP:
                    self._fill_gap(frame, frame.time - self._end)
                elif self._previous_end - frame.time > _GAP:
                    self._report_overlap(frame.time)
                self._previous_end = frame.time + frame.samples / frame.sample_rate
                self._end = max(self._end, self._previous_end)
            self._graph.push(frame)
            self._mux()

    def finish(self, pauses: Sequence[Interval] = ()) -> None:
        """Encode the audio that the encoder still holds, and report what was inserted or left out.

        ``pauses`` are the intervals in which the video has no frame.
        """
        self._graph.push(None)
        self._mux()
        for packet in self._stream.encode(None):
            self._output.mux(packet)
        for start, end in self._gaps:
            self._warn(_silence(start, end, pauses))
        if self._packets.broken:
            self._warn(f"{self._packets} of the audio can't be decoded; the new file has silence instead.")

    def _report_overlap(self, at: float) -> None:
        if at < 0:
            self._warn(f"The audio begins {-at:.2f} s before time zero; the new file begins at time zero.")
        else:
            seconds = self._previous_end - at
            self._warn(
                f"The audio overlaps itself by {seconds:.2f} s at {at:.2f} s; the new file contains this part only "
                "once."
            )

    def _fill_gap(self, frame: AudioFrame, seconds: float) -> None:
        """Insert silence before a frame, in short pieces because long ones make the resampler use too much memory."""
        self._silence += seconds
        if self._silence > _MOST_SILENCE:
            message = (
                f"the audio has a gap of {seconds:.1f} s at {self._end:.1f} s, and at most {_MOST_SILENCE:g} s of "
                "silence can be inserted; use --to mkv, which keeps all timestamps"
            )
            raise ValueError(message)
        self._gaps.append((self._end, self._end + seconds))
        left = round(seconds * frame.sample_rate)
        while left > 0:
            piece = _silent(frame, min(left, frame.sample_rate))
            piece.pts = round(Fraction(self._end) / (frame.time_base or _MILLISECOND))
            left -= piece.samples
            self._end += piece.samples / frame.sample_rate
            self._graph.push(piece)
            self._mux()

    def _change(self, frame: AudioFrame) -> None:
        """Create a new resampler, because a resampler accepts only one sample format, rate and channel layout."""
        self._graph.push(None)
        self._mux()
        self._parameters = _parameters(frame)
        self._graph = self._new_graph(frame, start=self._end)
        if frame.layout.name != self._layout:
            self._warn(
                f"The audio's channels change to {frame.layout.name!r} at {self._end:.2f} s; they were mixed to "
                f"{self._layout!r}, the layout at the beginning."
            )

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

    def _new_graph(self, frame: AudioFrame, start: float = 0.0) -> Graph:
        """Return a resampler for frames like ``frame``; the resampler's output begins at ``start`` seconds."""
        graph = Graph()
        first = graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=frame.time_base or _MILLISECOND,
        )
        to = f"sample_fmts={self._to.sample_format}:sample_rates={_SAMPLE_RATE}:channel_layouts={self._layout}"
        chain = [
            first,
            graph.add("aresample", _CONTINUOUS.format(start=round(start * _SAMPLE_RATE))),
            graph.add("aformat", to),
            graph.add("asetnsamples", "n=1024:p=0"),
            graph.add("abuffersink"),
        ]
        for left, right in pairwise(chain):
            left.link_to(right)
        graph.configure()
        return graph


def _named_layout(frame: AudioFrame) -> str:
    """Return FFmpeg's name for a frame's channel layout; plain WAV files store only the number of channels."""
    if frame.layout.name.endswith(_UNNAMED):
        return _LAYOUTS.get(frame.layout.nb_channels, frame.layout.name)
    return frame.layout.name


def _parameters(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _silence(start: float, end: float, pauses: Sequence[Interval]) -> str:
    """Return the warning about an interval without audio, in which the video may have no frames either."""
    paused = end - start >= _PAUSE and any(
        pause[0] < start + _TOLERANCE and pause[1] > end - _TOLERANCE for pause in pauses
    )
    if paused:
        return (
            f"The recording pauses for {end - start:.2f} s at {start:.2f} s; the new file has silence there, and "
            "the last frame is shown."
        )
    return f"The audio has a gap of {end - start:.2f} s at {start:.2f} s; it was filled with silence."


def _silent(like: AudioFrame, samples: int) -> AudioFrame:
    """Return a silent frame that has the same format as another frame."""
    frame = av.AudioFrame(format=like.format.name, layout=like.layout.name, samples=samples)
    frame.sample_rate, frame.time_base = like.sample_rate, like.time_base
    zero = b"\x80" if like.format.name.startswith("u8") else b"\0"
    for plane in frame.planes:
        plane.update(zero * plane.buffer_size)
    return frame
