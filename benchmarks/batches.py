"""Measure how fast one program collects recordings from a cluster when many scenarios end at the same time.

Run with ``python -m benchmarks.batches [ROOMS]``. The benchmark makes one real recording, and then runs many fake
scenarios at the same time. Each fake scenario takes as long as the recording, reports one step per second, and returns
a copy of the recording. Any additional time is therefore spent in the scheduler, the network and the collecting
program. The collecting program publishes the recordings in a folder, as it does for any batch.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness import RecordConfig, Recording, Report, open_room, verify
from harness.batch.cluster import RESOURCE, run_on_cluster
from harness.batch.job import ScenarioJob
from harness.recording.files.names import manifest_of
from harness.recording.manifest import Manifest
from harness.scenario import Outcome, Progress, Scenario
from harness.scenario.steps import Stop
from tests.support.processes import peak_memory
from tests.support.servers.dask_cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS: Final = 2


@dataclass(frozen=True, kw_only=True)
class FakeJob(ScenarioJob):
    """A job that takes ``seconds`` seconds and returns a copy of ``recorded``, with its manifest and ``report``."""

    recorded: Path
    report: Report
    seconds: float

    def play(
        self, recordings: Path, *, on_progress: Callable[[Progress], None], interrupted: Callable[[], bool]
    ) -> Outcome:
        """Report one step per second while waiting, and then copy the recording."""
        for second in range(round(self.seconds)):
            if interrupted():
                break
            time.sleep(1)  # noqa: TID251 - a real scenario takes this long
            on_progress(Progress(second, round(self.seconds), "wait"))
        recordings.mkdir(parents=True)
        path = recordings / f"{self.number:04}.webm"
        shutil.copyfile(self.recorded, path)
        shutil.copyfile(manifest_of(self.recorded), manifest_of(path))
        recording = Manifest.read(manifest_of(path)).recording.at(path)
        return Outcome(title="", recordings=(recording,), reports=(self.report,), error=None, seconds=self.seconds)


def record(folder: Path, seconds: float, times: int) -> tuple[Recording, Report]:
    """Make a recording, and repeat its bytes so that the file is ``times`` times as large."""
    with open_room(recordings=folder) as room:
        alice = room.join("alice")
        config = RecordConfig(record_name="sample", record_video_quality="720p", record_video_frame=30)
        alice.start_media_recording(recorder="local", record_config=config)
        room.wait(seconds=seconds)
        recording = alice.download_media_recording()
    report = verify(recording)
    data = recording.path.read_bytes() * times
    recording.path.write_bytes(data)
    manifest = Manifest.read(recording.manifest)
    larger = recording.model_copy(update={"size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    recording.manifest.unlink()
    manifest.model_copy(update={"recording": larger}).write(recording.manifest)
    return larger, report


def main() -> int:
    """Run the benchmark and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="?", type=int, default=1000, help="Number of rooms at the same time.")
    parser.add_argument("--seconds", type=float, default=10.0, help="Length of the recording in seconds.")
    parser.add_argument("--times", type=int, default=1, help="Factor by which the recording is enlarged.")
    options = parser.parse_args()
    slots = math.ceil(options.rooms / WORKERS)
    cluster = Cluster()
    try:
        with tempfile.TemporaryDirectory() as folder:
            recording, report = record(Path(folder) / "sample", options.seconds, options.times)
            for _ in range(WORKERS):
                cluster.worker("--nthreads", str(slots), "--resources", f"{RESOURCE}={slots}")
            fields = {
                "scenario": Scenario(steps=(Stop(stop="nobody"),)),
                "recordings": Path(folder) / "all",
                "recorded": recording.path,
                "report": report,
                "seconds": options.seconds,
            }
            jobs = [FakeJob(number=number, **fields) for number in range(options.rooms)]
            steps = []
            before = peak_memory("self")
            began = time.monotonic()
            outcomes = run_on_cluster(jobs, cluster.address, on_progress=lambda *step: steps.append(step))
            after = time.monotonic() - began - options.seconds
            arrived = len(list(fields["recordings"].glob("*.webm")))
            peaks = [peak_memory(one.pid) for one in cluster.processes]
    finally:
        cluster.close()
    size = recording.size / 1e6
    sys.stdout.write(
        f"Collected {arrived} of {options.rooms} recordings of {size:.1f} MB and {len(steps)} steps within "
        f"{after:.1f} s of the end of the scenarios: {arrived / after:.0f} recordings and "
        f"{arrived * size / after:.0f} MB per second. Peak memory: {peak_memory('self') - before:.0f} MB more than "
        f"before in this process, {peaks[0]:.0f} MB in the scheduler, "
        f"{' and '.join(f'{peak:.0f}' for peak in peaks[1:])} MB in the workers.\n"
    )
    return 0 if arrived == len(outcomes) == options.rooms else 1


if __name__ == "__main__":
    sys.exit(main())
