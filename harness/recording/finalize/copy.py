"""finalize: copies the raw bytes into a complete, seekable WebM while they arrive, every packet on its own tick."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, Final

import av
from av.error import FFmpegError

from harness.errors import recording_error
from harness.recording.files.disk import room_for
from harness.recording.files.formats import open_media
from harness.recording.finalize.grid import Grid
from harness.recording.finalize.tick_log import Cut, FileClock, Log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.container import InputContainer, OutputContainer
    from av.packet import Packet as AnyPacket
    from av.stream import Stream

    Packet = AnyPacket[Stream]

# What MediaRecorder adds to the sound, in ms (measured: 39 to 51, mean 47; its Opus packets last 60 ms).
RECORDER_SOUND_DELAY: Final = 47
# Packets of sound that wait for the first picture: two minutes.
_MOST_SOUND: Final = 6000
_MILLISECOND: Final = Fraction(1, 1000)
# The header says all there is to know; looking ahead for more would hold the first packets back for seconds.
_PROMPT: Final = {"analyzeduration": "1", "fpsprobesize": "0", "probesize": "32"}


class Growth:
    """Whether a raw file still grows; the finaliser waits here for more bytes."""

    def __init__(self, *, ended: bool = False) -> None:
        self._changed = threading.Condition()
        self._ended = ended
        # How often more came, or was asked for; who asks, and when that was.
        self._times = 0
        self._asking: list[tuple[int, Callable[[], object]]] = []
        self._left = False

    @property
    def ended(self) -> bool:
        """Whether no more bytes will come."""
        return self._ended

    def grew(self) -> None:
        """More bytes, or more of the log, are on disk."""
        with self._changed:
            self._times += 1
            self._changed.notify_all()

    def end(self) -> None:
        """No more bytes will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def ask(self, answer: Callable[[], object]) -> None:
        """Have ``answer()`` called when the finaliser has looked at all that is on disk by now, or has left."""
        with self._changed:
            self._times += 1
            if not self._left:
                self._asking.append((self._times, answer))
                self._changed.notify_all()
                return
        answer()

    def leave(self) -> None:
        """Answer whoever asks, now and later: the finaliser has come to its end."""
        with self._changed:
            self._left = True
        self._answer(self._times)

    def wait_for(self, more: Callable[[], bool], look: Callable[[], None]) -> None:
        """Return when ``more()`` is true or no more bytes will come; ``look()`` is for whoever asks meanwhile."""
        while True:
            times = self._times
            if more() or self._ended:
                return
            if self._asking:
                look()
                self._answer(times)
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._times != times)  # noqa: B023 - waits here

    def _answer(self, times: int) -> None:
        """Answer those who had asked by then."""
        with self._changed:
            now = [answer for asked, answer in self._asking if asked <= times]
            self._asking = [later for later in self._asking if later[0] > times]
        for answer in now:
            answer()


class Tail:
    """Reads a file that grows, as a pipe: blocks at the end until more has come, and ends when it stopped growing."""

    def __init__(self, path: Path, growth: Growth, look: Callable[[], None] = lambda: None) -> None:
        self._file: BinaryIO = path.open("rb", buffering=0)
        self._growth = growth
        self._look = look
        self._pending = b""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none only at the very end."""

        def more() -> bool:
            self._pending = self._file.read(size)
            return bool(self._pending)

        self._pending = b""
        if not more():
            self._growth.wait_for(more, self._look)
            # The last bytes may have come just before the end was said.
            if not self._pending:
                more()
        return self._pending

    def close(self) -> None:
        """Close the file; twice is fine."""
        self._file.close()


@dataclass(frozen=True)
class Finished:
    """What finalising found.

    ``duration`` is in seconds, ``zero_on_page`` the file's zero in ms on the page's clock, ``cuts`` the pauses,
    ``tracks`` what is in the file and ``packets`` how many were written, by kind.
    """

    duration: float
    ticks: int
    ticks_missed: int
    zero_on_page: float | None
    cuts: tuple[Cut, ...]
    tracks: tuple[str, ...]
    packets: dict[str, int]

    @cached_property
    def clock(self) -> FileClock:
        """Where in the file moments are, pauses cut out."""
        return FileClock(self.cuts)


@dataclass
class Progress:
    """What a running finaliser has seen so far: each track's last stamp, in ms; read by the spool's own thread.

    ``came`` is called, in the finaliser's thread, when the first packet of a track was seen. ``outstanding`` is how
    many pictures the recorder still had when the finaliser was asked last.
    """

    stamps: dict[str, float] = field(default_factory=dict)
    came: Callable[[], object] | None = None
    outstanding: int | None = None

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks that have come."""
        return tuple(sorted(self.stamps))


