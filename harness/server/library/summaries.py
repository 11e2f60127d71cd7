"""Summaries verifies recordings in the background, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.server.spool.downloads import ReportPage


@dataclass(frozen=True)
class ReportSummary:
    """A report's summary: its result, the number of checks, the most important findings, and the report as a page."""

    result: Literal["passed", "failed", "unverified"]
    checks: int
    findings: list[dict[str, Any]]
    page: ReportPage

    def as_message(self) -> dict[str, Any]:
        """Return the summary in the format that pages expect."""
        return {"result": self.result, "checks": self.checks, "findings": self.findings}


class Summaries:
    """Runs ``verify`` on one file at a time, since each run takes CPU time away from recordings in progress."""

    def __init__(self, verify: Callable[[Path], ReportSummary]) -> None:
        self._verify = verify
        self._turn = asyncio.Lock()

    async def summarize(self, path: Path) -> ReportSummary:
        """Verify a file once no other file is being verified; raises the same errors as ``verify``."""
        async with self._turn:
            return await _run_in_daemon_thread(lambda: self._verify(path))


async def _run_in_daemon_thread(work: Callable[[], ReportSummary]) -> ReportSummary:
    """Run a function in a daemon thread, so that it does not prevent the program from exiting."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[ReportSummary] = loop.create_future()

    def call_in_loop(set_answer: Callable[[], None]) -> None:
        # The thread may outlive the server, whose event loop is then closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if answer.done() else set_answer())

    def run() -> None:
        try:
            summary = work()
        except Exception as error:  # noqa: BLE001 - raised again in the caller
            failure = error
            call_in_loop(lambda: answer.set_exception(failure))
        else:
            call_in_loop(lambda: answer.set_result(summary))

    threading.Thread(target=run, name="verify", daemon=True).start()
    return await answer
