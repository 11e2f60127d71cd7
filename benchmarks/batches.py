"""How fast a batch can come back from a cluster: ``python -m benchmarks.batches [COUNT]``.

One real recording is made; then so many tasks hand it back as if they had recorded it, and each is published here. What
is left is what a scheduler, the network on this machine and the one program that collects can do.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import as_completed
from pathlib import Path

from distributed import Client, LocalCluster

from harness import RecordConfig, open_room
from harness.cluster import RESOURCE, Film


def hand_back(film: Film, number: int) -> tuple[int, Film]:
    """Stand for a scenario that was played: its recording, under a number."""
    return number, film


def record(folder: Path, seconds: float) -> Film:
    """Make a recording to hand back."""
    with open_room(recordings=folder) as room:
        alice = room.join("alice")
        config = RecordConfig(record_name="film", record_video_quality="720p", record_video_frame=30)
        alice.start_media_recording(recorder="local", record_config=config)
        room.wait(seconds=seconds)
        return Film.pack(alice.download_media_recording().path)


def main() -> int:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the recording")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, resources={RESOURCE: 1}, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        film = record(Path(folder) / "first", asked.seconds)
        executor = client.get_executor(resources={RESOURCE: 1}, pure=False)
        (there,) = client.scatter([film], broadcast=True)
        began = time.monotonic()
        futures = [executor.submit(hand_back, there, number) for number in range(asked.count)]
        submitted = time.monotonic() - began
        seen = set()
        for future in as_completed(futures):
            number, came = future.result()
            came.unpack(Path(folder) / "all")
            seen.add(number)
        took = time.monotonic() - began
    size = len(film.data) / 1e6
    sys.stdout.write(
        f"{len(seen)} of {asked.count} outcomes of {size:.2f} MB in {took:.1f} s ({submitted:.1f} s to submit): "
        f"{len(seen) / took:.0f} a second, {len(seen) * size / took:.0f} MB a second\n"
    )
    return 0 if len(seen) == asked.count else 1


if __name__ == "__main__":
    sys.exit(main())
