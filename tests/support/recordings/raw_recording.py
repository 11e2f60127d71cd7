"""Raw bytes like those of Chrome's MediaRecorder, the mixer's log, and helpers to read a finished file."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from harness.recording.finalize.copy import Finished, finalize
from harness.recording.finalize.growing_file import GrowingFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.container import OutputContainer

    AnyPacket = av.Packet[Any]

STEP: Final = 1000 / 30
FRAMES: Final = 90
# Time of the first tick on the page's clock, in ms; the mixer starts before the recorder.
ORIGIN: Final = 1_000_000.0
FIRST_TICK: Final = 40
AUDIO_PACKET: Final = 60
AUDIO_PIECES: Final = 147
# How long a frame takes from the mixer to the recorder, in ms.
DELAY: Final = 5.0
CLUSTER: Final = b"\x1f\x43\xb6\x75"


@dataclass(frozen=True)
class Raw:
    """A raw recording like Chrome's, and its packets.

    ``video_stamps`` and ``audio_stamps`` are MediaRecorder's timestamps in ms. ``written`` contains the times at which
    the ticks were written, starting with tick 0.
    """

    data: bytes
    written: list[float]
    started: float
    video: list[bytes]
    audio: list[bytes]
    video_stamps: list[int]
    audio_stamps: list[int]

    def log(self, batch_size: int = 8) -> list[str]:
        """Return the lines of the mixer's log."""
        batches = (
            {"first": at, "written": self.written[at : at + batch_size]}
            for at in range(0, len(self.written), batch_size)
        )
        return [json.dumps(line) for line in ({"recorder": "started", "time": self.started}, *batches)]


def make_raw(folder: Path, *, video: bool = True) -> Raw:
    """Encode three seconds of WebM like MediaRecorder with a timeslice: no Duration, no Cues, unknown sizes."""
    random_numbers = random.Random(1)  # noqa: S311 - no secret
    written = [ORIGIN + number * STEP + 3 * random_numbers.random() for number in range(FIRST_TICK + FRAMES + 5)]
    zero = written[FIRST_TICK] + DELAY
    stamps = [
        round(at + DELAY + 3 * random_numbers.random() - zero) for at in written[FIRST_TICK : FIRST_TICK + FRAMES]
    ]
    path = folder / "live.webm"
    with av.open(str(path), "w", format="webm", options={"live": "1", "cluster_time_limit": "300"}) as media:
        frames = encode_video(media) if video else []
        packets = [(stamp, 0, packet) for stamp, packet in zip(stamps, frames, strict=False)]
        packets += [(20 + AUDIO_PACKET * number, 1, packet) for number, packet in enumerate(encode_audio(media))]
        stored: dict[int, list[tuple[int, bytes]]] = {0: [], 1: []}
        for stamp, kind, packet in sorted(packets, key=lambda entry: entry[:2]):
            stored[kind].append((stamp, bytes(packet)))
            packet.time_base, packet.duration = Fraction(1, 1000), None
            packet.pts = packet.dts = stamp
            media.mux_one(packet)
    return Raw(
        data=with_unknown_sizes(path.read_bytes()),
        written=written,
        started=written[FIRST_TICK] - 5,
        video=[data for _, data in stored[0]],
        audio=[data for _, data in stored[1]],
        video_stamps=[stamp for stamp, _ in stored[0]],
        audio_stamps=[stamp for stamp, _ in stored[1]],
    )


def encode_video(media: OutputContainer) -> list[AnyPacket]:
    """Return packets of moving video, one per frame, with a keyframe every second."""
    stream = media.add_stream("libvpx", rate=30, options={"deadline": "realtime", "cpu-used": "-8"})
    stream.width, stream.height, stream.pix_fmt, stream.gop_size = 160, 90, "yuv420p", 30
    packets: list[AnyPacket] = []
    for number in range(FRAMES):
        planes = np.full((135, 160), 128, np.uint8)
        planes[:90] = (np.indices((90, 160)).sum(0) * 2 + 5 * number) % 256
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 30)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def encode_audio(media: OutputContainer) -> list[AnyPacket]:
    """Return the packets of a tone; each packet lasts 60 ms, as in Chrome."""
    stream = media.add_stream("libopus", rate=48_000, layout="mono", options={"frame_duration": str(AUDIO_PACKET)})
    packets: list[AnyPacket] = []
    for number in range(AUDIO_PIECES):
        wave = np.sin(np.arange(960 * number, 960 * (number + 1)) / 20).astype(np.float32) / 4
        piece = av.AudioFrame.from_ndarray(wave[None], format="flt", layout="mono")
        piece.sample_rate, piece.pts, piece.time_base = 48_000, 960 * number, Fraction(1, 48_000)
        packets += stream.encode(piece)
    return packets


def with_unknown_sizes(data: bytes) -> bytes:
    """Return a WebM file's bytes with clusters of unknown size, as Chrome writes them; nothing else changes."""
    changed = bytearray(data)
    at = data.index(CLUSTER)
    while data[at : at + 4] == CLUSTER:
        # The position of the first 1 bit in a size field gives the field's length in bytes; if all other bits are
        # ones, the size is unknown.
        length = 9 - data[at + 4].bit_length()
        unknown = (1 << 7 * length) - 1
        size = int.from_bytes(data[at + 4 : at + 4 + length]) & unknown
        changed[at + 4 : at + 4 + length] = ((1 << 7 * length) | unknown).to_bytes(length)
        at += 4 + length + size
    return bytes(changed)


def finish(folder: Path, data: bytes, log: list[str], *, frame_rate: int | None = 30) -> Finished:
    """Finalize a complete raw file to ``finished.webm``."""
    (folder / "raw.webm").write_bytes(data)
    (folder / "log.jsonl").write_text("".join(f"{line}\n" for line in log))
    return finalize(
        folder / "raw.webm",
        folder / "log.jsonl",
        folder / "finished.webm",
        frame_rate=frame_rate,
        growing_file=GrowingFile(ended=True),
    )


def edited(folder: Path, raw: Raw, edit: Callable[[AnyPacket, int], bool]) -> bytes:
    """Return the raw bytes after ``edit(packet, number in its track)`` has changed or dropped packets."""
    (folder / "whole.webm").write_bytes(raw.data)
    counts: dict[int, int] = {}
    with (
        av.open(str(folder / "whole.webm")) as source,
        av.open(str(folder / "edited.webm"), "w", format="webm", options={"live": "1"}) as media,
    ):
        streams = [media.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.pts is None:
                continue
            number = counts[packet.stream.index] = counts.get(packet.stream.index, -1) + 1
            if edit(packet, number):
                packet.stream = streams[packet.stream.index]
                media.mux(packet)
    return (folder / "edited.webm").read_bytes()


def packets_of(path: Path) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """Return a file's video packets and audio packets, each with its time in ms."""
    found: dict[str, list[tuple[int, bytes]]] = {"video": [], "audio": []}
    with av.open(str(path)) as media:
        for packet in media.demux():
            if packet.pts is not None:
                found[packet.stream.type].append((round(packet.pts * packet.time_base * 1000), bytes(packet)))
    return found["video"], found["audio"]


def decoded_frames(path: Path) -> int:
    """Return the number of frames that can be decoded from a file."""
    with av.open(str(path)) as media:
        return sum(isinstance(frame, av.VideoFrame) for frame in media.decode())
