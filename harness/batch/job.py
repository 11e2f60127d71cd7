"""Define a batch's jobs. Each job runs a scenario, or finishes a scenario's recordings after a worker crash."""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError, RecordingError
from harness.recording.files.names import MANIFEST_SUFFIX
from harness.recording.manifest import Manifest
from harness.recording.spool.folder import FOLDER, Folder
from harness.recording.spool.recover import recover
from harness.scenario import Outcome, play
from harness.session.venue import Venue
from harness.verification.verify import verify_safely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.recording.recording import Recording
    from harness.scenario import Progress, Scenario

# Interval for checking whether another process has finished a recording, in seconds.
_POLL_INTERVAL: Final = 0.1
# How long another process may take to finish a crashed worker's recordings, in seconds.
_RECOVERED_WITHIN: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class ScenarioJob:
    """One scenario to run, and the folder for its recordings.

    ``number`` is the job's position in the batch, counted from 0. ``room`` is the job's unique room name, which is used
    to find the manifests of the job's recordings.
    """

    number: int
    scenario: Scenario
    recordings: Path
    venue: Venue = field(default_factory=Venue)
    room: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def play(
        self, recordings: Path, *, on_progress: Callable[[Progress], None], interrupted: Callable[[], bool]
    ) -> Outcome:
        """Run the scenario in this process, and store its recordings in ``recordings``."""
        return play(
            self.scenario,
            recordings=recordings,
            # Each job starts with the next remote browser, so that the batch's rooms are spread evenly.
            venue=self.venue.starting_at(self.number),
            room=self.room,
            on_progress=on_progress,
            interrupted=interrupted,
        )


@dataclass(frozen=True)
class RescueJob:
    """A job that finishes a scenario's recordings after its worker crashed.

    ``reason`` is the error to report, and ``seconds`` is how long the scenario ran before the crash.
    """

    scenario_job: ScenarioJob
    reason: str
    seconds: float

    def rescue(self) -> Outcome:
        """Recover the recordings made in the scenario's room, and return a failed outcome that contains them."""
        job = self.scenario_job
        problems = _recover(job.recordings, job.room)
        found = _recordings_of(job.recordings, job.room)
        return Outcome(
            title=Outcome.failed(job.scenario, "").title,
            recordings=tuple(found),
            reports=tuple(verify_safely(recording, profile=job.scenario.limits_of(None)) for recording in found),
            error=" ".join((self.reason, *problems)),
            seconds=round(self.seconds, 1),
        )


Job = ScenarioJob | RescueJob


def scenario_job_of(job: Job) -> ScenarioJob:
    """Return a ``RescueJob``'s original job; return any other job unchanged."""
    return job.scenario_job if isinstance(job, RescueJob) else job


def _recover(recordings: Path, room: str) -> list[str]:
    """Finish a room's recordings after its worker has ended; return a message for each one that can't be finished."""
    end = time.monotonic() + _RECOVERED_WITHIN
    while True:
        lost = {one.folder: one.message for one in recover(recordings) if one.recording is None}
        spooled = list(_spool_folders(recordings, room))
        # Another scenario's server may have found a recording first, and may still be finishing it.
        if set(spooled) <= set(lost) or time.monotonic() > end:
            return [lost.get(path, f"Another process is still finishing the recording in {path}.") for path in spooled]
        threading.Event().wait(_POLL_INTERVAL)


def _spool_folders(recordings: Path, room: str) -> Iterator[Path]:
    """Yield the spool folders that contain a room's recordings."""
    for path in sorted((recordings / FOLDER).glob("*")):
        # Another process may remove a folder at the same time.
        with contextlib.suppress(RecordingError):
            if Folder(path).read_facts().room == room:
                yield path


def _recordings_of(recordings: Path, room: str) -> list[Recording]:
    """Return a room's finished recordings, oldest first."""
    found = []
    for path in recordings.glob(f"*{MANIFEST_SUFFIX}"):
        # The folder may contain files from other programs.
        with contextlib.suppress(ConfigError):
            manifest = Manifest.read(path)
            if manifest.room == room and manifest.recording.path.is_file():
                found.append(manifest)
    # All these recordings use the same room's clock, which does not change if the machine's clock is changed.
    found.sort(key=lambda one: (math.inf if one.zero_ms is None else one.zero_ms, one.recording.started_at))
    return [one.recording for one in found]
