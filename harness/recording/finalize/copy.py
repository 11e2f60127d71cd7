"""Copy raw bytes, as they arrive, into a complete, seekable WebM file, and timestamp each video packet by its tick."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Final

import av
from av.error import FFmpegError

from harness.errors import recording_error
from harness.recording.files.disk import room_for
from harness.recording.files.formats import open_media
from harness.recording.finalize.grid import Grid
from harness.recording.finalize.growing_file import GrowingFile, TailReader
from harness.recording.finalize.tick_log import Cut, FileClock, Log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.container import InputContainer, OutputContainer
    from av.packet import Packet as AnyPacket
    from av.stream import Stream

    from harness.recording.machine import LostCpu

    Packet = AnyPacket[Stream]

# How much MediaRecorder delays audio, in ms (measured: 39 to 51, mean 47; its Opus packets are 60 ms long).
RECORDER_AUDIO_DELAY: Final = 47
# Maximum number of audio packets that wait for the first frame: about two minutes of audio.
_MOST_WAITING_AUDIO: Final = 6000
_MILLISECOND: Final = Fraction(1, 1000)
# FFmpeg finds everything that it needs in the header; probing more would delay the first packets by seconds.
_PROMPT: Final = {"analyzeduration": "1", "fpsprobesize": "0", "probesize": "32"}


@dataclass(frozen=True)
class Finished:
    """Measurements of a finished file.

    ``duration`` is in seconds, and ``zero_on_page`` is the start of the file in ms on the page's clock. ``cuts`` are
    the pauses, ``tracks`` are the tracks in the raw file, and ``packets`` counts the written packets of each kind.
    ``lost_cpu`` is the CPU time that the harness was denied during the recording; None if it was not measured.
    """

    duration: float
    ticks: int
    ticks_missed: int
    zero_on_page: float | None
    cuts: tuple[Cut, ...]
    tracks: tuple[str, ...]
    packets: dict[str, int]
    lost_cpu: LostCpu | None = None

    @cached_property
    def clock(self) -> FileClock:
        """The clock that maps recording times to times in the file, with pauses cut out."""
        return FileClock(self.cuts)


@dataclass
class Progress:
    """The progress of a running finalizer, for other threads to read.

    ``stamps`` contains the last timestamp of each track, in ms. ``on_track`` is called in the finalizer's thread when
    the first packet of a track arrives. ``outstanding`` is the number of frames that the recorder had not delivered
    when the finalizer last reached the end of the data on disk.
    """

    stamps: dict[str, float] = field(default_factory=dict)
    on_track: Callable[[], object] | None = None
    outstanding: int | None = None

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks for which at least one packet has arrived."""
        return tuple(sorted(self.stamps))


def finalize(
    raw: Path,
    log: Path,
    target: Path,
    *,
    frame_rate: int | None,
    growing_file: GrowingFile,
    progress: Progress | None = None,
) -> Finished:
    """Copy ``raw`` to ``target``, and add Duration, Cues and SeekHead; return when ``growing_file`` has ended.

    Chrome fact 9: ``raw`` lacks Duration, Cues and SeekHead because MediaRecorder delivers the file in slices. ``log``
    contains the mixer's ticks, one JSON object per line (see docs/protocol.md). ``frame_rate`` is None for an audio
    recording. If ``raw`` ends in the middle of a block, everything before that block is copied.

    Raises RecordingError if ``raw`` contains no packets, and DiskFullError if the disk is full.
    Source: Matroska, WebM.
    """
    progress = progress or Progress()
    copy: _Copy | None = None

    def count_outstanding() -> None:
        if copy:
            progress.outstanding = copy.outstanding()

    tail = TailReader(raw, growing_file, count_outstanding)
    step = 1000 / frame_rate if frame_rate else 0.0
    lines = Log(log, step)
    try:
        with (
            room_for("the finished file", target),
            open_media(tail, container="matroska", options=_PROMPT) as container,
            av.open(target, mode="w", format="webm") as output,
        ):
            copy = _Copy(container, output, Grid(step) if frame_rate else None, lines, progress)
            copy.run()
            finished = copy.finish()
    except (FFmpegError, EOFError) as error:
        message = f"The recording at {raw} contains no readable media ({error})."
        raise recording_error(message) from error
    finally:
        tail.close()
        lines.close()
    # Audio from before the first frame is dropped, so a recording that has only such audio leaves no packets to write.
    if not finished.packets:
        message = f"The recording at {raw} contains no audio and no video."
        raise recording_error(message)
    return finished


def copy_as_stamped(raw: Path, target: Path) -> Finished:
    """Copy ``raw`` to ``target``, and add Duration, Cues and SeekHead, without changing the packets' timestamps.

    This function is for recordings whose log is missing or unusable. If the file ends in the middle of a block,
    everything before that block is copied.

    Raises RecordingError if ``raw`` contains no packets, and DiskFullError if the disk is full.
    """
    written: Counter[str] = Counter()
    ends: dict[str, float] = {}
    try:
        with (
            raw.open("rb", buffering=0) as file,
            room_for("the finished file", target),
            open_media(file, container="matroska") as container,
            av.open(target, mode="w", format="webm") as output,
        ):
            streams = _copied_streams(container, output)
            last: dict[int, int] = {}
            for packet in _whole_packets(container):
                if packet.pts is None or packet.size == 0 or packet.stream.index not in streams:
                    continue
                source = packet.stream
                stamp = round(_stamp(packet))
                at = max(stamp, last.get(source.index, stamp - 1) + 1)
                duration = packet.duration or at - last.get(source.index, at - 1)
                _place(packet, at, duration, streams[source.index])
                output.mux(packet)
                last[source.index] = at
                written[source.type] += 1
                ends[source.type] = at + duration
    except (FFmpegError, EOFError) as error:
        message = f"The recording at {raw} contains no readable media ({error})."
        raise recording_error(message) from error
    if not written:
        message = f"The recording at {raw} contains no audio and no video."
        raise recording_error(message)
    return Finished(
        duration=max(ends.values()) / 1000,
        ticks=0,
        ticks_missed=0,
        zero_on_page=None,
        cuts=(),
        tracks=tuple(sorted(written)),
        packets=dict(written),
    )


