"""Print how many tests `make test` runs at once: tests marked ``parallel``, or tests that record in real time.

A test that records in real time uses about two thirds of a processor, and more while its pages open. If other programs
use the processors too, fewer of these tests run at once, because their recordings would lack frames.
"""

from __future__ import annotations

import os
import sys
from typing import Final

import psutil

# How long the processors are observed, in seconds. While many tests start, shorter samples differ too much.
_OBSERVED: Final = 2.0
# Each process needs about 1 GB of memory for its browser.
_MOST: Final = 8


def main() -> None:
    """Print the number for the group of tests that the first argument names, ``parallel`` or ``realtime``."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if sys.argv[1] == "parallel":
        # While one process waits, for example for a page, another one can run.
        lanes = processors + 1
    else:
        lanes = round(processors * (1 - psutil.cpu_percent(interval=_OBSERVED) / 100))
    print(max(1, min(lanes, _MOST)))


if __name__ == "__main__":
    main()
