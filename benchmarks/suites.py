"""What is measured beside the mixer: how soon a file begins, is complete and is judged, and what an hour costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import RecordConfig, open_room, verify
from harness.server.spool import Spool
from tests.faults.footage import Footage, begin, feed, finished_in
from tests.faults.soak import slope
from tests.processes import memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Recording


def record(folder: Path, *, seconds: float, quality: Any, frame_rate: Any = 30) -> Recording:
    """Record three people in a room of the harness's own."""
    config = RecordConfig(record_name="bench", record_video_quality=quality, record_video_frame=frame_rate)
    with open_room(recordings=folder) as room:
        alice = room.join_all("alice", "bob", "carol")[0]
        alice.start_media_recording(recorder="all", record_config=config)
        room.wait(seconds=seconds)
        return alice.download_media_recording()


def stop_to_file(repeats: int) -> dict[str, float]:
    """Return how many ms lie between stop and a complete file: in the page after 10 s, in the spool after 10 min.

    Ten minutes at 2.5 Mbps are fed to the spool as fast as it takes them, and the time is that of the last step.
    """
    with tempfile.TemporaryDirectory() as folder:
        short = [record(Path(folder), seconds=10, quality="720p").stop_to_file_ms or 0.0 for _ in range(repeats)]
        took = []
        footage = Footage(Path(folder), rate=30, frame_bytes=9_700)
        spool = Spool(Path(folder), {})
        try:
            for number in range(repeats):
                take = begin(spool, footage, f"long {number}")
                for _ in feed(take, footage, 600):
                    pass
                took.append(finished_in(take, 600))
                take.end()
                take.clean()
        finally:
            spool.close()
    return {"10s": round(median(short), 1), "600s": round(median(took), 1)}


def first_frame(repeats: int) -> list[float]:
    """Return how many ms lie between ``harness record`` and the first recorded frame of three people, each time."""
    took = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(repeats + 1):
            began = time.time()
            arguments = ["record", "alice", "bob", "carol", "--seconds", "0.5", "--name", str(number), "--json"]
            ended = subprocess.run(
                [sys.executable, "-m", "harness", *arguments], cwd=folder, capture_output=True, text=True, check=False
            )
            (recording,) = json.loads(ended.stdout)["recordings"]
            took.append((datetime.fromisoformat(recording["started_at"]).timestamp() - began) * 1000)
    # The first start fills caches: the bar is for a warm one.
    return [round(one, 1) for one in took[1:]]


def verifying(seconds: float) -> float:
    """Return how many times faster than it plays a recording at 720p30 is judged."""
    with tempfile.TemporaryDirectory() as folder:
        recording = record(Path(folder), seconds=seconds, quality="720p")
        verify(recording)
        began = time.perf_counter()
        verify(recording)
        return round(recording.duration / (time.perf_counter() - began), 1)


def growth(minutes: float, *, bitrate: int, tell: Callable[[str], None]) -> float:
    """Return by how many MB an hour the memory of Chrome and Python grows while three people are recorded."""
    config = RecordConfig(
        record_name="hour", record_video_quality="720p", record_video_frame=30, video_bits_per_second=bitrate
    )
    samples = []
    with tempfile.TemporaryDirectory() as folder, open_room(recordings=folder) as room:
        alice = room.join_all("alice", "bob", "carol")[0]
        alice.start_media_recording(recorder="all", record_config=config)
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < minutes * 60:
            samples.append((elapsed / 3600, sum(memory().values())))
            tell(f"memory at {bitrate / 1e6:g} Mbps: {elapsed / 60:.1f} of {minutes:g} min, {samples[-1][1]:.0f} MB")
            room.wait(seconds=5)
    return round(slope(np.array(samples), 1), 1)
