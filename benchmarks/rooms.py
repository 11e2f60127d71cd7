"""What a room costs by its number of people, in a mesh and by way of an SFU: ``python -m benchmarks.rooms``.

One records at 360p and 15 pictures a second; in the second half of the table two more receive everybody meanwhile. All
processes count: Python, the driver, Chrome, Janus. Prints a Markdown table, medians over --repeats in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.meter import Meter
from harness import RecordConfig, Routes, open_room, verify
from harness.server.media import Sfu
from tests.janus import Janus, installed

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE: Final = (3, 6, 9, 12)
RECEIVERS: Final = (1, 3)
# A tile of a grid of nine.
TILE: Final = "{ '*': { width: 214, height: 120, frameRate: 15 } }"
_WARM: Final = 2.0


@contextlib.contextmanager
def routes(*, sfu: bool) -> Iterator[Routes]:
    """Run a Janus where one is asked for."""
    if not sfu:
        yield Routes()
        return
    with tempfile.TemporaryDirectory(prefix="janus") as folder, Janus(Path(folder)) as janus:
        yield Routes(sfu=Sfu(janus.url, janus.secret))


def cost(people: int, receivers: int, seconds: float, *, sfu: bool) -> tuple[float, float, float]:
    """Return the cores and the MB that a room takes, and the worst share of repeated pictures, in percent."""
    names = [f"p{number}" for number in range(people)]
    with (
        tempfile.TemporaryDirectory(prefix="rooms") as folder,
        routes(sfu=sfu) as way,
        open_room(recordings=folder, routes=way) as room,
    ):
        everybody = room.join_all(*names, subscriber=names[0])
        for other in everybody[1:receivers]:
            other.page.evaluate(f"client.watch({TILE})")
        everybody[0].start_media_recording(record_config=RecordConfig(record_name="room"))
        room.wait(seconds=_WARM)
        meter = Meter()
        room.wait(seconds=seconds)
        spent = meter.read()
        everybody[0].stop_media_recording()
        report = verify(everybody[0].download_media_recording())
    repeated = max((one.video.repeated_percent for one in report.participants if one.video), default=100.0)
    return spent.cores, spent.memory, repeated


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=1)
    asked = parser.parse_args()
    if not installed():
        sys.stderr.write("There is no janus: scripts/ci-packages installs it on Debian.\n")
        return 3
    lines = [
        "| people | who receive | mesh: cores | MB | repeated | Janus: cores | MB | repeated |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for receivers in RECEIVERS:
        for people in PEOPLE:
            row = []
            runs = [
                [cost(people, receivers, asked.seconds, sfu=sfu) for sfu in (False, True)] for _ in range(asked.repeats)
            ]
            for way in (0, 1):
                cores, memory, repeated = (median(run[way][part] for run in runs) for part in range(3))
                row += [f"{cores:.2f}", f"{memory:.0f}", f"{repeated:.1f} %"]
            lines.append(f"| {people} | {receivers} | {' | '.join(row)} |")
            sys.stderr.write(lines[-1] + "\n")
    sys.stdout.write("\n".join([*lines, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
