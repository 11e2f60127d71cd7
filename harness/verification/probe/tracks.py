"""Decode the packets of one track to frames or audio, and collect the track's properties."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import av
import av.error
import numpy as np

from harness.verification.probe.channels import FULL_SCALE, ChannelMeter
from harness.verification.probe.loudness import LoudnessMeter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.recording.timeline import Interval
    from harness.verification.probe.channels import ChannelLevels

SAMPLE_RATE: Final = 48_000

# Pixel formats whose first plane is 8-bit luma, with the number of pixels per chroma sample (horizontally). Frames in
# other formats are converted first, which is slower.
_LUMA_FIRST: Final = {
    "yuv420p": 2,
    "yuvj420p": 2,
    "yuv422p": 2,
    "yuvj422p": 2,
    "yuv444p": 1,
    "yuvj444p": 1,
    "yuva420p": 2,
    "nv12": 2,
    "gray": 0,
}
# Minimum length of a gap, in seconds. Timestamps of 60 ms Opus packets are off by several milliseconds, while a lost
# packet leaves a gap of 60 ms.
_AUDIO_GAP: Final = 0.045
# Samples are limited to this value (24 dB above full scale), because floating-point audio may contain any value.
_LOUDEST: Final = 16.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame.

    ``at`` is the frame's time in seconds. ``luma`` holds the rows of the first plane, including padding. ``chroma``
    holds U and V in the same form, or is None if the video has no colors. ``chroma_across`` is the number of pixels per
    chroma sample, horizontally.
    """

    at: float
    luma: NDArray[np.uint8]
    width: int
    height: int
    chroma: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
    chroma_across: int = 2


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """A block of decoded audio.

    ``at`` is the start of the block in seconds. ``samples`` are mono at 48 kHz, and full scale is 1.
    """

    at: float
    samples: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class VideoFacts:
    """The properties of a video track; times are in seconds.

    ``packets`` is the number of packets that contain data. ``times`` are the times of all displayed packets, in order,
    and ``last`` is how long the last one is displayed, or 0 if the container does not state it. ``sizes`` holds (time,
    width, height) for each change of the frame size. ``display`` is the width and the height in pixels at which players
    show the first frame, after they have turned it by ``rotation`` degrees and made its pixels square. ``backward`` is
    the number of frames that were decoded after a frame with a later time. ``broken`` is the number of packets that
    could not be decoded.
    """

    codec: str
    packets: int
    times: NDArray[np.float64]
    last: float
    keyframes: NDArray[np.float64]
    display: tuple[int, int]
    rotation: int
    sizes: tuple[tuple[float, int, int], ...]
    decoded: int
    backward: int
    broken: int


@dataclass(frozen=True, kw_only=True)
class AudioFacts:
    """The properties of an audio track; times are in seconds. ``gaps`` are the intervals without samples.

    ``loudness`` is in LUFS, or None for silence. ``peak`` is the absolute value of the loudest sample of all channels,
    and full scale is 1. ``clipped`` counts the samples at full scale. ``packets`` is the number of packets that contain
    data. ``levels`` are the levels of each channel.
    """

    codec: str
    packets: int
    sample_rate: int
    channels: int
    start: float
    end: float
    duration: float
    gaps: tuple[Interval, ...]
    backward: int
    broken: int
    levels: ChannelLevels
    loudness: float | None = None
    peak: float = 0.0
    clipped: int = 0


