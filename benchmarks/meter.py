"""Measure the CPU time and memory of this process and its children, and the CPU time of every other program."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.browser.budget import busy, family
from tests.support.processes import memory_by_process

if TYPE_CHECKING:
    from harness import Room


@dataclass(frozen=True)
class Cost:
    """CPU and memory usage.

    ``cores`` is the CPU time per second of this process and its children, ``foreign`` is the CPU time per second of all
    other programs, and ``memory`` is the PSS of this process and its children in MB.
    """

    seconds: float
    cores: float
    foreign: float
    memory: float


class Meter:
    """Measures the CPU and memory usage of Python, Playwright's driver and Chrome since the meter was created."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ours = _family()
        self._all = busy()

    def read(self) -> Cost:
        """Return the CPU and memory usage since the meter was created."""
        seconds = time.monotonic() - self._began
        now = _family()
        ours = sum(spent - self._ours.get(process, 0.0) for process, spent in now.items())
        whole = busy() - self._all
        return Cost(
            seconds=seconds,
            cores=ours / seconds,
            foreign=max(0.0, whole - ours) / seconds,
            memory=sum(memory_by_process().values()),
        )


def measure(room: Room, seconds: float, *, settled_after: float) -> Cost:
    """Measure everything that runs in ``seconds`` seconds, after a pause in which the last change settles."""
    room.wait(seconds=settled_after)
    meter = Meter()
    room.wait(seconds=seconds)
    return meter.read()


def _family() -> dict[int, float]:
    """Return the CPU seconds that each process has used, by PID."""
    return {number: times.user + times.system for number, times in family()}
