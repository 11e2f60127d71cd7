"""Define a room's participant, with NERTC's four recording calls."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.errors import InvalidStateError, PageError, RecordingError, one_of, page_error, recording_error
from harness.recording.config import RecordConfig
from harness.session.media_controls import MediaControls
from harness.session.recording_events import RecordingEvents
from harness.session.recording_files import RecordingFiles
from harness.session.teardown import run_every_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from harness.browser.pages.driven_page import ConsoleLine, DrivenPage
    from harness.recording.config import Recorder
    from harness.recording.recording import Recording
    from harness.session.context import RoomContext

RECORDERS: Final = ("local", "all")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordingStatus:
    """The state of a participant's current recording."""

    state: Literal["none", "new", "recording", "paused", "stopped", "failed", "cleaned"]
    """State of the recording. ``"none"`` means that there has been no recording yet, ``"new"`` that a recording is
    starting, ``"failed"`` that it failed while it was running, and ``"cleaned"`` that ``clean_media_recording`` was
    called."""
    id: str | None
    """Identifier of the recording; None if there is no recording."""
    elapsed: float
    """Recorded time in seconds, without pauses."""
    bytes: int
    """Number of bytes that MediaRecorder has returned so far."""
    bytes_acknowledged: int
    """Number of bytes that the spool has stored and acknowledged."""
    alarm: str | None
    """Message of the latest alarm, for example about a stalled connection; None if there was no alarm."""


