"""What a room costs by its number of people, in a mesh and by way of an SFU: ``python -m benchmarks.rooms``.

One records at 360p and 15 pictures a second; in the second half of the table two more receive everybody meanwhile. All
processes count: Python, the driver, Chrome, Janus; so does whatever goes over this machine's own interface, which is
nearly all media. Prints a Markdown table, "mesh / Janus" in each place, medians over --repeats in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import psutil

from benchmarks.meter import Meter
from harness import RecordConfig, Routes, open_room, verify
from harness.server.rooms.routes import Sfu
from tests.support.servers.janus import Janus, installed

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


def cost(people: int, receivers: int, seconds: float, *, sfu: bool) -> tuple[float, float, float, float, float]:
    """Return a room's cores, those of Janus alone, MB, Mbit/s, and the worst share of repeated pictures in percent."""
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
        meter, relaying, carried = Meter(), _relaying(), _carried()
        room.wait(seconds=seconds)
        spent, relaying, carried = meter.read(), _relaying() - relaying, _carried() - carried
        everybody[0].stop_media_recording()
        report = verify(everybody[0].download_media_recording())
    repeated = max((one.video.repeated_percent for one in report.participants if one.video), default=100.0)
    return spent.cores, relaying / spent.seconds, spent.memory, carried * 8e-6 / spent.seconds, repeated


def _relaying() -> float:
    """Return the processor seconds of Janus so far, 0 where there is none."""
    below = psutil.Process().children(recursive=True)
    return sum(sum(process.cpu_times()[:2]) for process in below if process.name() == "janus")


def _carried() -> int:
    """Return the bytes that went over this machine's own interface so far."""
    return psutil.net_io_counters(pernic=True)["lo"].bytes_sent


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
        "| people | who receive | cores | of them Janus | MB | Mbit/s | repeated, % |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for receivers in RECEIVERS:
        for people in PEOPLE:
            runs = [
                [cost(people, receivers, asked.seconds, sfu=sfu) for sfu in (False, True)] for _ in range(asked.repeats)
            ]
            cells = []
            for part, digits in enumerate((2, 2, 0, 1, 1)):
                mesh, janus = (median(run[way][part] for run in runs) for way in (0, 1))
                both = f"{mesh:.{digits}f} / {janus:.{digits}f}"
                cells.append(f"{janus:.{digits}f}" if part == 1 else both)
            lines.append(f"| {people} | {receivers} | {' | '.join(cells)} |")
            sys.stderr.write(lines[-1] + "\n")
    sys.stdout.write("\n".join([*lines, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
