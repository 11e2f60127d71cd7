"""Collect a participant's recordings: give downloads their final names, and save other recordings from the spool."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from harness.errors import recording_error
from harness.recording.files.disk import file_failure
from harness.recording.spool.folder import FOLDER_MODE
from harness.recording.spool.publish import publish

if TYPE_CHECKING:
    from playwright.sync_api import Download

    from harness.browser.pages.driven_page import DrivenPage
    from harness.recording.recording import Recording
    from harness.session.context import RoomContext


class RecordingFiles:
    """Collects one participant's recordings.

    ``recordings`` contains all collected recordings, oldest first. ``last_saved`` is the most recent recording that was
    saved without a download.
    """

    def __init__(self, page: DrivenPage, context: RoomContext) -> None:
        self.recordings: list[Recording] = []
        self.last_saved: Recording | None = None
        self._page = page
        self._context = context
        self._stop_to_file: dict[str, float] = {}

    def store_stop_duration(self, finished: dict[str, Any]) -> None:
        """Store the time from the end of recording until its file was complete, for the manifest."""
        self._stop_to_file.setdefault(finished["id"], round(finished["stopToFileMs"], 1))

    def collect(self, download: Download, began: float) -> Recording:
        """Save a download under its final name, next to its manifest; ``began`` is the time of the download request."""
        spooled = self._context.server.recording_at(download.url)
        if spooled is None:
            message = f"The download {download.suggested_filename} is not a recording from this room's server."
            raise recording_error(message)
        manifest = spooled.finish_with_manifest()
        # Chrome fact 20: saving a download silently overwrites files, so each download first gets a temporary name.
        partial = spooled.folder.downloaded
        try:
            # If the page has already called "clean", the recording's folder has been removed, but the browser still has
            # the file.
            partial.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
            self._page.save(download, str(partial))
            recording = publish(
                manifest,
                partial,
                self._context.recordings,
                stop_to_file_ms=self._stop_to_file.get(spooled.id),
                download_ms=round((time.monotonic() - began) * 1000, 1),
            )
        except OSError as error:
            what = f"{spooled.name} can't be saved in {self._context.recordings}"
            raise file_failure(what, error) from error
        spooled.mark_published()
        if spooled.state == "cleaned":
            spooled.clean()
        self.recordings.append(recording)
        return recording

    def save_rest(self, participant: str) -> list[Recording]:
        """Publish the participant's recordings that exist only in the spool, and return them, oldest first."""
        context = self._context
        saved = context.server.publish(context.recordings, room=context.room, participant=participant)
        self.recordings.extend(saved)
        if saved:
            self.last_saved = saved[-1]
        return saved
