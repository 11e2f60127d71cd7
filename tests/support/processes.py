"""Find processes, measure how much memory they use, and wait until they end."""

import contextlib
import threading
import time
from collections.abc import Collection, Iterable
from pathlib import Path

import psutil

from harness import Participant

MB = 1_000_000


def still_running(family: Collection[psutil.Process], *, within: float) -> list[psutil.Process]:
    """Return the processes that are still running after ``within`` seconds; zombies do not count."""
    end = time.monotonic() + within
    while (running := [process for process in family if _runs(process)]) and time.monotonic() < end:
        threading.Event().wait(0.02)
    return running


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def chrome_processes(kind: str, *, besides: Iterable[psutil.Process] = ()) -> list[psutil.Process]:
    """Return the Chrome processes of one kind among this process's descendants, newest last, omitting ``besides``.

    ``kind`` is a part of the command line, such as ``--type=renderer`` or ``network.mojom.NetworkService``. The kind
    "browser" means the main process, which has no type.
    """
    left_out = {process.pid for process in besides}
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            line = " ".join(process.cmdline())
            is_browser = process.name().startswith("chrom") and "--type=" not in line
            if process.pid not in left_out and (is_browser if kind == "browser" else kind in line):
                found.append(process)
    return sorted(found, key=lambda process: process.create_time())


def memory_by_process() -> dict[str, float]:
    """Return how much memory Chrome's processes, Playwright's driver and this process ("Python") use, in MB."""
    me = psutil.Process()
    found = {"Python": me.memory_full_info().pss / MB}
    for process in me.children(recursive=True):
        try:
            kind = next((word for word in reversed(process.cmdline()) if "type=" in word), process.name())
            found[f"{kind.rpartition('=')[2]} {process.pid}"] = process.memory_full_info().pss / MB
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def peak_memory(process: int | str) -> float:
    """Return the peak memory of a process, in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def renderer_of(participant: Participant, *, besides: Iterable[psutil.Process] = ()) -> psutil.Process:
    """Return the renderer process of the participant's page, which is none of the processes ``besides``.

    It is the process that is busiest while the page runs a loop.
    """
    before = {one: one.cpu_times().user for one in chrome_processes("--type=renderer", besides=besides)}
    participant.page.evaluate("() => { const end = performance.now() + 600; while (performance.now() < end); }")
    spent = {one: one.cpu_times().user - was for one, was in before.items() if one.is_running()}
    return max(spent, key=lambda one: spent[one])


def added_niceness(process: psutil.Process) -> int:
    """Return the difference between a process's nice value and this process's own."""
    return int(process.nice()) - int(psutil.Process().nice())