class VideoDecoder:
    """Decodes a video track. ``zero`` is the container's time, in seconds, at which the file begins."""

    def __init__(self, stream: av.VideoStream, *, zero: float = 0.0) -> None:
        self.stream = stream
        self._zero = zero
        # Decoding is fastest with frame threading; open_media sets the number of threads.
        stream.thread_type = "AUTO"
        self._packets = 0
        self._times = array("d")
        self._last = (-math.inf, 0.0)
        self._rotation = 0
        self._keyframes = array("d")
        self._sizes: list[tuple[float, int, int]] = []
        self._decoded = 0
        self._broken = 0
        self._backward = 0
        self._latest = -math.inf

    def decode(self, packet: av.Packet[av.VideoStream]) -> Iterator[Frame]:
        """Yield the frames that a packet completes."""
        self._packets += bool(packet.size)
        # AVI files store only decoding times.
        stamp = packet.dts if packet.pts is None else packet.pts
        if packet.size and stamp is not None and packet.time_base:
            at = float(stamp * packet.time_base) - self._zero
            # Packets that an edit list cuts off are not displayed, but must be decoded, because other packets depend on
            # them.
            if not packet.is_discard:
                self._times.append(at)
                self._last = max(self._last, (at, float((packet.duration or 0) * packet.time_base)))
            if packet.is_keyframe:
                self._keyframes.append(at)
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self._broken += 1
            return
        for frame in frames:
            stamp = frame.dts if frame.pts is None else frame.pts
            if stamp is not None and frame.time_base:
                at = float(stamp * frame.time_base) - self._zero
                self._decoded += 1
                # Codecs with B-frames do not store frames in display order, but decoders restore this order.
                self._backward += at <= self._latest
                self._latest = max(self._latest, at)
                yield self._frame(frame, at)

    def facts(self) -> VideoFacts:
        """Return the properties of the track, after all packets have been decoded."""
        return VideoFacts(
            codec=codec_of(self.stream),
            packets=self._packets,
            times=np.sort(np.array(self._times)),
            last=max(0.0, self._last[1]),
            display=self._display(),
            rotation=self._rotation,
            keyframes=np.array(self._keyframes),
            sizes=tuple(self._sizes),
            decoded=self._decoded,
            backward=self._backward,
            broken=self._broken,
        )

    def _display(self) -> tuple[int, int]:
        _, width, height = self._sizes[0] if self._sizes else (0.0, self.stream.width, self.stream.height)
        aspect = float(self.stream.sample_aspect_ratio or 1)
        # Like Chrome, make the frame larger instead of leaving out pixels.
        width, height = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
        return (height, width) if self._rotation % 180 else (width, height)

    def _frame(self, frame: av.VideoFrame, at: float) -> Frame:
        if not self._sizes:
            self._rotation = frame.rotation
        if not self._sizes or self._sizes[-1][1:] != (frame.width, frame.height):
            self._sizes.append((at, frame.width, frame.height))
        if frame.format.name not in _LUMA_FIRST:
            frame = frame.reformat(format="yuv420p")
        shrunk = _LUMA_FIRST[frame.format.name]
        luma, *others = (_rows(plane) for plane in frame.planes)
        if frame.format.name == "nv12":
            others = [others[0][:, offset::2] for offset in (0, 1)]
        chroma = (others[0], others[1]) if shrunk else None
        return Frame(at, luma, frame.width, frame.height, chroma, shrunk)


def _rows(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)


class AudioDecoder:
    """Decodes an audio track in any format to one channel at 48 kHz.

    ``zero`` is the container's time, in seconds, at which the file begins.
    """

    def __init__(self, stream: av.AudioStream, *, zero: float = 0.0) -> None:
        self.stream = stream
        self._zero = zero
        self._packets = 0
        self._resampler: av.AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        self._start: float | None = None
        self._end = 0.0
        self._samples = 0
        self._gaps: list[Interval] = []
        self._starts = array("d")
        self._broken = 0
        self._meter = LoudnessMeter()
        self._peak = 0.0
        self._clipped = 0
        self._channels = ChannelMeter()

    def decode(self, packet: av.Packet[av.AudioStream]) -> Iterator[AudioBlock]:
        """Yield the blocks of audio that a packet completes."""
        self._packets += bool(packet.size)
        if packet.size and packet.pts is not None and packet.time_base:
            self._starts.append(float(packet.pts * packet.time_base))
        try:
            frames = packet.decode()
            resampled = [block for frame in frames for block in self._resample(frame)]
        except (av.error.FFmpegError, ValueError):
            self._broken += 1
            return
        for frame in resampled:
            if frame.time is not None:
                yield self._block(frame, frame.time - self._zero)

    def facts(self) -> AudioFacts:
        """Return the properties of the track, after all packets have been decoded."""
        start = self._start or 0.0
        return AudioFacts(
            codec=codec_of(self.stream),
            packets=self._packets,
            sample_rate=self.stream.codec_context.sample_rate,
            channels=self.stream.codec_context.channels,
            start=start,
            end=self._end,
            duration=max(0.0, self._end - start),
            gaps=tuple(self._gaps),
            backward=sum(later <= earlier for earlier, later in pairwise(self._starts)),
            broken=self._broken,
            levels=self._channels.levels(),
            loudness=self._meter.loudness(),
            peak=self._peak,
            clipped=self._clipped,
        )

    def _resample(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        sample_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or sample_format != self._format:
            self._format = sample_format
            # _block averages the channels, because libav's downmix makes two equal channels 3 dB louder.
            self._resampler = av.AudioResampler(format="fltp", layout=frame.layout, rate=SAMPLE_RATE)
        return self._resampler.resample(frame)

    def _block(self, frame: av.AudioFrame, at: float) -> AudioBlock:
        if self._start is None:
            self._start = at
        elif at - self._end > _AUDIO_GAP:
            self._gaps.append((self._end, at))
        self._end = max(self._end, at + frame.samples / SAMPLE_RATE)
        self._meter.push(frame)
        samples = np.nan_to_num(frame.to_ndarray()).clip(-_LOUDEST, _LOUDEST)
        peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
        self._peak = max(self._peak, peak)
        if peak >= FULL_SCALE:
            self._clipped += int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
        mixed = samples.mean(axis=0)
        self._channels.push(samples, mixed, at, at + frame.samples / SAMPLE_RATE)
        return AudioBlock(at, mixed)


def codec_of(stream: av.VideoStream | av.AudioStream) -> str:
    """Return the codec's plain name, for example ``vp8``, and not the name of the decoder library."""
    return stream.codec_context.codec.canonical_name
