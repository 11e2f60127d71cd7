"""Estimate, before a recording starts, whether this machine is fast enough to record without losing frames."""

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

# The number of processors that a recording needs, including those that its browsers use. The values were fitted to
# recordings of one to nine participants, from 360p15 to 720p30 (docs/decisions.md, 46).
_PER_RECORDING: Final = 0.03
_PER_PARTICIPANT: Final = 0.13
_PER_MEGAPIXEL: Final = 0.0124
# Frames are late if recordings use more than this share of a processor. The first value is for a processor that no
# other program uses, the second for a processor that other programs also use.
_OF_A_FREE_ONE: Final = 0.6
_OF_A_SHARED_ONE: Final = 0.4
# The reference machine, on which the values were fitted, compresses these bytes in ``_REFERENCE_SECONDS``.
_WORK: Final = bytes(random.Random(1).choices(range(32), k=1 << 15))  # noqa: S311 (work, no secret)
_REFERENCE_SECONDS: Final = 0.00043
_TRIES: Final = 20


class CpuBudget:
    """Measures how much CPU time other programs have used since the object was created."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._all = busy()
        self._ours = _busy_with_us()

    def used_by_others(self) -> float:
        """Return how many processors other programs have used on average since the object was created."""
        seconds = time.monotonic() - self._began
        ours = _busy_with_us() - self._ours
        return max(0.0, busy() - self._all - ours) / max(seconds, 1e-3)

    def shortage(self, participants: int, config: RecordConfig) -> str | None:
        """Return a warning if this machine is too slow to record ``participants`` participants, and None otherwise."""
        available = processors()
        others = min(self.used_by_others(), available)
        need = needed(participants, config) * _slowness()
        if _is_enough(need, available, others):
            return None
        width, height = config.size
        kind = "audio only" if config.record_type == "audio" else f"{width}x{height}, {config.record_video_frame} fps"
        rest = f"it has only {available}"
        if others >= 0.1:  # noqa: PLR2004
            rest = f"other programs use {others:.1f} of the machine's {available} processors"
        return (
            f"This machine may be too slow: {participants} participants ({kind}) need about {need:.1f} processors, "
            f"and {rest}. Frames may be lost. Record fewer participants, use a lower quality or frame rate, or close "
            "other programs."
        )

    def was_short(self, needs: float) -> bool:
        """Return whether other programs have left too little CPU time since the object was created.

        ``needs`` is how many processors of the reference machine the recording and its browsers use.
        """
        available = processors()
        return not _is_enough(needs * _slowness(), available, min(self.used_by_others(), available))


def _is_enough(need: float, available: float, others: float) -> bool:
    """Return whether ``available`` processors are enough if other programs use ``others`` of them."""
    return need <= _OF_A_FREE_ONE * (available - others) + _OF_A_SHARED_ONE * others


def fitting(needs: Iterable[float]) -> int:
    """Return how many recordings can run at the same time; ``needs`` is how many processors each of them needs."""
    available = _OF_A_FREE_ONE * processors() / _slowness()
    return sum(together <= available for together in accumulate(needs))


def needed(participants: int, config: RecordConfig) -> float:
    """Return how many of the reference machine's processors a recording and its browsers would keep busy."""
    width, height = config.size
    pixels = 0 if config.record_type == "audio" else width * height * config.record_video_frame
    return _PER_RECORDING + _PER_PARTICIPANT * participants + _PER_MEGAPIXEL * pixels / 1e6


def _slowness() -> float:
    """Return how many times slower this machine is than the reference machine."""
    took = []
    for _ in range(_TRIES):
        # Measure only this thread's CPU time, because other threads may use the processor at the same time.
        began = time.thread_time()
        zlib.compress(_WORK)
        took.append(time.thread_time() - began)
    return median(took) / _REFERENCE_SECONDS


def busy() -> float:
    """Return the total busy time of all processors since the machine started, in seconds."""
    times = psutil.cpu_times()
    return sum(float(getattr(times, kind, 0.0)) for kind in ("user", "system", "nice", "irq", "softirq"))


def family() -> Iterator[tuple[int, Any]]:
    """Yield the process ID and psutil's ``cpu_times`` of this process and of all its running descendants."""
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            yield process.pid, process.cpu_times()


def _busy_with_us() -> float:
    """Return the CPU time, in seconds, of this process and its descendants."""
    # The CPU time of child processes that have exited is included in their parents' CPU time.
    kinds = ("user", "system", "children_user", "children_system")
    return sum(float(getattr(times, kind, 0.0)) for _, times in family() for kind in kinds)
