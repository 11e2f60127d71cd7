"""Library lists the recordings of a public room.

Independently of the page, the server publishes a recording in the library's folder once the file has been finished and
read back. A published file stays in the library's folder until a member of the room deletes the recording.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from typing import TYPE_CHECKING, Any, Final

from harness.errors import ConfigError, recording_error
from harness.recording.files.disk import file_failure
from harness.recording.files.names import MANIFEST_SUFFIX, SUFFIX, recording_of
from harness.recording.files.text import printable
from harness.recording.manifest import Manifest
from harness.server.library.item import Item
from harness.server.library.summaries import ReportSummary, Summaries
from harness.server.private_paths import without_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.recording.recording import Recording
    from harness.server.spool.active_recording import ActiveRecording

_log = logging.getLogger(__name__)

# Maximum number of recordings in the list, which the server sends to all members after every change.
_MAX_LISTED: Final = 200
# Maximum number of failed recordings, and of reports, that are kept in memory; older ones are dropped.
_MAX_FAILED: Final = 20
_MAX_REPORTS: Final = 50


class Library:
    """The recordings of one public room.

    ``verify`` returns the summary of a file's report, which can take a long time. ``on_published`` is called, in any
    thread, with each recording that was published in ``folder``.
    """

    def __init__(
        self,
        room: str,
        folder: Path,
        verify: Callable[[Path], ReportSummary],
        on_published: Callable[[Recording], None],
    ) -> None:
        self.room = room
        self.folder = folder
        self._summaries = Summaries(verify)
        self._on_published = on_published
        self._items: dict[str, Item] = {}
        self._listeners: list[Callable[[list[dict[str, Any]]], None]] = []

    def read_folder(self) -> None:
        """Add the room's earlier recordings to the list, if their manifests still exist."""
        found = []
        for path in self.folder.glob(f"*{MANIFEST_SUFFIX}"):
            file = recording_of(path)
            # Skip links, because a link could expose a file in another folder.
            if path.is_symlink() or not is_plain_file(file):
                continue
            with contextlib.suppress(ConfigError):
                manifest = Manifest.read(path)
                if manifest.room == self.room:
                    # The folder may have been moved after the manifest was written.
                    found.append(manifest.recording.at(file))
        for recording in sorted(found, key=lambda one: one.started_at):
            # A copied recording gets a new id, so that it does not hide the original.
            id_ = secrets.token_urlsafe(16) if recording.id in self._items else recording.id
            name = printable(recording.path.name)
            self._items[id_] = Item(id_, name, recording.participant, recording.recorder, recording=recording)

    def subscribe(self, listener: Callable[[list[dict[str, Any]]], None]) -> None:
        """Call ``listener`` with the list whenever the list changes, in the server's own thread."""
        self._listeners.append(listener)

    def listed(self) -> list[dict[str, Any]]:
        """Return the list in the format that pages expect, newest recordings first."""
        return [item.as_message() for item in reversed(list(self._items.values())[-_MAX_LISTED:])]

    def listed_in(self, room: str) -> list[dict[str, Any]] | None:
        """Return a room's list of recordings, or None if the room has no list."""
        return self.listed() if room == self.room else None

    def get(self, id_: str) -> Item | None:
        """Return the item with this id, or None."""
        return self._items.get(id_)

    def close(self) -> None:
        """Cancel all verifications. Safe to call more than once."""
        for item in self._items.values():
            if item.verification is not None:
                item.verification.cancel()

    # ---- recordings in the spool ------------------------------------------------------------------------------------

    def add(self, active: ActiveRecording) -> None:
        """Add a recording to the list if it belongs to the room."""
        if active.facts.room != self.room:
            return
        facts = active.facts
        item = Item(active.id, f"{facts.stem}{SUFFIX}", facts.participant, facts.recorder, active)
        self._items[item.id] = item
        self._notify()

    def publish(self, active: ActiveRecording) -> None:
        """Publish a recording that has ended, unless it is already published; may be called from any thread.

        Raises RecordingError if the recording can't be published. If publishing fails, the caller must not delete the
        spool's copy of the recording.
        """
        item = self._items.get(active.id)
        if item is None or item.recording is not None or active.state not in {"finished", "failed"} or not active.size:
            return
        active.wait_until_safe()
        try:
            recording = active.publish_copy(self.folder)
        except OSError as error:
            what = f"{active.name} can't be published in {self.folder}, so it stays in the spool"
            raise file_failure(what, error) from error
        if recording is not None:
            item.recording = recording
            item.name = recording.path.name
            self._on_published(recording)
        elif not active.published_as:
            raise active.error or recording_error(f"{active.name} could not be read back; it stays in the spool.")

    def close_entry(self, active: ActiveRecording, reason: str | None) -> None:
        """Mark a recording that has ended as published, or as failed with a reason."""
        item = self._items.get(active.id)
        if item is None:
            return
        if item.recording is None:
            unfinished = active.error or "The recording was discarded before it was finished."
            failure = reason or str(unfinished)
            item.failure = without_folders(failure, self.folder)
            item.active = None
            if not active.size:
                # No data was recorded, so there is nothing to list.
                del self._items[item.id]
            failed = [one.id for one in self._items.values() if one.failure]
            for id_ in failed[:-_MAX_FAILED]:
                del self._items[id_]
        self._notify()

    # ---- requests from pages ----------------------------------------------------------------------------------------

    def verify(self, item: Item, recording: Recording) -> asyncio.Future[ReportSummary]:
        """Return the summary of a recording's report; concurrent requests share one verification."""
        if item.verification is None or (item.verification.done() and item.summary is None):
            item.verification = asyncio.ensure_future(self._summaries.summarize(recording.path))
            item.verification.add_done_callback(lambda _: self._notify())
            self._forget_old_reports()
            self._notify()
        return item.verification

    async def delete_files(self, item: Item) -> None:
        """Delete a recording's published files, if any; raises OSError if a file can't be deleted."""
        if item.recording is not None:
            for path in item.recording.files:
                await asyncio.to_thread(path.unlink, missing_ok=True)
            _log.info("A user deleted %s on the page.", item.recording.path)

    async def remove(self, item: Item) -> None:
        """Remove a recording from the list, and delete the spool's copy, so that its page can no longer download it."""
        if item.recording is not None and item.active is not None:
            await asyncio.to_thread(item.active.clean)
        self._items.pop(item.id, None)
        if item.verification is not None:
            item.verification.cancel()
        self._notify()

    def _forget_old_reports(self) -> None:
        """Delete all but the newest reports; a page can have a recording verified again if its report was deleted."""
        verified = [item for item in self._items.values() if item.summary]
        for item in verified[:-_MAX_REPORTS]:
            item.verification = None

    def _notify(self) -> None:
        for listener in self._listeners:
            listener(self.listed())


def is_plain_file(path: Path) -> bool:
    """Return whether the path is a regular file and not a link."""
    return path.is_file() and not path.is_symlink()
