"""Participant: somebody in the room, with NERTC's four recording calls."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.errors import RecordingError, one_of
from harness.recording.config import RecordConfig
from harness.recording.publish import publish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Download, Page

    from harness.browser.room_page import RoomPage
    from harness.recording.config import Recorder
    from harness.recording.recording import Recording
    from harness.server.room_server import RoomServer

Media = Literal["synthetic", "camera"]
RECORDERS: Final = ("local", "all")

_log = logging.getLogger(__name__)


class Participant:
    """Somebody in the room.

    ``recordings`` holds every recording that was downloaded, also those that the page downloaded by itself.
    Rooms make participants; nobody else does.
    """

    def __init__(self, name: str, *, room: str, page: RoomPage, server: RoomServer, recordings: Path) -> None:
        self.name = name
        self.recordings: list[Recording] = []
        self.state: Literal["joining", "joined", "left", "closed"] = "joining"
        self._room = room
        self._page = page
        self._server = server
        self._folder = recordings
        self._stop_to_file: dict[str, float] = {}
        self._started = 0.0

    @property
    def page(self) -> Page:
        """The Playwright page, for whatever else a test wants of it."""
        return self._page.page

    @property
    def elapsed(self) -> float:
        """Seconds recorded so far in the recording that was started last."""
        return time.monotonic() - self._started

    def begin_join(self, options: dict[str, Any]) -> Callable[[], None]:
        """Start to join; what is returned waits until every subscriber has this participant's picture and sound."""
        finish = self._page.begin("join", options)

        def done() -> None:
            self.name = finish()["name"]
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
        config = record_config or RecordConfig()
        answer = self._page.call("startMediaRecording", {"recorder": recorder, "recordConfig": config.for_page()})
        self._started = time.monotonic() - answer["elapsed"] / 1000
        for finished in answer["downloaded"]:
            self._keep(finished)
            self._collect(self._page.next_download(), time.monotonic())

    def stop_media_recording(self) -> None:
        """Stop (NERTC ``stopMediaRecording``); returns when the file is complete under its name.

        Raises InvalidStateError when nothing is being recorded.
        """
        self._keep(self._page.call("stopMediaRecording"))

    def download_media_recording(self) -> Recording:
        """Download the recording through the browser (NERTC ``downloadMediaRecording``) and return it.

        While recording, stops first. May be repeated until ``clean_media_recording``; nothing is overwritten.

        Raises InvalidStateError when nothing was recorded.
        """
        began = time.monotonic()
        self._keep(self._page.call("downloadMediaRecording"))
        return self._collect(self._page.next_download(), began)

    def clean_media_recording(self) -> None:
        """Free the page's and the spool's copy (NERTC ``cleanMediaRecording``); what was downloaded stays."""
        self._page.call("cleanMediaRecording")

    def leave(self) -> None:
        """Leave the room; a recording ends, and can still be downloaded and cleaned."""
        if self.state == "joined":
            self._page.call("leave")
            self.state = "left"

    def close(self) -> None:
        """Leave, keep what was recorded and not downloaded, and close the page; twice is fine."""
        if self.state == "closed":
            return
        try:
            if self._page.alive:
                self.leave()
        finally:
            self.state = "closed"
            self._page.close()
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

    def _keep(self, finished: dict[str, Any]) -> None:
        self._stop_to_file.setdefault(finished["id"], round(finished["stopToFileMs"], 1))

    def _collect(self, download: Download, began: float) -> Recording:
        """Save a download under its final name, beside its manifest."""
        take = self._server.take_at(download.url)
        if take is None or take.manifest is None:
            message = f"The download {download.suggested_filename} is no recording of this room's server."
            raise RecordingError(message, code=10453)
        partial = take.folder / "download.part"
        self._page.save(download, str(partial))
        recording = publish(
            take.manifest,
            partial,
            self._folder,
            stop_to_file_ms=self._stop_to_file.get(take.id),
            download_ms=round((time.monotonic() - began) * 1000, 1),
        )
        take.kept = True
        self.recordings.append(recording)
        return recording