class Participant(MediaControls):
    """A participant in a room or call, with NERTC's recording calls.

    ``Room.join``, ``Room.attach`` and ``Room.enter`` create participants.
    """

    name: str
    """Name of the participant. The room may change the requested name, for example if it is already in use."""
    state: Literal["joining", "joined", "left", "closed"]
    """State of the participant. ``"closed"`` means that the participant's page is closed."""

    def __init__(
        self,
        name: str,
        page: DrivenPage,
        context: RoomContext,
        *,
        before_recording: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.state = "joining"
        self._page = page
        self._context = context
        self._before_recording = before_recording
        # The participant's id in the room; an empty string if the participant is not in the room.
        self._member = ""
        self._started = 0.0
        self._files = RecordingFiles(page, context)
        self._events = RecordingEvents(self._owns, page.log)
        page.on_event = self._on_page_event

    @property
    def page(self) -> Page:
        """The participant's Playwright page, for actions that this class has no method for."""
        return self._page.page

    @property
    def recordings(self) -> list[Recording]:
        """All recordings that were downloaded (including automatically) or saved when the page closed, oldest first."""
        return self._files.recordings

    @property
    def console(self) -> list[ConsoleLine]:
        """The latest lines of the page's console, at most 2000, in chronological order."""
        return list(self._page.console)

    @property
    def alive(self) -> bool:
        """Whether the page is open and has not crashed."""
        return self._page.alive

    @property
    def elapsed(self) -> float:
        """Time since the latest recording started, in seconds, including pauses.

        ``get_media_recording().elapsed`` is the recorded time without pauses.
        """
        return time.monotonic() - self._started

    @property
    def others(self) -> list[str]:
        """Names of the other participants in the call, according to this participant's page.

        Participants whose name is unknown are called ``unidentified 1``, ``unidentified 2`` and so on.
        """
        return [str(name) for name in self._call("getParticipants")]

    def start_media_recording(self, *, recorder: Recorder = "all", record_config: RecordConfig | None = None) -> None:
        """Start a recording (NERTC ``startMediaRecording``), and return when the first data of every track is stored.

        If this participant is already recording, the old recording continues until the new one has started. The old
        recording is then stopped and downloaded automatically.

        Args:
            recorder: Participants to record: everybody in the room (``"all"``), or only this participant (``"local"``).
            record_config: Options of the recording. The default is the room's ``record_config``, or ``RecordConfig()``
                if the room has none.

        Raises:
            ConfigError: ``recorder`` is not valid. No recording was started.
            InvalidStateError: The participant is not in a room.
            NotSupportedError: The browser can't record in the requested format.
        """
        one_of("recorder", recorder, RECORDERS)
        config = record_config or self._context.record_config or RecordConfig()
        self._before_recording()
        asked_at = time.monotonic()
        answer = self._call("startMediaRecording", {"recorder": recorder, "recordConfig": config.for_page()})
        self._started = time.monotonic() - answer["elapsed"] / 1000
        self._files.collect_replaced(answer, asked_at)

    def stop_media_recording(self) -> None:
        """Stop the recording (NERTC ``stopMediaRecording``), and return when the file is complete.

        Raises:
            InvalidStateError: No recording is in progress.
        """
        self._files.store_stop_duration(self._call("stopMediaRecording"))

    def download_media_recording(self) -> Recording:
        """Download the recording through the browser (NERTC ``downloadMediaRecording``), and return the recording.

        A recording in progress is stopped before the download. Until ``clean_media_recording`` is called, a recording
        can be downloaded several times. A download never overwrites an existing file.

        If the browser does not begin the download within 5 s or does not finish it, the file is taken from the spool.
        In this case, a warning and ``Recording.download_failure`` contain the reason.

        Raises:
            InvalidStateError: There is no recording.
            DiskFullError: The disk is full.
        """
        return self._files.download(lambda: self._call("downloadMediaRecording"))

    def clean_media_recording(self) -> None:
        """Delete the recording in the page and the spool, and keep downloaded files (NERTC ``cleanMediaRecording``)."""
        self._call("cleanMediaRecording")

    def pause_media_recording(self) -> None:
        """Pause the recording until ``resume_media_recording`` is called; the file does not contain the pause.

        Raises:
            InvalidStateError: No recording is in progress, or it is already paused.
        """
        self._call("pauseMediaRecording")

    def resume_media_recording(self) -> None:
        """Continue the recording after a pause.

        Raises:
            InvalidStateError: No recording is paused.
        """
        self._call("resumeMediaRecording")

    def get_media_recording(self) -> RecordingStatus:
        """Return the state of the current recording."""
        status = self._call("getMediaRecording")
        return RecordingStatus(
            state=status["state"],
            id=status["id"],
            elapsed=status["elapsed"] / 1000,
            bytes=status["bytes"],
            bytes_acknowledged=status["bytesAcknowledged"],
            alarm=status["alarm"],
        )

    def on(self, event: str, handler: Callable[[dict[str, Any]], None]) -> None:
        """Call ``handler`` whenever ``event`` occurs in one of this participant's recordings.

        The handler is called while Python waits, for example in ``wait`` or in a call to a page.

        Args:
            event: Name of the event: ``"recording-started"``, ``"recording-paused"``, ``"recording-resumed"``,
                ``"recording-stopped"``, ``"recording-downloaded"``, ``"recording-cleaned"``, ``"recording-stalled"``
                or ``"recording-failed"``.
            handler: Function whose argument is a dict with the recording's ``id`` and further details, for example the
                ``message`` of a stall.

        Raises:
            ConfigError: There is no event with this name.
        """
        self._events.on(event, handler)

    def emulate_network(self, *, loss_percent: float = 0.0, latency_ms: float = 0.0, kbps: float | None = None) -> None:
        """Emulate a poor network for WebRTC in both directions; a call without arguments stops the emulation.

        The emulation does not affect signaling or the connection over which the recorded data is sent to the server.
        Requires ``emulate_network`` in ``Room.join_all``, ``Room.enter`` or ``attach``.

        Args:
            loss_percent: Percentage of packets to drop.
            latency_ms: Additional delay in milliseconds.
            kbps: Maximum throughput in kilobits per second. By default the throughput is not limited.

        Raises:
            ConfigError: The participant joined without network emulation.
        """
        self._page.emulate_network(loss_percent=loss_percent, latency_ms=latency_ms, kbps=kbps)

    def crash(self) -> None:
        """Crash the page, as if the tab had run out of memory.

        If a recording is in progress, the next wait raises RecordingError, whose ``recording`` is the part that was
        saved.
        """
        self._page.crash()

    def wait(self, seconds: float) -> None:
        """Wait for the given time, and handle the page's events meanwhile.

        Args:
            seconds: Time to wait.
        """
        self._page.wait(seconds)

    def leave(self) -> None:
        """Leave the room. Leaving ends a recording in progress, but its file can still be downloaded or deleted."""
        if self.state == "joined":
            self._call("leave")
            self.state = "left"

    def close(self) -> None:
        """Leave the room, save recordings that were not downloaded, and close the page.

        ``close`` can be called more than once. If leaving, closing the page or saving fails, the other actions are
        still carried out, and the first error is raised at the end.
        """
        if self.state == "closed":
            return
        run_every_step((self._leave_if_alive, self._page.close, self._expel, self._detach, self._save_rest))

    def _begin_join(self, options: dict[str, Any]) -> Callable[[], None]:
        """Start joining, and return a function that waits until every subscriber receives the participant's media."""
        finish = self._page.begin("join", options)

        def finish_join() -> None:
            joined = finish()
            self.name = joined["name"]
            self._member = joined["id"]
            self.state = "joined"

        return finish_join

    def _leave_if_alive(self) -> None:
        try:
            if self._page.alive:
                self.leave()
        finally:
            self.state = "closed"

    def _detach(self) -> None:
        self._context.server.detach(self._context.room, self.name)

    def _expel(self) -> None:
        """Remove the participant from the room, in case the participant's page could not leave the room."""
        if self._member:
            self._context.server.expel(self._context.room, self._member)
            self._member = ""

    def _save_rest(self) -> None:
        for recording in self._files.save_rest(self.name):
            _log.warning("%s was never downloaded; the file is kept.", recording.path)

    def _on_page_event(self, *reported: object) -> None:
        self._events.receive(self.name, *reported)

    def _owns(self, recording: str) -> bool:
        return self._context.server.has_recording(recording, room=self._context.room, participant=self.name)

    def _call(self, name: str, argument: object = None) -> Any:
        """Call a page function; if the recording failed or the page crashed, the error contains the saved recording."""
        try:
            return self._page.call(name, argument)
        except RecordingError as error:
            # This error already reports the failure, so the next wait must not report it again.
            self._events.pop_failure()
            error.recording = self._save() or self._files.last_saved
            raise
        except PageError as error:
            if not self._page.alive:
                self._raise_saved(str(error), error)
            if self._started and _knows_no_recording(self._page, error):
                self._raise_saved(f"{self.name}'s page navigated to another document while it was recording.", error)
            raise

    def _raise_if_lost(self) -> None:
        """If the recording or the page failed, raise RecordingError with the saved part, once for each failure."""
        if self.state == "closed":
            return
        if self._page.crashed:
            self._expel()
            self._raise_saved(f"{self.name}'s page crashed.", None)
        if failure := self._events.pop_failure():
            error = page_error(
                message=str(failure.get("message")),
                code=failure.get("code"),
                name=str(failure.get("name")),
                page_log=list(self._page.log),
            )
            if isinstance(error, RecordingError):
                error.recording = self._save()
            raise error

    def _raise_saved(self, message: str, cause: PageError | None) -> None:
        """Raise RecordingError with the saved recording; do nothing if nothing was saved."""
        saved = self._save()
        if saved is None:
            return
        text = f"{message} The recording so far was saved as {saved.path}."
        broken = recording_error(text, page_log=list(self._page.log))
        broken.recording = saved
        raise broken from cause

    def _save(self) -> Recording | None:
        """Save all recordings that were not downloaded, and return the last one, or None if there are none."""
        saved = self._files.save_rest(self.name)
        return saved[-1] if saved else None


def _knows_no_recording(page: DrivenPage, error: PageError) -> bool:
    """Return whether a call failed because the page has made no recording since its document was loaded."""
    return isinstance(error, InvalidStateError) and page.call("getMediaRecording")["state"] == "none"
