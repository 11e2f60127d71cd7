"""Hours of MediaRecorder slices, generated in seconds: real packets repeated with new timestamps."""

from __future__ import annotations

import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import av

from harness.server.spool.messages import Clock, SpoolHello
from tests.support.media.recording_file import write_media
from tests.support.media.scene import Scene, participants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.server.spool.active_recording import ActiveRecording
    from harness.server.spool.spool import Spool

# EBML: A cluster of unknown size, its Timestamp in eight bytes, and a SimpleBlock (RFC 9559).
_CLUSTER: Final = b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x88"
_SIMPLE_BLOCK: Final = b"\xa3"
_KEY: Final = 0x80
AUDIO_STEP: Final = 60
KEYFRAME_EVERY: Final = 2.0
CLUSTER_EVERY: Final = 10.0
SLICE: Final = 0.1
# Time of the first tick on the page's clock, in ms.
STARTED: Final = 1_000_000.0
# How far the bytes fed in may run ahead of the finalizer, in ms of recording time.
_AHEAD: Final = 20_000
_PAUSE: Final = threading.Event()


@dataclass(frozen=True)
class Slice:
    """A slice from the page: its bytes, and the times at which its ticks were written, starting with tick ``first``."""

    data: bytes
    first: int
    written: list[float | None]


class EndlessRecording:
    """A recording of any length, with ``rate`` frames per second of at least ``frame_bytes`` bytes each."""

    def __init__(self, folder: Path, *, rate: Literal[15, 30], frame_bytes: int = 0) -> None:
        self.rate = rate
        path = folder / "clip.webm"
        write_media(path, Scene(participants=participants("alice"), frame_rate=rate, seconds=0.5, live=True))
        data = path.read_bytes()
        self._header = data[: data.index(b"\x1f\x43\xb6\x75")]
        packets: dict[str, list[bytes]] = {"video": [], "audio": []}
        with av.open(str(path)) as clip:
            self._tracks = {stream.type: stream.index + 1 for stream in clip.streams}
            for packet in clip.demux():
                if packet.size:
                    packets[packet.stream.type].append(bytes(packet))
        key, delta = packets["video"][:2]
        # Padding after a frame's own bytes is harmless, because nothing decodes the frame.
        self._key, self._delta = (frame + bytes(max(0, frame_bytes - len(frame))) for frame in (key, delta))
        self._audio = packets["audio"][2]

    def slices(self, seconds: float) -> Iterator[Slice]:
        """Yield slices for this many seconds of recording."""
        step = 1000 / self.rate
        frame = audio = 0
        cluster = -CLUSTER_EVERY * 1000
        begun = 0.0
        for number in range(round(seconds / SLICE)):
            end = (number + 1) * SLICE * 1000
            parts = [] if number else [self._header]
            first, written = frame, []
            while (at := round(frame * step)) < end or audio * AUDIO_STEP < end:
                if at <= audio * AUDIO_STEP and at < end:
                    is_key = frame * step >= begun
                    begun += KEYFRAME_EVERY * 1000 if is_key else 0
                    if at - cluster >= CLUSTER_EVERY * 1000:
                        cluster = at
                        parts.append(_CLUSTER + struct.pack(">Q", at))
                    parts.append(self._block("video", self._key if is_key else self._delta, at - cluster, key=is_key))
                    written.append(STARTED + frame * step)
                    frame += 1
                elif audio * AUDIO_STEP < end:
                    parts.append(self._block("audio", self._audio, audio * AUDIO_STEP - round(cluster), key=True))
                    audio += 1
                else:
                    break
            yield Slice(b"".join(parts), first, [*written])

    def _block(self, kind: Literal["video", "audio"], data: bytes, at: float, *, key: bool) -> bytes:
        body = struct.pack(">BhB", 0x80 | self._tracks[kind], round(at), _KEY if key else 0) + data
        return _SIMPLE_BLOCK + (0x10000000 | len(body)).to_bytes(4) + body


def begin_recording(spool: Spool, footage: EndlessRecording, name: str) -> ActiveRecording:
    """Begin an endless recording in the spool."""
    config: dict[str, Any] = {"recordName": name, "recordVideoFrame": footage.rate}
    hello = SpoolHello(
        type="hello",
        token="a word",  # noqa: S106 - the spool does not check it
        recorder="all",
        config=config,
        mime_type="video/webm;codecs=vp8,opus",
        width=320,
        height=180,
        frame_rate=footage.rate,
        clock=Clock(offset=0.0, error=0.0),
    )
    active = spool.begin(hello, participant="alice", room="room", joins=())
    active.log.add_recorder_state("started", STARTED)
    return active


def feed_recording(active: ActiveRecording, footage: EndlessRecording, seconds: float) -> Iterator[float]:
    """Feed slices to the recording as fast as they are finalized; yield how many seconds have been recorded."""
    # A server refuses more ticks than a mixer can have written since the recording was announced.
    active.log.opened_at -= seconds
    for number, one in enumerate(footage.slices(seconds)):
        active.add_chunk(number, active.size, memoryview(one.data))
        active.add_ticks(one.first, one.written)
        at = number * 100
        while number > 50 and active.state == "recording" and at - active.progress.stamps.get("video", 0) > _AHEAD:
            assert active.error is None, active.error
            _PAUSE.wait(0.001)
        if number % 100 == 0:
            yield at / 1000


def finish_time(active: ActiveRecording, seconds: float) -> float:
    """Finish a recording whose bytes have all been read; return how many ms the call takes."""
    while active.progress.stamps.get("video", 0) < seconds * 1000 - 500:
        _PAUSE.wait(0.001)
    began = time.perf_counter()
    active.finish()
    return (time.perf_counter() - began) * 1000
