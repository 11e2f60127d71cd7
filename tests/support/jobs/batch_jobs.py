"""Batch jobs that need no browser; each job defines how its worker process ends."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.batch.job import ScenarioJob
from harness.errors import SetupError
from harness.scenario import Outcome, Progress
from harness.server.spool.spool import Spool
from tests.support.recordings.long_recording import EndlessRecording, begin_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Fate = Literal["ends", "dies", "lacks", "breaks"]
NO_CHROME = "There is no Chrome here."


@dataclass(frozen=True, kw_only=True)
class FakeJob(ScenarioJob):
    """A job that ends as specified by ``fate``; if ``records`` is true, the job makes a recording first."""

    fate: Fate = "ends"
    records: bool = False

    def play(
        self, recordings: Path, *, on_progress: Callable[[Progress], None], interrupted: Callable[[], bool]
    ) -> Outcome:
        """Record if ``records`` is true, then end as specified by ``fate``."""
        del interrupted
        on_progress(Progress(1, 1, self.fate))
        if self.records:
            self._record(recordings)
        if self.fate == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fate == "lacks":
            raise SetupError(NO_CHROME)
        if self.fate == "breaks":
            message = "an unexpected error"
            raise ValueError(message)
        return Outcome(
            title=self.scenario.title or "", recordings=(), reports=(), error=None, seconds=0.0, interrupted=False
        )

    def _record(self, recordings: Path) -> None:
        """Record two seconds into the spool, without finishing the recording."""
        recordings.mkdir(exist_ok=True)
        footage = EndlessRecording(recordings, rate=15)
        (recordings / "clip.webm").unlink()
        active = begin_recording(Spool(recordings, {}), footage, f"job {self.number}")
        for number, one in enumerate(footage.slices(2)):
            active.add_chunk(number, active.size, memoryview(one.data))
            active.add_ticks(one.first, one.written)
