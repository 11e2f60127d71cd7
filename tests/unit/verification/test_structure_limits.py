"""Reading the structure of a hostile file ends soon, needs little memory, and never raises an error."""

from __future__ import annotations

import tracemalloc
from random import Random
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from harness.verification.probe.container import read_structure
from tests.support.media.streams import add_audio_stream

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

MEMORY = 60_000_000
LIVE = b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01" + b"\xff" * 7
CUE = b"\xbb\x88\xb3\x81\x01\xb7\x83\xf1\x81\x01"
PCR = b"\x47\x1f\xff\x30\xb7\x10" + b"\xff" * 182
BOMBS = {
    "empty elements": LIVE + b"\xec\x80" * 100_000,
    "elements of unknown size": LIVE + b"\x1f\x43\xb6\x75\xff" * 60_000,
    "cues of unknown size": LIVE + b"\x1c\x53\xbb\x6b\xff" * 60_000,
    "cues that claim the whole file": LIVE + b"\x1c\x53\xbb\x6b\x08\xff\xff\xff\xff" + CUE * 60_000,
    "empty boxes": b"\0\0\0\x08free" * 60_000,
    "a box that ends before it begins": b"\0\0\0\x02moov" * 300_000,
    "a box with a huge size": b"\0\0\0\x01mdat" + b"\xff" * 100_000,
    "empty pages": (b"OggS" + bytes(23)) * 100_000,
    "chunks in chunks": b"RIFF\0\0\0\0WAVE" + b"RIFFxxxx" * 300_000,
    "empty chunks": b"RIFF\xff\xff\xff\x7fWAVE" + b"abcd\0\0\0\0" * 300_000,
    "packets without a program": PCR * 20_000,
    "an endless tag": b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + b"ID3\x04" * 100_000,
    "a short flac": b"fLaC",
    "a short ogg": b"OggS",
    "a short box": b"\0\0\0\x18ftyp",
    "a short riff": b"RIFF\0\0\0\0WAVEfmt ",
    "a short frame": b"\xff\xfb",
}
FORMATS = {
    "webm": "libopus",
    "mp4": "aac",
    "wav": "pcm_s16le",
    "ogg": "libopus",
    "mpegts": "aac",
    "flac": "flac",
    "mp3": "mp3",
}
CHANGES = 60


@pytest.mark.parametrize("name", BOMBS)
def test_hostile_structure_is_read_in_little_memory(tmp_path: Path, name: str) -> None:
    """A file that consists of very many or contradictory elements is read, or its format is unknown."""
    path = tmp_path / "hostile"
    path.write_bytes(BOMBS[name])
    tracemalloc.start()
    try:
        structure = read_structure(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert structure is None or structure.container
    assert most < MEMORY


@pytest.mark.parametrize("container", FORMATS)
def test_changed_structure_never_raises_an_error(tmp_path: Path, container: str) -> None:
    """A file in which some bytes were changed or removed at random is read without an error."""
    path = tmp_path / "some"
    with av.open(str(path), "w", format=container) as media:
        stream = add_audio_stream(media, FORMATS[container], 48_000)
        for start in range(0, 48_000, 960):
            samples = np.sin(np.arange(start, start + 960) / 20).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    data = path.read_bytes()
    assert read_structure(path)

    for number in range(CHANGES):
        random = Random(number)  # noqa: S311 - the sequence must be reproducible
        changed = bytearray(data)
        for _ in range(random.randint(1, 20)):
            changed[random.randrange(min(len(changed), random.choice((64, 512, len(changed)))))] = random.choice(
                (0, 1, 127, 255)
            )
        at = random.randrange(len(changed))
        path.write_bytes(changed[:at] if number % 3 == 0 else changed + changed[at:])
        structure = read_structure(path)
        assert structure is None or structure.second is None or structure.second < path.stat().st_size
