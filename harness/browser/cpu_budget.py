"""Whether the processors suffice for a recording, asked before it begins: what they don't manage is lost."""

from __future__ import annotations

import contextlib
import random
import time
import zlib
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import psutil

from harness.recording.machine import processors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.recording.config import RecordConfig

# Processors that a recording takes, browsers and all: fitted to recordings of one to nine people, from 360p at 15
# frames a second to 720p at 30 (docs/decisions.md, 46).
_FOR_ITSELF: Final = 0.03
_PER_PERSON: Final = 0.13
_PER_MEGAPIXEL: Final = 0.0124
# Of a processor that others leave alone so much can be had before pictures are late, and so much of one that they use.
_OF_A_FREE_ONE: Final = 0.6
_OF_A_SHARED_ONE: Final = 0.4
# The reference: the machine on which this was fitted compresses these bytes in so many seconds.
_WORK: Final = bytes(random.Random(1).choices(range(32), k=1 << 15))  # noqa: S311 (work, no secret)
_REFERENCE_SECONDS: Final = 0.00043
_TRIES: Final = 20


class Load:
    """Watches, from its making on, what other programs take of the processors."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._all = busy()
        self._ours = _of_ours()

    def foreign(self) -> float:
        """Return how many processors others used since this was made, on average."""
        seconds = time.monotonic() - self._began
        ours = _of_ours() - self._ours
        return max(0.0, busy() - self._all - ours) / max(seconds, 1e-3)

    def shortage(self, people: int, config: RecordConfig) -> str | None:
        """Return a sentence where so many senders can't be recorded in time, with what to do; None where they can."""
        there = processors()
        foreign = min(self.foreign(), there)
        need = needed(people, config) * _slowness()
        if need <= _OF_A_FREE_ONE * (there - foreign) + _OF_A_SHARED_ONE * foreign:
            return None
        width, height = config.size
        what = "sound" if config.record_type == "audio" else f"{width}x{height} and {config.record_video_frame}/s"
        others = f"other programs use {foreign:.1f} of {there}" if foreign >= 0.1 else f"it has {there}"  # noqa: PLR2004
        return (
            f"This machine may be too slow: {people} people at {what} take about {need:.1f} processors, and {others}. "
            "Pictures may be lost; record fewer people, a smaller quality or frame rate, or end other programs."
        )


def fitting(needs: Iterable[float]) -> int:
    """Return for how many recordings, the first of those that need so much each, the processors suffice at a time."""
    there = _OF_A_FREE_ONE * processors() / _slowness()
    return sum(together <= there for together in accumulate(needs))


def needed(people: int, config: RecordConfig) -> float:
    """Return how many processors of the reference machine a recording takes, its participants' browsers included."""
    width, height = config.size
    pixels = 0 if config.record_type == "audio" else width * height * config.record_video_frame
    return _FOR_ITSELF + _PER_PERSON * people + _PER_MEGAPIXEL * pixels / 1e6


def _slowness() -> float:
    """Return how many times as long as the reference machine this one takes for the same work."""
    took = []
    for _ in range(_TRIES):
        # Of this thread alone: others may hold the processor meanwhile.
        began = time.thread_time()
        zlib.compress(_WORK)
        took.append(time.thread_time() - began)
    return median(took) / _REFERENCE_SECONDS


def busy() -> float:
    """Return the seconds that all processors together have worked since the machine started."""
    times = psutil.cpu_times()
    return sum(float(getattr(times, kind, 0.0)) for kind in ("user", "system", "nice", "irq", "softirq"))


def family() -> Iterator[tuple[int, Any]]:
    """Yield the number and psutil's ``cpu_times`` of this process and of all below it that are there."""
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            yield process.pid, process.cpu_times()


def _of_ours() -> float:
    """Return the processor seconds of this process and all below it."""
    # Those of children that have ended count with their parents.
    kinds = ("user", "system", "children_user", "children_system")
    return sum(float(getattr(times, kind, 0.0)) for _, times in family() for kind in kinds)
