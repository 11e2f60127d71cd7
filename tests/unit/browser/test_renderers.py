"""The renderer process of a page is found by the processor time that the page reports."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from harness.browser.renderers import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Uses the processor for a while, and then sleeps. Chrome's renderers have the same argument.
_WORK = "import sys, time\nwhile time.process_time() < float(sys.argv[1]): pass\ntime.sleep(60)"


@pytest.fixture(scope="module")
def renderers() -> Iterator[list[psutil.Process]]:
    """Run three processes that have used different amounts of processor time, and two that have used the same."""
    amounts = (0.2, 0.3, 0.4, 0.6, 0.6)
    processes = [subprocess.Popen([sys.executable, "-c", _WORK, str(amount), "--type=renderer"]) for amount in amounts]
    try:
        found = [psutil.Process(process.pid) for process in processes]
        deadline = time.monotonic() + 30
        while any(_used(one) < amount - 0.02 for one, amount in zip(found, amounts, strict=True)):
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
        yield found
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_page_is_found_by_its_processor_time(renderers: list[psutil.Process]) -> None:
    """Each page that reports the processor time of one process belongs to that process."""
    assert [one.pid for one in renderers[:3]] == find([clock_of(one) for one in renderers[:3]])


def test_page_without_processor_time_is_not_found(renderers: list[psutil.Process]) -> None:
    """A page that has crashed, or that reports a processor time of no process, belongs to no process."""
    assert [None, None] == find([lambda: None, lambda: _used(renderers[0]) + 60])


def test_pages_with_the_same_processor_time_are_not_confused(renderers: list[psutil.Process]) -> None:
    """If two processes have used the same time, neither is returned, and the other pages are still found."""
    *_, third, fourth, fifth = renderers

    assert [None, None, third.pid] == find([clock_of(fourth), clock_of(fifth), clock_of(third)])


def clock_of(process: psutil.Process) -> Callable[[], float]:
    """Return a function that reads a process's processor time, as Chrome reads its own."""
    return lambda: _used(process)


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
