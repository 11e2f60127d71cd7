"""What the end-to-end tests share: reading a finished file back without the harness's own reader."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import pytest


@dataclass(frozen=True)
class Tape:
    """A file as PyAV reads it: times in ms."""

    codecs: set[str]
    sizes: set[tuple[int, int]]
    picture: list[float]
    sound: list[float]

    @property
    def gaps(self) -> list[float]:
        """Milliseconds from each picture to the next."""
        return [after - before for before, after in zip(self.picture, self.picture[1:], strict=False)]


def _read(path: Path) -> Tape:
    sizes: set[tuple[int, int]] = set()
    times: dict[str, list[float]] = {"video": [], "audio": []}
    with av.open(path) as container:
        codecs = {stream.codec_context.name for stream in container.streams}
        for packet in container.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            times[packet.stream.type].append(float(packet.pts * packet.time_base * 1000))
            if packet.stream.type == "video":
                sizes |= {(frame.width, frame.height) for frame in packet.decode() if isinstance(frame, av.VideoFrame)}
    return Tape(codecs, sizes, times["video"], times["audio"])


@pytest.fixture(scope="session")
def read_back() -> Callable[[Path], Tape]:
    """Return a function that reads a finished file, every packet and every picture of it."""
    return _read
