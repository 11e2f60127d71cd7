"""Measure the CPU, memory and network usage of rooms of different sizes, as a mesh and through an SFU.

Run with ``python -m benchmarks.rooms``. This benchmark prints a Markdown table with two values in each cell ("mesh /
Janus"). One participant records at 360p and 15 fps. In the second half of the table, two more participants receive
everybody's media. The values include all processes (Python, Playwright's driver, Chrome, Janus) and all traffic on the
loopback interface, nearly all of which is media. Mesh and Janus are measured alternately, and the values are medians of
``--repeats`` measurements.
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

SIZES: Final = (3, 6, 9, 12)
RECEIVERS: Final = (1, 3)
# Size of a tile in a grid of nine participants.
TILE: Final = "{ '*': { width: 214, height: 120, frameRate: 15 } }"
_WARM: Final = 2.0


@contextlib.contextmanager
def routes(*, sfu: bool) -> Iterator[Routes]:
    """Return the room's routes; if ``sfu`` is true, run Janus until the context exits."""
    if not sfu:
        yield Routes()
        return
    with tempfile.TemporaryDirectory(prefix="janus") as folder, Janus(Path(folder)) as janus:
        yield Routes(sfu=Sfu(janus.url, janus.secret))


def cost(count: int, receivers: int, seconds: float, *, sfu: bool) -> tuple[float, float, float, float, float]:
    """Return a room's usage: total cores, Janus's cores, MB, Mbit/s, and the highest percentage of repeated frames."""
    names = [f"p{number}" for number in range(count)]
    with (
        tempfile.TemporaryDirectory(prefix="rooms") as folder,
        routes(sfu=sfu) as way,
        open_room(recordings=folder, routes=way) as room,
    ):
        participants = room.join_all(*names, subscriber=names[0])
        for other in participants[1:receivers]:
            other.page.evaluate(f"client.watch({TILE})")
        participants[0].start_media_recording(record_config=RecordConfig(record_name="room"))
        room.wait(seconds=_WARM)
        meter, relaying, carried = Meter(), _relaying(), _carried()
        room.wait(seconds=seconds)
        spent, relaying, carried = meter.read(), _relaying() - relaying, _carried() - carried
        participants[0].stop_media_recording()
        report = verify(participants[0].download_media_recording())
    repeated = max((one.video.repeated_percent for one in report.participants if one.video), default=100.0)
    return spent.cores, relaying / spent.seconds, spent.memory, carried * 8e-6 / spent.seconds, repeated


def _relaying() -> float:
    """Return the CPU time in seconds that Janus has used so far, or 0 if Janus is not running."""
    below = psutil.Process().children(recursive=True)
    return sum(sum(process.cpu_times()[:2]) for process in below if process.name() == "janus")


def _carried() -> int:
    """Return the number of bytes sent over the loopback interface so far."""
    return psutil.net_io_counters(pernic=True)["lo"].bytes_sent


def main() -> int:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="Seconds to measure in each room.")
    parser.add_argument("--repeats", type=int, default=1, help="Number of measurements of each room.")
    options = parser.parse_args()
    if not installed():
        sys.stderr.write("The program janus is not installed. On Debian, scripts/ci-packages installs it.\n")
        return 3
    lines = [
        "| participants | receivers | cores | cores used by Janus | MB | Mbit/s | repeated, % |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for receivers in RECEIVERS:
        for count in SIZES:
            runs = [
                [cost(count, receivers, options.seconds, sfu=sfu) for sfu in (False, True)]
                for _ in range(options.repeats)
            ]
            cells = []
            for part, digits in enumerate((2, 2, 0, 1, 1)):
                mesh, janus = (median(run[way][part] for run in runs) for way in (0, 1))
                both = f"{mesh:.{digits}f} / {janus:.{digits}f}"
                cells.append(f"{janus:.{digits}f}" if part == 1 else both)
            lines.append(f"| {count} | {receivers} | {' | '.join(cells)} |")
            sys.stderr.write(lines[-1] + "\n")
    sys.stdout.write("\n".join([*lines, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
