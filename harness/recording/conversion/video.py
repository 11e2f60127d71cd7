"""Encode video as H.264, with upright frames that keep their times, aspect ratio and colors."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import av
from av.filter import Graph
from av.sidedata.sidedata import Type as SideData

from harness.recording.conversion.packets import PacketDecoder
from harness.recording.files.formats import decoder_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from harness.recording.timeline import Interval

# These settings combine good quality and high speed. Synthetic participants' markers survive even at much lower
# quality.
_H264: Final = {"preset": "veryfast", "crf": "20"}
_PIXELS: Final = "yuv420p"
# Name of the stream's metadata entry that is "1" if the packets contain transparency as additional data.
_ALPHA: Final = "alpha_mode"
_DEFAULT_RATE: Final = Fraction(30)
# The finest time base that the encoder and the MP4 track use, in units per second.
_FINEST: Final = 1_000_000
_FALLBACK_TIME_BASE: Final = Fraction(1, 90_000)
# Minimum length of the pauses that are remembered, in seconds.
_PAUSE: Final = 0.25
# The new file's bits per component, and the number of components of a color frame.
_BITS: Final = 8
_COLORS: Final = 3
# An example size of the luma plane in pixels, for calculating how much smaller the chroma planes are.
_LUMA: Final = 16
# Of the nine numbers in a display matrix, these four describe rotations and flips; they are 16.16 fixed-point numbers.
_MATRIX: Final = struct.Struct("=9i")
_ONE: Final = 1 << 16
# FFmpeg's names for the filters that turn a frame upright, for each matrix (a, b, c, d): the pixel at (x, y) is shown
# at (a * x + c * y, b * x + d * y).
_TURNS: Final[dict[tuple[int, int, int, int], tuple[str, ...]]] = {
    (1, 0, 0, 1): (),
    (-1, 0, 0, 1): ("hflip",),
    (1, 0, 0, -1): ("vflip",),
    (-1, 0, 0, -1): ("hflip", "vflip"),
    (0, 1, 1, 0): ("transpose",),
    (0, 1, -1, 0): ("transpose", "hflip"),
    (0, -1, 1, 0): ("transpose", "vflip"),
    (0, -1, -1, 0): ("transpose", "hflip", "vflip"),
}
_TURN_OPTIONS: Final = {"transpose": "cclock_flip"}


@dataclass(frozen=True)
class Geometry:
    """How a frame is stored and shown: its size in pixels, the pixels' aspect ratio, and the filters that turn it.

    ``turn`` is None if the display matrix does not rotate the frame by a multiple of 90 degrees. Browsers ignore such a
    matrix.
    """

    width: int
    height: int
    aspect: Fraction
    turn: tuple[str, ...] | None

    @classmethod
    def of(cls, frame: VideoFrame, stream: VideoStream) -> Geometry:
        """Return the geometry of a frame in a stream."""
        return cls(frame.width, frame.height, stream.sample_aspect_ratio or Fraction(1), _turn(frame))

    @property
    def upright(self) -> tuple[int, int, Fraction]:
        """Return the size and the pixels' aspect ratio of the frame once it has been turned."""
        if "transpose" in (self.turn or ()):
            return self.height, self.width, 1 / self.aspect
        return self.width, self.height, self.aspect


