"""Report which of the machine's resources this process can use, and how much CPU time it was denied."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Final

import psutil

from harness.recording.control_groups import ControlGroups

# Assumed, not measured: if a quota throttles the browser for this share of a recording, frames are late. On most
# virtual machines, the hypervisor takes a small share of the CPU time, which does not affect recordings.
_NOTICEABLE_THROTTLING: Final = 0.01
_NOTICEABLE_STEAL: Final = 0.02


def processors(groups: ControlGroups | None = None) -> float:
    """Return how many processors this process can use, according to its affinity and its control groups' quotas.

    The number can be a fraction, for example 0.5 in a container that was started with ``docker run --cpus 0.5``.
    ``groups`` are the control groups to use instead of this process's own groups.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:
        allowed = all_processors()
    quota = (groups or ControlGroups()).processors()
    return float(allowed) if quota is None else min(float(allowed), quota)


def all_processors() -> int:
    """Return how many processors the machine has."""
    return os.cpu_count() or 1


def shown_processors(number: float) -> str:
    """Format a number of processors, for example ``2`` or ``0.5``."""
    return f"{round(number, 2):g}"


def memory_total(groups: ControlGroups | None = None) -> int:
    """Return how many bytes of memory this process could use if no other program used any.

    ``groups`` are the control groups to use instead of this process's own groups.
    """
    total: int = psutil.virtual_memory().total
    limit = (groups or ControlGroups()).memory_limit()
    return total if limit is None else min(total, limit)


def memory_free(groups: ControlGroups | None = None) -> int:
    """Return how many bytes of memory this process can still use, on the machine and in its control groups.

    ``groups`` are the control groups to use instead of this process's own groups.
    """
    available: int = psutil.virtual_memory().available
    free = (groups or ControlGroups()).memory_free()
    return available if free is None else min(available, free)


@dataclass(frozen=True)
class LostCpu:
    """CPU time that this process and its children were denied within ``seconds`` seconds of wall-clock time.

    ``throttled`` is how long quotas of control groups kept processes waiting, and ``stolen`` is how much CPU time the
    hypervisor gave to other virtual machines. Both are in seconds, summed over all processors; None means unknown.
    """

    seconds: float
    throttled: float | None
    stolen: float | None

    def warning(self) -> str | None:
        """Return a warning if frames may be missing because of the lost CPU time, and None otherwise."""
        if (self.throttled or 0.0) > _NOTICEABLE_THROTTLING * self.seconds:
            return (
                "the CPU limit of this container or control group throttled the recording's programs for a total of "
                f"{self.throttled:.1f} s. Frames may be lost. Raise the limit, record fewer participants, or use a "
                "lower quality."
            )
        if (self.stolen or 0.0) > _NOTICEABLE_STEAL * self.seconds * all_processors():
            return (
                f"the hypervisor gave {self.stolen:.1f} s of this machine's CPU time to other virtual machines. Frames "
                "may be lost. Use a machine with dedicated processors, record fewer participants, or use a lower "
                "quality."
            )
        return None


class LostCpuTime:
    """Measures how much CPU time this process and its children have been denied since the object was created.

    ``groups`` are the control groups to use instead of this process's own groups.
    """

    def __init__(self, groups: ControlGroups | None = None) -> None:
        self._groups = groups or ControlGroups()
        self._began = time.monotonic()
        self._throttled = self._groups.throttled_seconds()
        self._stolen = _stolen_seconds()

    def so_far(self) -> LostCpu:
        """Return the CPU time that was lost until now."""
        return LostCpu(
            seconds=time.monotonic() - self._began,
            throttled=_growth(self._throttled, self._groups.throttled_seconds()),
            stolen=_growth(self._stolen, _stolen_seconds()),
        )


def _stolen_seconds() -> float | None:
    """Return how much CPU time the hypervisor has given to other virtual machines, in seconds; None if unknown."""
    stolen: float | None = getattr(psutil.cpu_times(), "steal", None)
    return stolen


def _growth(before: float | None, after: float | None) -> float | None:
    """Return the growth of a counter; None if unknown, and 0 if the counter went backwards, as on some kernels."""
    return None if before is None or after is None else round(max(0.0, after - before), 3)
