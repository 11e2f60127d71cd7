"""What one program can collect from a cluster: ``python -m benchmarks.batches [ROOMS]``.

One real recording is made; then so many scenarios, all at a time, pretend to make it: they take as long, say a step
each second and have that film in the end. What is left of a batch is what the scheduler, the network and the program
that collects have to do when everything ends at once. Each is published here, as any batch is.
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
    """A job that takes ``seconds`` and has ``film`` in the end, with its manifest beside it and its ``report``."""

    film: Path
    report: Report
    seconds: float

    def play(
        self, recordings: Path, *, on_progress: Callable[[Progress], None], interrupted: Callable[[], bool]
    ) -> Outcome:
        """Wait, say so, and copy the film."""
        for second in range(round(self.seconds)):
            if interrupted():
                break
            time.sleep(1)  # noqa: TID251 - a scenario that is played takes its time
            on_progress(Progress(second, round(self.seconds), "pretend"))
        recordings.mkdir(parents=True)
        path = recordings / f"{self.number:04}.webm"
        shutil.copyfile(self.film, path)
        shutil.copyfile(manifest_of(self.film), manifest_of(path))
        recording = Manifest.read(manifest_of(path)).recording.at(path)
        return Outcome(title="", recordings=(recording,), reports=(self.report,), error=None, seconds=self.seconds)


def record(folder: Path, seconds: float, times: int) -> tuple[Recording, Report]:
    """Make a recording, and its bytes so many times as many."""
    with open_room(recordings=folder) as room:
        alice = room.join("alice")
        config = RecordConfig(record_name="film", record_video_quality="720p", record_video_frame=30)
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
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="?", type=int, default=1000, help="rooms at a time")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the recording")
    parser.add_argument("--times", type=int, default=1, help="so many times as large")
    asked = parser.parse_args()
    places = math.ceil(asked.rooms / WORKERS)
    cluster = Cluster()
    try:
        with tempfile.TemporaryDirectory() as folder:
            film, report = record(Path(folder) / "film", asked.seconds, asked.times)
            for _ in range(WORKERS):
                cluster.worker("--nthreads", str(places), "--resources", f"{RESOURCE}={places}")
            everything = {
                "scenario": Scenario(steps=(Stop(stop="nobody"),)),
                "recordings": Path(folder) / "all",
                "film": film.path,
                "report": report,
                "seconds": asked.seconds,
            }
            jobs = [FakeJob(number=number, **everything) for number in range(asked.rooms)]
            steps = []
            before = peak_memory("self")
            began = time.monotonic()
            outcomes = run_on_cluster(jobs, cluster.address, on_progress=lambda *step: steps.append(step))
            after = time.monotonic() - began - asked.seconds
            there = len(list(everything["recordings"].glob("*.webm")))
            peaks = [peak_memory(one.pid) for one in cluster.processes]
    finally:
        cluster.close()
    size = film.size / 1e6
    sys.stdout.write(
        f"{there} of {asked.rooms} recordings of {size:.1f} MB, {len(steps)} steps told. All there {after:.1f} s after "
        f"their end: {there / after:.0f} a second, {there * size / after:.0f} MB a second. Memory at most: here "
        f"{peak_memory('self') - before:.0f} MB more, scheduler {peaks[0]:.0f}, workers "
        f"{' and '.join(f'{peak:.0f}' for peak in peaks[1:])} MB\n"
    )
    return 0 if there == len(outcomes) == asked.rooms else 1


if __name__ == "__main__":
    sys.exit(main())
