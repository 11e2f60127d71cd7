"""Collect a participant's recordings: give downloads their final names, and take other recordings from the spool."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from harness.browser.pages.page_downloads import NotDownloaded
from harness.errors import DiskFullError, recording_error
from harness.recording.files.disk import file_failure, megabytes
from harness.recording.files.text import printable
from harness.recording.spool.folder import FOLDER_MODE
from harness.recording.spool.publish import publish

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.browser.pages.driven_page import DrivenPage
    from harness.recording.manifest import Manifest
    from harness.recording.recording import Recording
    from harness.server.spool.active_recording import ActiveRecording
    from harness.session.context import RoomContext

_log = logging.getLogger(__name__)


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
        """Store how long it took from the end of the recording until its file was complete, for the manifest."""
        self._stop_to_file.setdefault(finished["id"], round(finished["stopToFileMs"], 1))

    def collect_replaced(self, answer: dict[str, Any], asked_at: float) -> None:
        """Collect the recording that a new recording has replaced, and delete the spool's copy.

        ``answer`` is the page's response to the request to start the new recording. The request was made at
        ``asked_at`` (in seconds on the monotonic clock). If collecting fails, the file stays in the spool until the
        page closes.
        """
        for result in answer["downloaded"]:
            self._collect(result, asked_at, time.monotonic())
        replaced = self._find(answer["released"])
        if replaced is not None and replaced.published_as:
            self._context.server.discard(replaced)

    def download(self, call: Callable[[], dict[str, Any]]) -> Recording:
        """Make the page download its recording with ``call``, and return the recording with its final name.

        If the browser does not download the file, or if there is no space for the download, the file is taken from the
        spool. In both cases, the manifest and a warning contain the reason.

        Raises DiskFullError if there is no space for the file in the folder for recordings.
        """
        began = time.monotonic()
        return self._collect(call(), began, began)

    def save_rest(self, participant: str) -> list[Recording]:
        """Publish the participant's recordings that exist only in the spool, and return them, oldest first."""
        context = self._context
        saved = context.server.publish(context.recordings, room=context.room, participant=participant)
        self.recordings.extend(saved)
        if saved:
            self.last_saved = saved[-1]
        return saved

    def _collect(self, result: dict[str, Any], asked_at: float, began: float) -> Recording:
        """Return the recording that the page was asked to download; ``result`` is the page's result.

        ``asked_at`` is the time of the request, and ``began`` is the time from which the duration of the download is
        measured, both in seconds on the monotonic clock.
        """
        self.store_stop_duration(result)
        active = self._find(result["id"])
        if active is None:
            message = f"The server no longer has the recording {result['name']}, so its file can't be retrieved."
            raise recording_error(message)

        def is_wanted(url: str) -> bool:
            return self._context.server.recording_at(url) is active

        try:
            manifest = active.finish_with_manifest()
            got = result["failure"] or self._save_download(active, manifest, is_wanted, began)
            if isinstance(got, str):
                reason = self._page.downloads.explain(got, asked_at, is_wanted, manifest.recording.size)
                got = self._take_from_spool(active, manifest, reason)
            recording: Recording = got
        except OSError as error:
            what = f"{active.name} can't be saved in {self._context.recordings}"
            raise file_failure(what, error) from error
        active.mark_published()
        if active.state == "cleaned":
            active.clean()
        self.recordings.append(recording)
        return recording

    def _save_download(
        self, active: ActiveRecording, manifest: Manifest, is_wanted: Callable[[str], bool], began: float
    ) -> Recording | str:
        """Publish the file that the browser downloaded, or return the reason why it did not download the file."""
        downloads = self._page.downloads
        # Chrome fact 20: saving a download silently overwrites files, so each download first gets a temporary name.
        partial = active.folder.downloaded
        # If the page has already called "clean", the recording's folder has been removed, but the browser still has the
        # file.
        partial.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
        try:
            downloads.save(downloads.next(is_wanted), partial, size=manifest.recording.size)
        except NotDownloaded as failure:
            return str(failure)
        except DiskFullError as error:
            partial.unlink(missing_ok=True)
            return self._take_without_copy(active, manifest, error)
        return publish(
            manifest,
            partial,
            self._context.recordings,
            downloaded=True,
            stop_to_file_ms=self._stop_to_file.get(active.id),
            download_ms=round((time.monotonic() - began) * 1000, 1),
        )

    def _take_without_copy(self, active: ActiveRecording, manifest: Manifest, error: DiskFullError) -> Recording:
        """Publish the file although there is no space for the download; raises ``error`` if this is not possible.

        On disks with hard links, publishing a file from the spool needs almost no space.
        """
        reason = f"not enough space for {megabytes(manifest.recording.size)} at {active.folder.path}"
        try:
            return self._take_from_spool(active, manifest, reason)
        except DiskFullError:
            # The user can free some space and download again.
            raise error from None

    def _take_from_spool(self, active: ActiveRecording, manifest: Manifest, reason: str) -> Recording:
        """Publish a copy of the finished file; the original stays in the spool for further downloads."""
        reason = printable(reason)
        if active.state == "cleaned":
            message = f"The browser did not download {active.name} ({reason}), and the page has deleted the recording."
            raise recording_error(message)
        recording = publish(
            manifest,
            active.folder.copy(active.path),
            self._context.recordings,
            downloaded=False,
            download_failure=reason,
            stop_to_file_ms=self._stop_to_file.get(active.id),
        )
        _log.warning("The browser did not download %s (%s); the file was taken from the spool.", recording.path, reason)
        return recording

    def _find(self, recording_id: str | None) -> ActiveRecording | None:
        if recording_id is None:
            return None
        return self._context.server.find_recording(recording_id, room=self._context.room)
