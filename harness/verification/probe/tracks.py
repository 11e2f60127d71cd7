"""One track at a time: from packets to decoded pictures and sound, and the facts of the whole track."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import av
import av.error
import numpy as np

from harness.verification.probe.loudness import LoudnessMeter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.recording.timeline import Interval

SAMPLE_RATE: Final = 48_000

# Pixel formats whose first plane is 8-bit luma; anything else is converted first, which is slower.
_LUMA_FIRST: Final = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuva420p", "nv12", "gray"}
)
# Opus packets of 60 ms are stamped when they arrive, several milliseconds off; a lost one leaves 60 ms.
_SOUND_HOLE: Final = 0.045
# A decoder may overshoot a little; what a mixer cut off lies at full scale or just below it.
_FULL_SCALE: Final = 0.999
# Floating-point sound may hold anything, even what is no number; nothing is recorded 24 dB above full scale.
_LOUDEST: Final = 16.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: ``at`` in seconds, ``luma`` the rows of its first plane with their padding."""

    at: float
    luma: NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of decoded sound: ``at`` in seconds, ``samples`` mono at 48 kHz, full scale 1."""

    at: float
    samples: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """The facts of a picture track; times in seconds.

    ``times`` are those of the packets that are shown, rising; ``sizes`` says from when on pictures have which width and
    height, ``backward`` counts frames that decode after a later one, ``broken`` packets that don't decode.
    """

    codec: str
    times: NDArray[np.float64]
    keyframes: NDArray[np.float64]
    sizes: tuple[tuple[float, int, int], ...]
    decoded: int
    backward: int
    broken: int


@dataclass(frozen=True, kw_only=True)
class SoundFacts:
    """The facts of a sound track; times in seconds, ``holes`` where no samples are.

    ``loudness`` is in LUFS, None of silence; ``peak`` the loudest sample of any channel, full scale 1; ``clipped``
    counts the samples at full scale.
    """

    codec: str
    sample_rate: int
    channels: int
    start: float
    end: float
    duration: float
    holes: tuple[Interval, ...]
    backward: int
    broken: int
    loudness: float | None = None
    peak: float = 0.0
    clipped: int = 0


class PictureTrack:
    """Decodes a picture track."""

    def __init__(self, stream: av.VideoStream) -> None:
        self.stream = stream
        # Frame threads decode fastest; open_media says how many.
        stream.thread_type = "AUTO"
        self._times = array("d")
        self._keyframes = array("d")
        self._sizes: list[tuple[float, int, int]] = []
        self._decoded = 0
        self._broken = 0
        self._backward = 0
        self._latest = -math.inf

    def take(self, packet: av.Packet[av.VideoStream]) -> Iterator[Picture]:
        """Yield the pictures that a packet completes."""
        if packet.size and packet.pts is not None and packet.time_base:
            at = float(packet.pts * packet.time_base)
            # What an edit list cuts off is decoded, as others depend on it, and not shown.
            if not packet.is_discard:
                self._times.append(at)
            if packet.is_keyframe:
                self._keyframes.append(at)
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self._broken += 1
            return
        for frame in frames:
            if frame.time is not None:
                self._decoded += 1
                # Codecs with B-frames store frames in another order than they show them, and decoders undo that.
                self._backward += frame.time <= self._latest
                self._latest = max(self._latest, frame.time)
                yield self._picture(frame, frame.time)

    def facts(self) -> PictureFacts:
        """Return the facts, when all packets were taken."""
        return PictureFacts(
            codec=_codec(self.stream),
            times=np.sort(np.array(self._times)),
            keyframes=np.array(self._keyframes),
            sizes=tuple(self._sizes),
            decoded=self._decoded,
            backward=self._backward,
            broken=self._broken,
        )

    def _picture(self, frame: av.VideoFrame, at: float) -> Picture:
        if not self._sizes or self._sizes[-1][1:] != (frame.width, frame.height):
            self._sizes.append((at, frame.width, frame.height))
        if frame.format.name not in _LUMA_FIRST:
            frame = frame.reformat(format="gray")
        plane = frame.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return Picture(at, luma, frame.width, frame.height)


class SoundTrack:
    """Decodes a sound track to one channel at 48 kHz, whatever it holds."""

    def __init__(self, stream: av.AudioStream) -> None:
        self.stream = stream
        self._resampler: av.AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None
        self._start: float | None = None
        self._end = 0.0
        self._samples = 0
        self._holes: list[Interval] = []
        self._packets = array("d")
        self._broken = 0
        self._meter = LoudnessMeter()
        self._peak = 0.0
        self._clipped = 0

    def take(self, packet: av.Packet[av.AudioStream]) -> Iterator[Sound]:
        """Yield the pieces of sound that a packet completes."""
        if packet.size and packet.pts is not None and packet.time_base:
            self._packets.append(float(packet.pts * packet.time_base))
        try:
            frames = packet.decode()
            pieces = [piece for frame in frames for piece in self._at_rate(frame)]
        except (av.error.FFmpegError, ValueError):
            self._broken += 1
            return
        for piece in pieces:
            if piece.time is not None:
                yield self._sound(piece, piece.time)

    def facts(self) -> SoundFacts:
        """Return the facts, when all packets were taken."""
        start = self._start or 0.0
        return SoundFacts(
            codec=_codec(self.stream),
            sample_rate=self.stream.codec_context.sample_rate,
            channels=self.stream.codec_context.channels,
            start=start,
            end=self._end,
            duration=max(0.0, self._end - start),
            holes=tuple(self._holes),
            backward=sum(later <= earlier for earlier, later in pairwise(self._packets)),
            broken=self._broken,
            loudness=self._meter.loudness(),
            peak=self._peak,
            clipped=self._clipped,
        )

    def _at_rate(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or form != self._form:
            self._form = form
            # Channels are averaged here: libav's own way to one channel makes two equal ones 3 dB louder.
            self._resampler = av.AudioResampler(format="fltp", layout=frame.layout, rate=SAMPLE_RATE)
        return self._resampler.resample(frame)

    def _sound(self, frame: av.AudioFrame, at: float) -> Sound:
        if self._start is None:
            self._start = at
        elif at - self._end > _SOUND_HOLE:
            self._holes.append((self._end, at))
        self._end = max(self._end, at + frame.samples / SAMPLE_RATE)
        self._meter.take(frame)
        samples = np.nan_to_num(frame.to_ndarray()).clip(-_LOUDEST, _LOUDEST)
        size = np.abs(samples)
        self._peak = max(self._peak, float(size.max(initial=0.0)))
        self._clipped += int(np.count_nonzero(size >= _FULL_SCALE))
        return Sound(at, samples.mean(axis=0))


def _codec(stream: av.VideoStream | av.AudioStream) -> str:
    """Return the codec's plain name (``vp8``), not that of the library that decodes it."""
    return stream.codec_context.codec.canonical_name
