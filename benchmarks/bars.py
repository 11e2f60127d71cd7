"""Define limits on the harness's speed and CPU usage, and compare measured values with them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.contest import Form
from benchmarks.results import Bar, ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contest import Run

MAIN: Final = Form()
REMOTE: Final = Form(scene="webrtc")


@dataclass(frozen=True)
class Promise:
    """A limit for one value in the results.

    ``bar`` is the maximum, or the minimum if ``at_least`` is true. ``keys`` is the value's path in the results.
    """

    what: str
    keys: tuple[str, ...]
    bar: float
    unit: str
    at_least: bool = False

    def compare(self, results: dict[str, Any]) -> Bar | None:
        """Return the limit with the measured value; None if this run did not measure the value."""
        found: Any = results
        for key in self.keys:
            found = found.get(key) if found else None
        if isinstance(found, list):
            found = median(found)
        if found is None:
            return None
        met = found >= self.bar if self.at_least else found <= self.bar
        sign = ">=" if self.at_least else "<="
        return Bar(self.what, f"{sign} {self.bar:g} {self.unit}".strip(), f"{found:g} {self.unit}".strip(), met)


def whole(run: Run) -> float:
    """Return the CPU usage of a run's call and its recording."""
    return run.cores


def added(run: Run) -> float:
    """Return what recording added to the CPU usage of a run's call."""
    return run.added_cores


@dataclass(frozen=True)
class Comparison:
    """A limit for the harness's cost, relative to the cost of the contestant ``over`` in the same repeat.

    ``bar`` is the maximum of the median and ``bound`` the maximum of its 95 % bound; None if there is no limit.
    """

    what: str
    form: Form
    over: str
    bar: float | None = None
    bound: float | None = None
    cost: Callable[[Run], float] = whole

    def compare(self, runs: list[Run]) -> Bar:
        """Return the limit with the measured ratio."""
        one = ratio(runs, self.form, self.over, cost=self.cost)
        text = "no limit" if self.bar is None else f"<= {self.bar:g}"
        text += f", 95 % bound <= {self.bound:g}" if self.bound else ""
        met = None
        if one is not None and self.bar is not None:
            met = one.median <= self.bar and (self.bound is None or one.bound <= self.bound)
        return Bar(self.what, text, str(one) if one else "not measured", met)


_COMPARISONS: Final = (
    Comparison("CPU relative to one unmixed track, 4 participants at 720p30", MAIN, "floor", 1.08, 1.10),
    Comparison("CPU relative to NERTC as shipped, local", MAIN, "nertc-shipped", 0.50),
    Comparison("CPU relative to NERTC as shipped, over WebRTC", REMOTE, "nertc-shipped", 0.65),
    Comparison("CPU relative to NERTC as shipped, over WebRTC, if NERTC's senders send 720p", REMOTE, "nertc-whole"),
    Comparison("CPU added by recording, relative to NERTC as shipped, local", MAIN, "nertc-shipped", 0.60, cost=added),
    Comparison(
        "CPU added by recording, relative to NERTC as shipped, over WebRTC", REMOTE, "nertc-shipped", 0.60, cost=added
    ),
)
_PROMISES: Final = (
    Promise(
        "rooms of three at 360p15 relative to NERTC, local", ("rooms", "local", "over_nertc"), 2.2, "", at_least=True
    ),
    Promise(
        "rooms of three at 360p15 relative to NERTC, over WebRTC",
        ("rooms", "webrtc", "over_nertc"),
        1.5,
        "",
        at_least=True,
    ),
    Promise("recorded rooms of three at 360p15, over WebRTC", ("rooms", "webrtc", "ours"), 6, "rooms", at_least=True),
    Promise("CPU of a recorded room of three at 360p15", ("room_cores",), 0.30, "cores"),
    Promise("frame rate at 30 fps", ("frame_rate",), 29.97, "fps", at_least=True),
    Promise("longest gap in the file", ("gap_ms",), 34, "ms"),
    Promise("frames repeated or skipped, local", ("repeated_percent", "local"), 0.1, "%"),
    Promise("frames repeated or skipped, over WebRTC", ("repeated_percent", "webrtc"), 0.1, "%"),
    Promise("time from harness record to the first frame", ("first_frame_ms",), 2000, "ms"),
    Promise("time from stop to file after 10 s", ("stop_to_file_ms", "10s"), 150, "ms"),
    Promise("time from stop to file after 10 min", ("stop_to_file_ms", "600s"), 150, "ms"),
    Promise("frames lost while another program is busy, worst", ("busy_percent", "lost"), 1, "%"),
    Promise("lost frames that the manifest does not count, worst", ("busy_percent", "uncounted"), 0, "%"),
    Promise("frames repeated or skipped while another program is busy, worst", ("busy_percent", "repeated"), 0.3, "%"),
    Promise("A/V offset over WebRTC, worst median", ("av_offset_ms", "median"), 20, "ms"),
    Promise("A/V offset over WebRTC, worst 95th percentile", ("av_offset_ms", "p95"), 80, "ms"),
    Promise("CPU with senders at their tile's size, relative to all at 720p", ("senders_cores", "share"), 0.8, ""),
    Promise("memory growth at 2.5 Mbps", ("memory_mb_per_hour", "2.5 Mbps"), 30, "MB per hour"),
    Promise("memory growth at 20 Mbps", ("memory_mb_per_hour", "20 Mbps"), 30, "MB per hour"),
    Promise("speed of verify at 720p30", ("verify_times_real_time",), 10, "x real time", at_least=True),
)


def bars(runs: list[Run], results: dict[str, Any]) -> list[Bar]:
    """Return every limit with its measured value."""
    compared = [comparison.compare(runs) for comparison in _COMPARISONS]
    return [*compared, *(found for promise in _PROMISES if (found := promise.compare(results)))]
