"""The finalizer processes a file that is still growing, and counts the frames that have not arrived."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from harness.recording.finalize.copy import Finished, Progress, finalize
from harness.recording.finalize.growing_file import GrowingFile, TailReader
from tests.support.recordings.raw_recording import FIRST_TICK, FRAMES, finish, packets_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.recordings.raw_recording import Raw

pytestmark = pytest.mark.parallel


def test_growing_file_ends_only_when_end_is_called(tmp_path: Path) -> None:
    """A reader waits at the end of a growing file, and even gets bytes that were written just before ``end()``."""
    path = tmp_path / "raw"
    path.write_bytes(b"one")
    growing_file = GrowingFile()
    tail = TailReader(path, growing_file)
    first = tail.read(100)
    pieces: list[bytes] = []
    reader = threading.Thread(target=lambda: pieces.extend([tail.read(100), tail.read(100)]))
    reader.start()

    reader.join(0.05)
    waited = reader.is_alive()
    with path.open("ab") as file:
        file.write(b"two")
    growing_file.end()
    reader.join(5)
    tail.close()
    tail.close()

    assert (b"one", True, [b"two", b""]) == (first, waited, pieces)


def wait_until_read(growing_file: GrowingFile) -> None:
    """Wait until the finalizer has read everything that is currently on disk."""
    read = threading.Event()
    growing_file.call_when_read(read.set)
    assert read.wait(10)


def test_bytes_are_copied_while_they_arrive(raw: Raw, tmp_path: Path) -> None:
    """Finalizing a recording while its bytes arrive produces the same file as finalizing it later.

    The finalizer knows the tracks before half of the bytes have arrived.
    """
    growing_file, progress = GrowingFile(), Progress()
    (tmp_path / "log.jsonl").write_bytes(b"")
    (tmp_path / "raw.webm").write_bytes(b"")
    results: list[Finished] = []

    def work() -> None:
        paths = (tmp_path / name for name in ("raw.webm", "log.jsonl", "fed.webm"))
        results.append(finalize(*paths, frame_rate=30, growing_file=growing_file, progress=progress))

    worker = threading.Thread(target=work)
    worker.start()
    known_at = None
    lines = [line.encode() + b"\n" for line in raw.log()]
    # The slices end in the middle of blocks. The log grows at the same pace, and its
    # slices end in the middle of lines.
    log = b"".join(lines)
    slices = [raw.data[at : at + 4_999] for at in range(0, len(raw.data), 4_999)]
    with (tmp_path / "raw.webm").open("ab") as data, (tmp_path / "log.jsonl").open("ab") as log_file:
        for number, piece in enumerate(slices):
            log_file.write(log[number * len(log) // len(slices) : (number + 1) * len(log) // len(slices)])
            log_file.flush()
            data.write(piece)
            data.flush()
            growing_file.grew()
            wait_until_read(growing_file)
            if known_at is None and progress.tracks == ("audio", "video"):
                known_at = number
    growing_file.end()
    worker.join(10)

    (fed,) = results
    whole = finish(tmp_path, raw.data, raw.log())
    assert (whole.tracks, whole.ticks, whole.ticks_missed) == (fed.tracks, fed.ticks, fed.ticks_missed)
    video, audio = packets_of(tmp_path / "finished.webm")
    fed_video, fed_audio = packets_of(tmp_path / "fed.webm")
    assert video == fed_video
    assert [data for _, data in audio] == [data for _, data in fed_audio]
    # The tolerance is 2 ms, because audio times depend on the start of the file, which is estimated from the packets
    # that have arrived so far.
    assert [pytest.approx(at, abs=2) for at, _ in audio] == [at for at, _ in fed_audio]
    assert known_at is not None
    assert known_at < len(slices) / 2


def test_outstanding_frames_are_counted_before_the_stop(raw: Raw, tmp_path: Path) -> None:
    """Callbacks registered with ``call_when_read`` run when the finalizer has read all bytes and ticks so far.

    The finalizer continues to read if more bytes arrive after the callbacks have run.
    """
    growing_file, progress = GrowingFile(), Progress()
    stopped = json.dumps({"recorder": "stopped", "time": raw.written[FIRST_TICK + FRAMES] - 1})
    (tmp_path / "log.jsonl").write_text("".join(f"{line}\n" for line in (*raw.log(), stopped)))
    paths = [tmp_path / name for name in ("raw.webm", "log.jsonl", "fed.webm")]
    half = len(raw.data) // 2
    paths[0].write_bytes(raw.data[:half])
    worker = threading.Thread(
        target=finalize, args=paths, kwargs={"frame_rate": 30, "growing_file": growing_file, "progress": progress}
    )
    worker.start()

    wait_until_read(growing_file)
    early = progress.outstanding
    with paths[0].open("ab") as data:
        data.write(raw.data[half:])
    wait_until_read(growing_file)
    late = progress.outstanding
    growing_file.end()
    worker.join(10)

    assert early is not None
    assert FRAMES / 4 < early < FRAMES * 3 / 4
    assert 0 == late
