"""Run every measurement except the mixer comparison, in the harness's own rooms.

The suites measure how long it takes to get the first frame, to complete a file and to verify the file. The suites also
measure memory growth, how much CPU time is saved if senders send at the tile's size, the quality of recordings made
while another program is busy, and the A/V offset.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.meter import measure
from harness import RecordConfig, open_room, verify
from harness.recording.manifest import Manifest
from harness.server.spool.spool import Spool
from tests.faults.soak import slope
from tests.support.processes import memory_by_process
from tests.support.recordings.long_recording import EndlessRecording, begin_recording, feed_recording, finish_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Recording, Report

# Minutes of recording after which caches and pools are full.
_SETTLED: Final = 5.0


def record(folder: Path, *, seconds: float, quality: Any, frame_rate: Any = 30) -> Recording:
    """Record three participants in one of the harness's rooms."""
    config = RecordConfig(record_name="bench", record_video_quality=quality, record_video_frame=frame_rate)
    with open_room(recordings=folder) as room:
        alice = room.join_all("alice", "bob", "carol")[0]
        alice.start_media_recording(recorder="all", record_config=config)
        room.wait(seconds=seconds)
        return alice.download_media_recording()


def stop_to_file(repeats: int) -> dict[str, float]:
    """Return how many ms pass from the stop until the file is complete, for a 10 s and a 10 min recording.

    The 10 s recording is made in a page. For the 10 min recording, ten minutes of data at 2.5 Mbps are sent to the
    spool as fast as it accepts them, and only the last step is timed.
    """
    with tempfile.TemporaryDirectory() as folder:
        short = [record(Path(folder), seconds=10, quality="720p").stop_to_file_ms or 0.0 for _ in range(repeats)]
        took = []
        footage = EndlessRecording(Path(folder), rate=30, frame_bytes=9_700)
        spool = Spool(Path(folder), {})
        try:
            for number in range(repeats):
                recording = begin_recording(spool, footage, f"long {number}")
                for _ in feed_recording(recording, footage, 600):
                    pass
                took.append(finish_time(recording, 600))
                recording.finish_with_manifest()
                recording.clean()
        finally:
            spool.close()
    return {"10s": round(median(short), 1), "600s": round(median(took), 1)}


def first_frame(repeats: int) -> list[float]:
    """Return the times in ms from the start of ``harness record`` with three participants to the first frame."""
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
    # The first start is left out, because it fills caches and the limit applies to a warm start.
    return [round(one, 1) for one in took[1:]]


def verifying(seconds: float) -> float:
    """Return the speed at which a recording at 720p30 is verified, as a multiple of real time."""
    with tempfile.TemporaryDirectory() as folder:
        recording = record(Path(folder), seconds=seconds, quality="720p")
        verify(recording)
        began = time.perf_counter()
        verify(recording)
        return round(recording.duration / (time.perf_counter() - began), 1)


def growth(minutes: float, *, bitrate: int, log: Callable[[str], None]) -> float:
    """Return the memory growth of Chrome and Python, in MB per hour, while three participants are recorded.

    The first minutes are not measured, because caches and pools are still being filled.
    """
    config = RecordConfig(
        record_name="hour", record_video_quality="720p", record_video_frame=30, video_bits_per_second=bitrate
    )
    samples = []
    with tempfile.TemporaryDirectory() as folder, open_room(recordings=folder) as room:
        alice = room.join_all("alice", "bob", "carol")[0]
        alice.start_media_recording(recorder="all", record_config=config)
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < minutes * 60:
            samples.append((elapsed / 3600, sum(memory_by_process().values())))
            log(f"memory at {bitrate / 1e6:g} Mbps: {elapsed / 60:.1f} of {minutes:g} min, {samples[-1][1]:.0f} MB")
            room.wait(seconds=5)
    settled = [sample for sample in samples if sample[0] * 60 > _SETTLED]
    return round(slope(np.array(settled), 1), 1)


def room_cores(repeats: int) -> list[float]:
    """Return how many cores a room of three participants uses while it is recorded at 360p15."""
    config = RecordConfig(record_name="room", record_video_quality="360p", record_video_frame=15)
    return [_recording_cores(("alice", "bob", "carol"), config, seconds=8) for _ in range(repeats)]


def senders_cores(repeats: int) -> dict[str, float]:
    """Return how many cores four participants at 720p30 use when sending at the tile's size, and when sending 720p."""
    config = RecordConfig(record_name="senders", record_video_quality="720p", record_video_frame=30)
    names = ("alice", "bob", "carol", "dave")
    cores: dict[str, list[float]] = {"tiles": [], "whole": []}
    for _ in range(repeats):
        for size, found in cores.items():
            found.append(_recording_cores(names, config, seconds=5, whole_size=size == "whole"))
    share = median(tile / whole for tile, whole in zip(cores["tiles"], cores["whole"], strict=True))
    return {size: round(median(found), 3) for size, found in cores.items()} | {"share": round(share, 3)}


def _recording_cores(
    names: tuple[str, ...], config: RecordConfig, *, seconds: float, whole_size: bool = False
) -> float:
    """Return how many cores a room uses while its first participant records it.

    If ``whole_size`` is true, everybody sends 720p, and otherwise the size of their tile.
    """
    with tempfile.TemporaryDirectory() as folder, open_room(recordings=Path(folder)) as room:
        alice = room.join_all(*names)[0]
        if whole_size:
            alice.page.evaluate("client.watch({ '*': { width: 1280, height: 720, frameRate: 30 } })")
        alice.start_media_recording(recorder="all", record_config=config)
        return round(measure(room, seconds, settled_after=2).cores, 4)


def with_a_busy_program(repeats: int) -> dict[str, float]:
    """Return the highest percentages of bad frames for three participants (720p30) while another program uses one core.

    ``lost`` counts frames that are not in the file, ``uncounted`` counts lost frames that are missing from the
    manifest's count, and ``repeated`` counts a participant's frames that are repeated or skipped.
    """
    lost, uncounted, repeated = [], [], []
    for _ in range(repeats):
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            with tempfile.TemporaryDirectory() as folder:
                recording = record(Path(folder), seconds=10, quality="720p")
                manifest, report = Manifest.read(recording.manifest), verify(recording)
        finally:
            busy.kill()
            busy.wait()
        video = report.media.video if report.media else None
        missed = video.missed if video else manifest.ticks
        lost.append(100 * missed / manifest.ticks)
        uncounted.append(100 * max(0, missed - manifest.ticks_missed) / manifest.ticks)
        repeated.append(_most_repeated(report))
    return {
        name: round(max(found), 2) for name, found in (("lost", lost), ("uncounted", uncounted), ("repeated", repeated))
    }


def av_offset(repeats: int) -> dict[str, float]:
    """Return A/V offsets in ms: the largest median, the median of all medians, and the largest 95th percentile."""
    spreads = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            report = verify(record(Path(folder), seconds=25, quality="720p"))
            spreads += [one.av_offset_ms for one in report.participants if one.av_offset_ms]
    return {
        "median": round(max(abs(one.median) for one in spreads), 1),
        "typical": round(median(abs(one.median) for one in spreads), 1),
        "p95": round(max(one.p95 for one in spreads), 1),
    }


def _most_repeated(report: Report) -> float:
    videos = [one.video for one in report.participants if one.video]
    return max((max(one.repeated_percent, one.skipped_percent) for one in videos), default=100.0)
