"""Print how many tests `make test` runs at once: tests marked ``parallel``, or tests that record in real time.

A test that records in real time uses about two thirds of a processor, and more while its pages open. If other programs
use the processors too, fewer of these tests run at once, because their recordings would lack frames.
"""

from __future__ import annotations

import math
import sys
import time
from typing import Final

from harness.browser.budget import Budget
from harness.recording.machine import processors

# How long the processors are observed, in seconds. While many tests start, shorter samples differ too much.
_OBSERVED: Final = 2.0
# Each process needs about 1 GB of memory for its browser.
_MOST: Final = 8


def main() -> None:
    """Print the number for the group of tests that the first argument names, ``parallel`` or ``realtime``."""
    if sys.argv[1] == "parallel":
        # While one process waits, for example for a page, another one can run.
        lanes = math.ceil(processors()) + 1
    else:
        budget = Budget()
        time.sleep(_OBSERVED)  # noqa: TID251  # The use of the processors is measured over this time.
        lanes = round(processors() - budget.used_by_others())
    print(max(1, min(lanes, _MOST)))


if __name__ == "__main__":
    main()
