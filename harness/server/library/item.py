"""Item is one recording in the library, from its start until it is published or has failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import asyncio

    from harness.recording.recording import Recording
    from harness.server.library.summaries import ReportSummary
    from harness.server.spool.active_recording import ActiveRecording


@dataclass
class Item:
    """One recording in the library.

    ``active`` is set while the recording is in the spool, ``recording`` is set once the recording is published, and
    ``failure`` is set if the recording failed.
    """

    id: str
    name: str
    participant: str
    recorder: str
    active: ActiveRecording | None = None
    recording: Recording | None = None
    failure: str | None = None
    verification: asyncio.Future[ReportSummary] | None = None

    @property
    def summary(self) -> ReportSummary | None:
        """The summary of the report, or None before the recording has been verified."""
        future = self.verification
        if future is None or not future.done() or future.cancelled() or future.exception():
            return None
        return future.result()

    @property
    def state(self) -> Literal["recording", "published", "failed"]:
        """The recording's state, which shows whether the recording is still running or how it ended."""
        if self.recording is not None:
            return "published"
        return "failed" if self.failure else "recording"

    @property
    def result(self) -> Literal["verifying", "passed", "failed", "unverified"] | None:
        """The result of the verification, or None if no verification has been requested."""
        if self.verification is not None and not self.verification.done():
            return "verifying"
        return self.summary.result if self.summary else None

    def as_message(self) -> dict[str, Any]:
        """Return the item in the format that pages expect (``LibraryItem``)."""
        recording = self.recording
        return {
            "id": self.id,
            "name": self.name,
            "participant": self.participant,
            "recorder": self.recorder,
            "state": self.state,
            "reason": self.failure,
            "duration": recording.duration if recording else None,
            "size": recording.size if recording else None,
            "height": recording.height if recording else None,
            "result": self.result,
        }