def finalize(
    raw: Path, log: Path, target: Path, *, frame_rate: int | None, growth: Growth, progress: Progress | None = None
) -> Finished:
    """Copy ``raw`` to ``target`` with Duration, Cues and SeekHead; return when ``growth`` has ended and all is written.

    Chrome fact 9: recorded in slices, ``raw`` has none of these.
    ``log`` holds the mixer's ticks, one JSON object a line (see docs/protocol.md). ``frame_rate`` is None for sound
    alone. Where ``raw`` stops in the middle of a block, what is whole is kept.

    Raises RecordingError when ``raw`` holds no packet at all, DiskFullError when there is no room.
    Source: Matroska, WebM.
    """
    progress = progress or Progress()
    copy: _Copy | None = None

    def look() -> None:
        if copy:
            progress.outstanding = copy.outstanding()

    tail = Tail(raw, growth, look)
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
        message = f"The recording at {raw} holds nothing that can be read ({error})."
        raise recording_error(message) from error
    finally:
        tail.close()
        lines.close()
    # What came may all have sounded before the first picture.
    if not finished.packets:
        message = f"The recording at {raw} holds no sound and no picture."
        raise recording_error(message)
    return finished


def copy_as_stamped(raw: Path, target: Path) -> Finished:
    """Copy ``raw`` to ``target`` with Duration, Cues and SeekHead, every packet at its own time.

    This is for a file of which nothing is known but its bytes. Where it stops in the middle, what is whole is kept.

    Raises RecordingError when ``raw`` holds no packet at all, DiskFullError when there is no room.
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
        message = f"The recording at {raw} holds nothing that can be read ({error})."
        raise recording_error(message) from error
    if not written:
        message = f"The recording at {raw} holds no sound and no picture."
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
    """Add to ``output`` the streams that are copied, and return them by their index in ``container``."""
    return {
        # Opaque: as it is. Else the encoder of its codec is asked for, which AV1 has not.
        stream.index: output.add_stream_from_template(stream, opaque=True)
        for stream in container.streams
        if stream.type in {"audio", "video"}
    }


def _whole_packets(container: InputContainer) -> Iterator[Packet]:
    """Yield the packets; where the file stops in the middle of a block, those before it."""
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
    """Give a packet its time and duration, in ms, in another stream."""
    packet.time_base = _MILLISECOND
    packet.pts = packet.dts = at
    packet.duration = duration
    packet.stream = stream


class _Copy:
    """One copy under way: packets in, packets out on the grid, sound shifted to match."""

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
            self._take(packet)

    def outstanding(self) -> int | None:
        """Return how many pictures the mixer wrote before the recorder was stopped that have not come."""
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
            # Without frames, or ticks to tell their time, the file begins when the recorder did.
            zero_on_page = self._lines.started
        return Finished(
            duration=self._end / 1000,
            ticks=grid.owed if grid else 0,
            ticks_missed=grid.owed - grid.placed if grid else 0,
            zero_on_page=zero_on_page,
            cuts=self._lines.cuts(zero_on_page or 0.0),
            tracks=self._progress.tracks,
            packets=dict(self._packets_written),
        )

    def _take(self, packet: Packet) -> None:
        if packet.pts is None or packet.size == 0 or packet.stream.index not in self._streams:
            return
        kind = packet.stream.type
        new = kind not in self._progress.stamps
        self._progress.stamps[kind] = _stamp(packet)
        if new and self._progress.came:
            self._progress.came()
        if kind == "audio":
            self._audio.append(packet)
            if len(self._audio) > _MOST_SOUND:
                # Before the first picture, which is where the file begins.
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
            # What sounded before the first picture is not part of the recording.
            if at >= 0:
                self._write(packet, max(at, self._last.get("audio", -1) + 1), packet.duration or 60)

    def _on_the_grid(self, stamp: float) -> float:
        """Return where sound of this stamp belongs, in ms from the file's zero: with the picture it was made with."""
        if self._grid is None:
            return stamp
        at = stamp - self._grid.zero - RECORDER_SOUND_DELAY
        return at + self._lines.excess(at, self._grid.zero_on_page or 0.0)

    def _write(self, packet: Packet, at: int, duration: int) -> None:
        stream = packet.stream
        _place(packet, at, duration, self._streams[stream.index])
        self._last[stream.type] = at
        self._end = max(self._end, at + duration)
        self._output.mux(packet)
        self._packets_written[stream.type] += 1


def _stamp(packet: Packet) -> float:
    """Return when a packet was stamped, in ms from the recording's own zero."""
    return float((packet.pts or 0) * (packet.time_base or _MILLISECOND) * 1000)
