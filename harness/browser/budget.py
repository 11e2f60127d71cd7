"""Estimate, before a recording starts, whether this machine has enough CPU time and memory for the recording."""

from __future__ import annotations

import contextlib
import random
import time
import zlib
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import psutil

from harness.recording.machine import all_processors, memory_free, processors, shown_processors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from harness.recording.config import RecordConfig

# The number of processors that a recording needs, including those that its browsers use. The values were fitted to
# recordings of one to nine participants, from 360p15 to 720p30 (docs/decisions.md, 46).
_PER_RECORDING: Final = 0.03
_PER_PARTICIPANT: Final = 0.13
_PER_MEGAPIXEL: Final = 0.0124
# The memory that Python, the server, Playwright's driver and Chrome need for a recording, and the memory that each
# participant's page needs, in bytes. The measurements are in docs/decisions.md (121).
_MEMORY_PER_RECORDING: Final = 350_000_000
_MEMORY_PER_PARTICIPANT: Final = 150_000_000
# Frames are late if recordings use more than this share of a processor. The first value is for a processor that no
# other program uses, the second for a processor that other programs also use.
_OF_A_FREE_ONE: Final = 0.6
_OF_A_SHARED_ONE: Final = 0.4
# The reference machine, on which the values were fitted, compresses these bytes in ``_REFERENCE_SECONDS``.
_WORK: Final = bytes(random.Random(1).choices(range(32), k=1 << 15))  # noqa: S311 (work, no secret)
_REFERENCE_SECONDS: Final = 0.00043
_TRIES: Final = 20


@dataclass(frozen=True)
class Need:
    """The processors of the reference machine, and the memory in bytes, that a recording and its browsers need."""

    processors: float
    memory: int

    @classmethod
    def of(cls, participants: int, config: RecordConfig) -> Self:
        """Return what a recording of this many participants needs."""
        width, height = config.size
        pixels = 0 if config.record_type == "audio" else width * height * config.record_video_frame
        return cls(
            processors=_PER_RECORDING + _PER_PARTICIPANT * participants + _PER_MEGAPIXEL * pixels / 1e6,
            memory=needed_memory(participants),
        )


class Budget:
    """Measures how much CPU time other programs have used since the object was created.

    Create the object before the browsers start, because it also stores how much memory is free at that time.
    """

    def __init__(self) -> None:
        self._memory_free = memory_free()
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
        others = self._taken_by_others(available)
        need = Need.of(participants, config).processors * _slowness()
        if _is_enough(need, available, others):
            return None
        width, height = config.size
        kind = "audio only" if config.record_type == "audio" else f"{width}x{height}, {config.record_video_frame} fps"
        rest = f"it has only {shown_processors(available)}"
        if others >= 0.1:  # noqa: PLR2004
            rest = f"other programs use {others:.1f} of its {shown_processors(available)} processors"
        return (
            f"This machine may be too slow: {participants} participants ({kind}) need about {need:.1f} processors, "
            f"and {rest}. Frames may be lost. Record fewer participants, use a lower quality or frame rate, or close "
            "other programs."
        )

    def memory_shortage(self, participants: int) -> str | None:
        """Return a warning if too little memory was free for ``participants`` participants, and None otherwise."""
        need = needed_memory(participants)
        if need <= self._memory_free:
            return None
        return (
            f"This machine may have too little memory: {participants} participants need about {need / 1e9:.1f} GB, and "
            f"it has only {self._memory_free / 1e9:.1f} GB free. Chrome may crash. Record fewer participants, close "
            "other programs, or raise the container's memory limit."
        )

    def was_short(self, need: Need) -> bool:
        """Return whether other programs have left too little CPU time for ``need`` since the object was created."""
        available = processors()
        return not _is_enough(need.processors * _slowness(), available, self._taken_by_others(available))

    def _taken_by_others(self, available: float) -> float:
        """Return how many of this process's ``available`` processors other programs use.

        Linux first gives other programs the processors that this process can't use.
        """
        return min(max(0.0, self.used_by_others() - (all_processors() - available)), available)


def _is_enough(need: float, available: float, others: float) -> bool:
    """Return whether ``available`` processors are enough if other programs use ``others`` of them."""
    return need <= _OF_A_FREE_ONE * (available - others) + _OF_A_SHARED_ONE * others


def fitting(needs: Iterable[Need]) -> int:
    """Return how many of these recordings can run at the same time, even if they are the most demanding ones."""
    listed = list(needs)
    return min(
        _count_fitting((need.processors for need in listed), _OF_A_FREE_ONE * processors() / _slowness()),
        _count_fitting((need.memory for need in listed), memory_free()),
    )


def _count_fitting(needs: Iterable[float], available: float) -> int:
    """Return how many of the largest needs fit into ``available`` together."""
    return sum(together <= available for together in accumulate(sorted(needs, reverse=True)))


def needed_memory(participants: int) -> int:
    """Return how many bytes of memory a recording of this many participants and its browsers need."""
    return _MEMORY_PER_RECORDING + _MEMORY_PER_PARTICIPANT * participants


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