def _turn(frame: VideoFrame) -> tuple[str, ...] | None:
    found: list[Any] = list(frame.side_data)
    matrix = next((bytes(one) for one in found if one.type is SideData.DISPLAYMATRIX), None)
    if matrix is None or len(matrix) < _MATRIX.size:
        return ()
    a, b, _, c, d, *_ = _MATRIX.unpack_from(matrix)
    if any(value % _ONE for value in (a, b, c, d)):
        return None
    return _TURNS.get((a // _ONE, b // _ONE, c // _ONE, d // _ONE))


def alpha_mode(stream: VideoStream) -> dict[str, str]:
    """Return the metadata entry of a stream whose packets contain transparency; empty for other streams."""
    return {name.lower(): value for name, value in stream.metadata.items() if name.lower() == _ALPHA and value == "1"}


class VideoEncoder:
    """Encodes every frame at its original time in the recording.

    ``first`` is the first frame of the stream. ``warn`` receives one sentence about each thing that the new file does
    not preserve.
    """

    def __init__(
        self, source: VideoStream, first: VideoFrame, output: OutputContainer, warn: Callable[[str], object]
    ) -> None:
        self.pauses: list[Interval] = []
        self._source = source
        self._warn = warn
        self._output = output
        self._geometry = Geometry.of(first, source)
        self._format = first.format.name
        rate = source.average_rate or _DEFAULT_RATE
        base = source.time_base or _FALLBACK_TIME_BASE
        self._time_base = base if base.denominator <= _FINEST else _FALLBACK_TIME_BASE
        self._step = max(1, round(1 / rate / self._time_base))
        width, height, aspect = self._geometry.upright
        # With 4:2:0 chroma, H.264 can store only even sizes.
        self._size, self._aspect = (width + width % 2, height + height % 2), aspect
        self._graph = self._new_graph(first)
        self._stream = output.add_stream("libx264", rate=rate, options=_H264)
        self._configure(first)
        self._latest: Fraction | None = None
        self._out_of_order = 0
        self._packets = PacketDecoder()
        self._report_losses(first)

    def _configure(self, first: VideoFrame) -> None:
        """Configure the encoder for the frames that the filters return."""
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = *self._size, _PIXELS
        context.sample_aspect_ratio = self._aspect
        context.time_base = self._time_base
        context.thread_count = decoder_threads()
        self._graph.vpush(first)
        shown = self._graph.vpull()
        context.color_range, context.colorspace = shown.color_range, shown.colorspace
        context.color_primaries, context.color_trc = shown.color_primaries, shown.color_trc
        self._graph = self._new_graph(first)

    def _report_losses(self, first: VideoFrame) -> None:
        components = first.format.components
        if any(one.is_alpha for one in components) or alpha_mode(self._source):
            self._warn("The video is transparent; the new file has no transparency.")
        if (bits := max(one.bits for one in components)) > _BITS:
            self._warn(f"The video has {bits} bits per color component; the new file has {_BITS}.")
        chroma = max(first.format.chroma_width(_LUMA), first.format.chroma_height(_LUMA))
        if len(components) >= _COLORS and chroma > _LUMA // 2:
            self._warn(f"The video's pixel format is {first.format.name}; the new file has half the color resolution.")
        width, height, _ = self._geometry.upright
        if self._size != (width, height):
            self._warn(
                f"The frames are {width}x{height} pixels; H.264 requires even dimensions, so the new file is "
                f"{self._size[0]}x{self._size[1]}, with one column or row repeated."
            )
        if self._geometry.turn is None:
            self._warn("The display matrix does not rotate by a multiple of 90 degrees; the frames were not turned.")

    def encode(self, packet: Packet[VideoStream]) -> None:
        """Decode a packet, and encode the resulting frames."""
        for frame in self._packets.decode(packet):
            if frame.pts is None or frame.time_base is None:
                continue
            at = frame.pts * frame.time_base
            pts = round(at / self._time_base)
            if self._latest is not None and pts <= round(self._latest / self._time_base):
                self._out_of_order += 1
                continue
            if self._latest is not None and at - self._latest > _PAUSE:
                self.pauses.append((float(self._latest), float(at)))
            self._latest = at
            self._check(frame)
            self._graph.vpush(frame)
            for one in self._pulled():
                self._mux(one)

    def finish(self) -> None:
        """Encode the frames that the encoder still holds, and report what was left out."""
        self._mux(None)
        if self._packets.broken:
            self._warn(f"{self._packets} of the video can't be decoded; the new file does not have their frames.")
        if self._out_of_order:
            self._warn(
                f"{self._out_of_order} frames were left out, because they are not later than the frames before them."
            )

    def _check(self, frame: VideoFrame) -> None:
        """Create new filters if the frames' size, orientation or pixel format changes."""
        geometry = Geometry.of(frame, self._source)
        if (geometry, frame.format.name) == (self._geometry, self._format):
            return
        if geometry.upright != self._geometry.upright:
            (width, height, _), (before_width, before_height, _) = geometry.upright, self._geometry.upright
            self._warn(
                f"The frame size changes from {before_width}x{before_height} to {width}x{height} at "
                f"{float(self._latest or 0):.2f} s; the frames were scaled to the new file's "
                f"{self._size[0]}x{self._size[1]}."
            )
        self._geometry, self._format = geometry, frame.format.name
        self._graph = self._new_graph(frame)

    def _pulled(self) -> Iterator[VideoFrame]:
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    def _mux(self, frame: VideoFrame | None) -> None:
        if frame is not None:
            # Let the encoder choose the keyframes.
            frame.pict_type = av.video.frame.PictureType.NONE
            if frame.pts is not None and frame.time_base not in {None, self._time_base}:
                frame.pts = round(frame.pts * frame.time_base / self._time_base)
            frame.time_base = self._time_base
        for packet in self._stream.encode(frame):
            packet.duration = packet.duration or self._step
            self._output.mux(packet)

    def _new_graph(self, frame: VideoFrame) -> Graph:
        """Return filters that turn frames upright, and fit them into the new file's size."""
        graph = Graph()
        graph.threads = decoder_threads()
        base = frame.time_base or self._time_base
        chain = [
            graph.add(
                "buffer",
                f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={base}:"
                f"pixel_aspect={self._geometry.aspect}:colorspace={int(frame.colorspace)}:"
                f"range={int(frame.color_range)}",
            )
        ]
        chain += [graph.add(name, _TURN_OPTIONS.get(name)) for name in self._geometry.turn or ()]
        chain += [graph.add(name, options) for name, options in self._fitting(frame)]
        chain += [graph.add("format", f"pix_fmts={_PIXELS}"), graph.add("buffersink")]
        for left, right in pairwise(chain):
            left.link_to(right)
        graph.configure()
        return graph

    def _fitting(self, frame: VideoFrame) -> Iterator[tuple[str, str]]:
        """Yield the filters, with their options, that fit an upright frame into the new file's size."""
        width, height, aspect = self._geometry.upright
        wide, high = self._size
        if frame.format.is_rgb:
            yield "scale", "out_color_matrix=bt709:out_range=tv"
        if aspect == self._aspect and (width + width % 2, height + height % 2) == self._size:
            if (width, height) != self._size:
                yield "scale", f"{wide}:{high}:flags=neighbor"
                yield "setsar", str(self._aspect)
            return
        # A frame with a different size or shape is shown completely, with black borders.
        shape = Fraction(width, height) * aspect / self._aspect
        fit_wide, fit_high = min(wide, round(high * shape)), min(high, round(wide / shape))
        fit_wide, fit_high = max(2, fit_wide - fit_wide % 2), max(2, fit_high - fit_high % 2)
        yield "scale", f"{fit_wide}:{fit_high}"
        yield "setsar", str(self._aspect)
        yield "pad", f"{wide}:{high}:(ow-iw)/2:(oh-ih)/2"