def _copied_streams(container: InputContainer, output: OutputContainer) -> dict[int, Stream]:
    """Add an output stream for each stream to copy; return the new streams by the original's index in ``container``."""
    return {
        # With ``opaque``, PyAV copies the stream unchanged. Without ``opaque``, PyAV needs an encoder, and there is
        # none for AV1.
        stream.index: output.add_stream_from_template(stream, opaque=True)
        for stream in container.streams
        if stream.type in {"audio", "video"}
    }


def _whole_packets(container: InputContainer) -> Iterator[Packet]:
    """Yield all complete packets; the file can end in the middle of a packet."""
    packets = container.demux()
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            return
        if packet is None:
            return
        yield packet


def _place(packet: Packet, at: int, duration: int, stream: Stream) -> None:
    """Assign a packet to an output stream, and set the packet's time and duration in ms."""
    packet.time_base = _MILLISECOND
    packet.pts = packet.dts = at
    packet.duration = duration
    packet.stream = stream


class _Copy:
    """Copies packets, placing video packets on the mixer's ticks and shifting audio packets to match."""

    def __init__(
        self,
        container: InputContainer,
        output: OutputContainer,
        grid: Grid | None,
        lines: Log,
        progress: Progress,
    ) -> None:
        self._container = container
        self._output = output
        self._lines = lines
        self._progress = progress
        self._grid = grid
        self._streams = _copied_streams(container, output)
        self._video: deque[Packet] = deque()
        self._audio: deque[Packet] = deque()
        self._last: dict[str, int] = {}
        self._packets_written: Counter[str] = Counter()
        self._end = 0.0

    def run(self) -> None:
        for packet in _whole_packets(self._container):
            self._add(packet)

    def outstanding(self) -> int | None:
        """Return how many of the frames that the mixer wrote before the recorder stopped have not arrived yet."""
        self._lines.read(self._grid)
        return self._grid.outstanding if self._grid else None

    def finish(self) -> Finished:
        grid = self._grid
        self._lines.read(grid)
        if grid:
            self._write_video(grid, grid.end())
        self._write_audio()
        zero_on_page = grid.zero_on_page if grid else None
        if zero_on_page is None:
            # If there are no frames, or no ticks from which to compute their times, the file begins when the recorder
            # started.
            zero_on_page = self._lines.started
        return Finished(
            duration=self._end / 1000,
            ticks=grid.expected if grid else 0,
            ticks_missed=grid.expected - grid.placed if grid else 0,
            zero_on_page=zero_on_page,
            cuts=self._lines.cuts(zero_on_page or 0.0),
            tracks=self._progress.tracks,
            packets=dict(self._packets_written),
        )

    def _add(self, packet: Packet) -> None:
        if packet.pts is None or packet.size == 0 or packet.stream.index not in self._streams:
            return
        kind = packet.stream.type
        new = kind not in self._progress.stamps
        self._progress.stamps[kind] = _stamp(packet)
        if new and self._progress.on_track:
            self._progress.on_track()
        if kind == "audio":
            self._audio.append(packet)
            if len(self._audio) > _MOST_WAITING_AUDIO:
                # Skip this packet: it is from before the first frame, where the file begins.
                self._audio.popleft()
            if self._grid is None or self._grid.first is not None:
                self._write_audio()
        elif self._grid:
            self._video.append(packet)
            self._lines.read(self._grid)
            self._write_video(self._grid, self._grid.place(_stamp(packet)))

    def _write_video(self, grid: Grid, placed: list[tuple[float, int]]) -> None:
        for _, tick in placed:
            number = tick - (grid.first or 0)
            at = round(number * grid.step)
            self._write(self._video.popleft(), at, round((number + 1) * grid.step) - at)

    def _write_audio(self) -> None:
        while self._audio:
            packet = self._audio.popleft()
            at = round(self._on_the_grid(_stamp(packet)))
            # Audio from before the first frame is not part of the recording.
            if at >= 0:
                self._write(packet, max(at, self._last.get("audio", -1) + 1), packet.duration or 60)

    def _on_the_grid(self, stamp: float) -> float:
        """Return the position in the file, in ms, at which audio with this timestamp is in sync with the video."""
        if self._grid is None:
            return stamp
        at = stamp - self._grid.zero - RECORDER_AUDIO_DELAY
        return at + self._lines.excess(at, self._grid.zero_on_page or 0.0)

    def _write(self, packet: Packet, at: int, duration: int) -> None:
        stream = packet.stream
        _place(packet, at, duration, self._streams[stream.index])
        self._last[stream.type] = at
        self._end = max(self._end, at + duration)
        self._output.mux(packet)
        self._packets_written[stream.type] += 1


def _stamp(packet: Packet) -> float:
    """Return the timestamp that MediaRecorder gave a packet, in ms."""
    return float((packet.pts or 0) * (packet.time_base or _MILLISECOND) * 1000)
