"""Participant: somebody in the room, with NERTC's four recording calls."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from harness.errors import PageError, RecordingError, one_of, page_error, recording_error
from harness.recording.config import RecordConfig
from harness.recording.files.disk import file_failure
from harness.recording.spool.folder import FOLDER_MODE
from harness.recording.spool.publish import publish
from harness.session.teardown import take_every_step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Download, Page

    from harness.browser.pages.driven_page import ConsoleLine, DrivenPage
    from harness.recording.config import Recorder
    from harness.recording.recording import Recording
    from harness.server.room_server import RoomServer

Device = Literal["audio", "video"]
RECORDERS: Final = ("local", "all")

EVENTS: Final = tuple(
    f"recording-{what}"
    for what in ("started", "paused", "resumed", "stopped", "downloaded", "cleaned", "stalled", "failed")
)

# So many characters of an event that is none are noted.
_KEPT_OF_MADE_UP: Final = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordingStatus:
    """How a recording is: ``elapsed`` in recorded seconds, pauses cut out; ``alarm`` says what last stalled."""

    state: Literal["none", "new", "recording", "paused", "stopped", "failed", "cleaned"]
    id: str | None
    elapsed: float
    bytes: int
    bytes_acknowledged: int
    alarm: str | None


class Participant:
    """Somebody in the room.

    ``recordings`` holds every recording that was downloaded, also those that the page downloaded by itself.
    Rooms make participants; nobody else does.
    """

    def __init__(
        self,
        name: str,
        *,
        room: str,
        page: DrivenPage,
        server: RoomServer,
        recordings: Path,
        record_config: RecordConfig | None,
        before_recording: Callable[[], None],
    ) -> None:
        self.name = name
        self.recordings: list[Recording] = []
        self.state: Literal["joining", "joined", "left", "closed"] = "joining"
        self._room = room
        # Ours in the room while we are in it.
        self._member = ""
        self._page = page
        page.on_event = self.heard
        # The recordings of which an event was heard, by id.
        self._takes: set[str] = set()
        self._handlers: defaultdict[str, list[Callable[[dict[str, Any]], None]]] = defaultdict(list)
        self._server = server
        self._folder = recordings
        self._record_config = record_config
        self._before_recording = before_recording
        self._stop_to_file: dict[str, float] = {}
        self._started = 0.0
        # What the page told of a recording that broke by itself, until somebody is told; and what was saved then.
        self._broken: dict[str, Any] | None = None
        self._saved: Recording | None = None

    @property
    def page(self) -> Page:
        """The Playwright page, for whatever else a test wants of it."""
        return self._page.page

    @property
    def console(self) -> list[ConsoleLine]:
        """What the page's console said, the oldest first; of very much, the last lines."""
        return list(self._page.console)

    @property
    def elapsed(self) -> float:
        """Seconds recorded so far in the recording that was started last."""
        return time.monotonic() - self._started

    @property
    def others(self) -> list[str]:
        """Names of the others in the call, as this participant's page sees it; who can't be made out is a guest."""
        return [str(name) for name in self._call("getParticipants")]

    def begin_join(self, options: dict[str, Any]) -> Callable[[], None]:
        """Start to join; what is returned waits until every subscriber has this participant's picture and sound."""
        finish = self._page.begin("join", options)

        def done() -> None:
            joined = finish()
            self.name = joined["name"]
            self._member = joined["id"]
            self.state = "joined"

        return done

    def start_media_recording(self, *, recorder: Recorder = "all", record_config: RecordConfig | None = None) -> None:
        """Start to record (NERTC ``startMediaRecording``); returns when the first bytes of every track are safe.

        ``recorder`` "all" records everybody in the room, "local" this participant alone. While another recording
        runs, the new one starts first; then the old one stops and is downloaded by itself.

        Raises ConfigError before anything starts, InvalidStateError outside a room, NotSupportedError where the
        browser can't record that.
        """
        one_of("recorder", recorder, RECORDERS)
        config = record_config or self._record_config or RecordConfig()
        self._before_recording()
        answer = self._call("startMediaRecording", {"recorder": recorder, "recordConfig": config.for_page()})
        self._started = time.monotonic() - answer["elapsed"] / 1000
        for finished in answer["downloaded"]:
            self._keep(finished)
            self._collect(self._page.next_download(), time.monotonic())

    def stop_media_recording(self) -> None:
        """Stop (NERTC ``stopMediaRecording``); returns when the file is complete under its name.

        Raises InvalidStateError when nothing is being recorded.
        """
        self._keep(self._call("stopMediaRecording"))

    def download_media_recording(self) -> Recording:
        """Download the recording through the browser (NERTC ``downloadMediaRecording``) and return it.

        While recording, stops first. May be repeated until ``clean_media_recording``; nothing is overwritten.

        Raises InvalidStateError when nothing was recorded.
        """
        began = time.monotonic()
        self._keep(self._call("downloadMediaRecording"))
        return self._collect(self._page.next_download(), began)

    def pause_media_recording(self) -> None:
        """Pause; what happens until ``resume_media_recording`` is cut out of the file.

        Raises InvalidStateError when nothing is being recorded, or it is paused already.
        """
        self._call("pauseMediaRecording")

    def resume_media_recording(self) -> None:
        """Go on after a pause; raises InvalidStateError when no recording is paused."""
        self._call("resumeMediaRecording")

    def get_media_recording(self) -> RecordingStatus:
        """Return how the recording is."""
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
        """Call ``handler`` with the detail of each ``event``, while Python waits for pages.

        Events: ``recording-started``, ``-paused``, ``-resumed``, ``-stopped``, ``-downloaded``, ``-cleaned``,
        ``-stalled``, ``-failed``. Raises ConfigError for another name.
        """
        one_of("event", event, EVENTS)
        self._handlers[event].append(handler)

    def mute(self) -> None:
        """Turn the microphone off; the recording goes on in silence."""
        self._call("setMicrophone", False)  # noqa: FBT003 - the page's argument

    def unmute(self) -> None:
        """Turn the microphone on again."""
        self._call("setMicrophone", True)  # noqa: FBT003 - the page's argument

    def turn_camera_off(self) -> None:
        """Turn the camera off; a card with the name stands in its place."""
        self._call("setCamera", False)  # noqa: FBT003 - the page's argument

    def turn_camera_on(self) -> None:
        """Turn the camera on again."""
        self._call("setCamera", True)  # noqa: FBT003 - the page's argument

    def share_screen(self) -> None:
        """Show the screen in the camera's place."""
        self._call("shareScreen", True)  # noqa: FBT003 - the page's argument

    def stop_sharing_screen(self) -> None:
        """Show the camera again."""
        self._call("shareScreen", False)  # noqa: FBT003 - the page's argument

    def replace_device(self, kind: Device) -> None:
        """Take another microphone ("audio") or camera ("video"); it is on."""
        one_of("kind", kind, get_args(Device))
        self._call("replaceDevice", kind)

    def unplug_device(self, kind: Device) -> None:
        """End the microphone ("audio") or camera ("video") as if it were pulled out."""
        one_of("kind", kind, get_args(Device))
        self._call("unplugDevice", kind)

    def raise_voice(self) -> None:
        """Speak at twice the loudness; a camera's microphone can't be told to."""
        self._call("setSpeaking", True)  # noqa: FBT003 - the page's argument

    def lower_voice(self) -> None:
        """Speak as loud as before."""
        self._call("setSpeaking", False)  # noqa: FBT003 - the page's argument

    def shape_network(self, *, loss_percent: float = 0.0, latency_ms: float = 0.0, kbps: float | None = None) -> None:
        """Make the network of the calls worse, each way; without arguments it is as good as it is.

        Signalling and the recording's own connection are not touched. Raises ConfigError where the participant did not
        join among ``join_all(..., shaped=...)``.
        """
        self._page.shape_network(loss_percent=loss_percent, latency_ms=latency_ms, kbps=kbps)

    def crash(self) -> None:
        """Let the page die, as a tab does that runs out of memory; who waits is told, and given what was saved."""
        self._page.crash()

    def clean_media_recording(self) -> None:
        """Free the page's and the spool's copy (NERTC ``cleanMediaRecording``); what was downloaded stays."""
        self._call("cleanMediaRecording")

    def leave(self) -> None:
        """Leave the room; a recording ends, and can still be downloaded and cleaned."""
        if self.state == "joined":
            self._call("leave")
            self.state = "left"

    def close(self) -> None:
        """Leave, keep what was recorded and not downloaded, and close the page; twice is fine.

        Each is done, whatever the others raise; the first error is raised afterwards.
        """
        if self.state == "closed":
            return
        take_every_step((self._leave_alive, self._page.close, self._expel, self._detach, self._keep_rest))

    def _leave_alive(self) -> None:
        try:
            if self._page.alive:
                self.leave()
        finally:
            self.state = "closed"

    def _detach(self) -> None:
        self._server.detach(self._room, self.name)

    def _keep_rest(self) -> None:
        kept = self._server.keep(self._folder, room=self._room, participant=self.name)
        self.recordings.extend(kept)
        for recording in kept:
            _log.warning("%s was never downloaded; it is kept.", recording.path)

    def wait(self, seconds: float) -> None:
        """Let time pass while the page's events are heard."""
        self._page.wait(seconds)

    @property
    def alive(self) -> bool:
        """Whether the page can still be called."""
        return self._page.alive

    def heard(self, *told: object) -> None:
        """Tell everybody who listens that something happened to the recording; a stall is warned of in any case.

        What some other script of the page makes up is no event, and noted in the page's log.
        """
        match told:
            case (str(event), dict(detail)) if event in EVENTS and self._is_mine(detail.get("id")):
                self._hear(event, detail)
            case _:
                self._page.log.append(f"no event of a recording: {str(told)[:_KEPT_OF_MADE_UP]}")

    def _is_mine(self, take: object) -> bool:
        if not isinstance(take, str):
            return False
        if take not in self._takes and self._server.has_take(take, room=self._room, participant=self.name):
            self._takes.add(take)
        # The server has forgotten what was cleaned.
        return take in self._takes

    def _hear(self, event: str, detail: dict[str, Any]) -> None:
        if event == "recording-stalled":
            _log.warning("%s: %s", self.name, detail.get("message"))
        elif event == "recording-failed":
            self._broken = detail
        for handler in self._handlers[event]:
            handler(detail)

    def _call(self, name: str, argument: object = None) -> Any:
        """Make a call; what was saved of a recording that broke, or whose page is gone, comes along with the error."""
        try:
            return self._page.call(name, argument)
        except PageError as error:
            if not isinstance(error, RecordingError) and self._page.alive:
                raise
            if isinstance(error, RecordingError):
                # Who is told here is not told again while waiting.
                self._broken = None
                error.recording = self._save() or self._saved
                raise
            self._raise_saved(str(error), error)
            raise

    def raise_if_lost(self) -> None:
        """Raise RecordingError, with what was saved, when the recording broke or its page died; once."""
        if self.state == "closed":
            return
        if self._page.crashed:
            self._expel()
            self._raise_saved(f"{self.name}'s page crashed.", None)
        if self._broken:
            detail, self._broken = self._broken, None
            message, name, code = str(detail.get("message")), str(detail.get("name")), detail.get("code")
            error = page_error(message=message, code=code, name=name, page_log=list(self._page.log))
            if isinstance(error, RecordingError):
                error.recording = self._save()
            raise error

    def _expel(self) -> None:
        """Leave the room in the place of the page, which is gone."""
        if self._member:
            self._server.expel(self._room, self._member)
            self._member = ""

    def _raise_saved(self, message: str, cause: PageError | None) -> None:
        saved = self._save()
        if saved is None:
            return
        text = f"{message} What was recorded until then is {saved.path}."
        broken = recording_error(text, page_log=list(self._page.log))
        broken.recording = saved
        raise broken from cause

    def _save(self) -> Recording | None:
        """Take over what the spool holds of this participant and nobody downloaded; return the last of it."""
        kept = self._server.keep(self._folder, room=self._room, participant=self.name)
        self.recordings.extend(kept)
        if kept:
            self._saved = kept[-1]
        return kept[-1] if kept else None

    def _keep(self, finished: dict[str, Any]) -> None:
        self._stop_to_file.setdefault(finished["id"], round(finished["stopToFileMs"], 1))

    def _collect(self, download: Download, began: float) -> Recording:
        """Save a download under its final name, beside its manifest."""
        take = self._server.take_at(download.url)
        if take is None:
            message = f"The download {download.suggested_filename} is no recording of this room's server."
            raise recording_error(message)
        manifest = take.end()
        # Chrome fact 20: saving overwrites silently, so the final name is not given here.
        partial = take.folder.downloaded
        try:
            # A page that cleans without waiting has freed the folder by now; the browser still has the file.
            partial.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
            self._page.save(download, str(partial))
            recording = publish(
                manifest,
                partial,
                self._folder,
                stop_to_file_ms=self._stop_to_file.get(take.id),
                download_ms=round((time.monotonic() - began) * 1000, 1),
            )
        except OSError as error:
            what = f"{take.name} can't be saved in {self._folder}"
            raise file_failure(what, error) from error
        take.mark_kept()
        if take.state == "cleaned":
            take.clean()
        self.recordings.append(recording)
        return recording
