"""ActiveRecording is one recording in the spool, from its first byte until it is published or deleted."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Final, Literal

from harness.errors import DiskFullError, HarnessError, RecordingError, recording_error, spool_error
from harness.recording.files.disk import Headroom, file_failure, room_for
from harness.recording.spool.publish import publish
from harness.server.spool.finishing import Finalizer, Settling, finish_error
from harness.server.spool.recording_log import RecordingLog
from harness.server.spool.statistics_log import MAX_STATISTICS, StatisticsLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.recording.files.disk_watch import DiskAlarm, DiskWatch
    from harness.recording.finalize.copy import Finished, Progress
    from harness.recording.finalize.growing_file import GrowingFile
    from harness.recording.manifest import Manifest
    from harness.recording.recording import Recording
    from harness.recording.spool.folder import Facts, Folder
    from harness.server.spool.open_folder import OpenFolder

_log = logging.getLogger(__name__)

# The reason that is stored if a recording's page disconnected before anybody stopped the recording.
GONE: Final = "the page disconnected before the recording was stopped"

State = Literal["recording", "ending", "finished", "failed", "cleaned"]


def _ignore(_: ActiveRecording) -> None:
    """Do nothing; this is the default callback."""


class ActiveRecording:
    """One recording in the spool.

    - ``state`` changes from "recording" through "ending" to "finished" or "failed". Any state can change to "cleaned",
      which means that the spool's copy was deleted.
    - ``disks`` watches the disks that the recording needs.
    - ``on_end`` is called once, in any thread, when the finished file is safe on disk, or when the recording has
      failed.
    - ``on_track`` is called in the finalizer's thread when the first packet of a track is found.
    """

    def __init__(
        self,
        files: OpenFolder,
        disks: DiskWatch,
        *,
        presence_from_server: bool = True,
        max_statistics: int = MAX_STATISTICS,
        on_end: Callable[[ActiveRecording], None] = _ignore,
        on_track: Callable[[ActiveRecording], None] = _ignore,
    ) -> None:
        self.state: State = "recording"
        # Counts of what has been received so far: bytes, chunks, and messages that need an acknowledgment (chunks, log
        # lines and ``end``).
        self.size = 0
        self.chunks = 0
        self.acked_seq = 0
        self.error: HarnessError | None = None
        # The file's name outside the spool, or None until the recording is published.
        self.published_as: str | None = None
        self.log = RecordingLog(files.log, files.facts, presence_from_server=presence_from_server)
        self.statistics = StatisticsLog(files.statistics, self.log, files.facts.stem, max_statistics)
        self._files = files
        self._on_end: Callable[[ActiveRecording], None] | None = on_end
        self._end_reason: str | None = None
        self._disks = disks
        # Both the page's socket and Python can end the recording, and they run in different threads.
        self._finishing = threading.RLock()
        # Ensures that no chunk is accepted after the recording has ended, so that the file contains all acknowledged
        # chunks.
        self._writing = threading.Lock()
        self._cancelled = threading.Event()
        self._settling: Settling | None = None
        self._finalizer = Finalizer(files.folder, files.facts, lambda: on_track(self))

    @property
    def facts(self) -> Facts:
        """The properties that were known when the recording began, such as the room and the participant."""
        return self._files.facts

    @property
    def folder(self) -> Folder:
        """The recording's folder and the paths of the files in it."""
        return self._files.folder

    @property
    def id(self) -> str:
        """The recording's id."""
        return self.facts.id

    @property
    def path(self) -> Path:
        """The path of the finished file in the spool."""
        return self.folder.finished(self.facts.stem)

    @property
    def name(self) -> str:
        """The finished file's name, as shown to users."""
        return self.published_as or self.path.name

    @property
    def manifest(self) -> Manifest | None:
        """The finished file's manifest, or None before it has been written."""
        return self._settling.manifest if self._settling else None

    @property
    def growing_file(self) -> GrowingFile:
        """The object through which the finalizer is notified of new bytes."""
        return self._finalizer.growing_file

    @property
    def progress(self) -> Progress:
        """The finalizer's progress so far."""
        return self._finalizer.progress

    @property
    def is_unfinished(self) -> bool:
        """Whether the recording is still running or being finished."""
        return self.state in {"recording", "ending"}

    @property
    def expects_data(self) -> bool:
        """Whether the page is expected to send chunks or tick times now."""
        return self.is_unfinished and self.log.recorder in {"started", "resumed"}

    @property
    def has_begun(self) -> bool:
        """Whether any bytes have arrived, or the recorder has been started."""
        return self.size > 0 or self.log.recorder != "new"

    # ---- recording --------------------------------------------------------------------------------------------------

    def add_chunk(self, number: int, offset: int, data: memoryview) -> None:
        """Append a chunk to the raw bytes; raises RecordingError if it is not the expected chunk."""
        with self._writing:
            if self.state != "recording":
                message = f"Recording {self.id} can't accept more data: its state is {self.state!r}."
                raise spool_error(message)
            if (number, offset) != (self.chunks, self.size):
                message = f"Expected chunk {self.chunks} at byte {self.size}, got chunk {number} at byte {offset}."
                raise spool_error(message)
            with room_for("the recording in progress", self.folder.raw):
                while data:
                    data = data[self._files.raw.write(data) :]
            self.size = self._files.raw.tell()
            self.chunks += 1
        self.growing_file.grew()

    def add_ticks(self, first: int, written: list[float | None]) -> None:
        """Store the times of the mixer's ticks, and notify the finalizer, which waits for them."""
        self.log.add_ticks(first, written)
        self.growing_file.grew()

    def stop_accepting(self) -> None:
        """Stop accepting bytes. Safe to call more than once."""
        with self._writing:
            if self.state == "recording":
                self.state = "ending"
            self.growing_file.end()

    def check_disks(self, headroom: Headroom) -> list[DiskAlarm]:
        """Return an alarm for each disk on which space is low for the first time.

        Raises DiskFullError if too little space is left for finishing and publishing the recording.
        """
        try:
            return self._disks.check(self.size, headroom)
        except DiskFullError:
            self._end_reason = "the disk was nearly full"
            raise

    def size_error(self, part: str, max_bytes: int) -> RecordingError:
        """Return the error for a recording that ends because its bytes or its log reached the maximum size."""
        self._end_reason = "the recording reached the maximum size that the server accepts"
        message = f"{part} would exceed the {max_bytes} bytes that the server accepts, so the recording was ended."
        return spool_error(message)

    def silence_error(self, seconds: float) -> RecordingError:
        """Return the error for a recording that ends because its page sent nothing for this many seconds."""
        self._end_reason = f"the page sent nothing for {seconds:g} s"
        return spool_error(f"No message arrived for {seconds:g} s; the recording was ended.")

    # ---- finishing --------------------------------------------------------------------------------------------------

    def finish(self, reason: str | None = None) -> Finished:
        """Finish the file, give it its final name, and return once it is complete; the manifest is written afterwards.

        ``reason`` explains why the recording ended if it was not stopped normally. Raises RecordingError if none of the
        bytes can be read, or if a file can't be written or renamed. Raises DiskFullError if the disk is full. After any
        error that ``finish`` raises, the recording has failed, and its raw bytes stay in the spool.
        """
        self.stop_accepting()
        with self._finishing:
            if self.state == "ending":
                self._name_file(reason)
            if self.error is not None:
                raise self.error
            if self._settling is None:
                message = f"The recording {self.id} was discarded before it was finished."
                raise recording_error(message)
            return self._settling.finished

    def finish_with_manifest(self, reason: str | None = None) -> Manifest:
        """Finish the file, and return its manifest, which includes the hash; hashing a large file can take seconds."""
        self.finish(reason)
        manifest = self._settling.wait_for_manifest() if self._settling else None
        if manifest is None:
            raise self.error or recording_error(f"The recording {self.id} has no manifest.")
        return manifest

    def wait_until_safe(self) -> None:
        """Wait until the finished file has been read back, successfully or not."""
        if self._settling is not None:
            self._settling.join()

    def _name_file(self, reason: str | None) -> None:
        try:
            finished = self._finalizer.result()
            self.folder.name(self.facts)
        except Exception as error:  # noqa: BLE001 - finish raises every error
            self.error = finish_error(self.path.name, error)
            self.state = "failed"
            self._files.close_files()
            self._report_end()
            return
        self._end_reason = self._end_reason or reason
        self.state = "finished"
        self.log.warn_of_dropped_events()
        self.statistics.warn_of_dropped_lines()
        self._settling = Settling(
            self.folder,
            self.facts,
            finished,
            reason=self._end_reason,
            cancelled=self._cancelled,
            on_done=self._on_settled,
        )
        self._settling.start()

    def _on_settled(self, settling: Settling) -> None:
        self.error = self.error or settling.error
        if settling.state == "failed" and self.state == "finished":
            self.state = "failed"
            _log.warning("%s", self.error)
        # A long-running server accumulates finished recordings, and each open file would use a descriptor.
        self._files.close_files()
        self._report_end()

    def _report_end(self) -> None:
        """Call ``on_end``, unless it has already been called."""
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self)

    # ---- publishing and cleaning ------------------------------------------------------------------------------------

    def publish(self, folder: Path) -> Recording | None:
        """Publish the recording in ``folder`` unless it is already published, and delete the spool's copy.

        Returns the published recording. If the recording has failed, returns None and deletes nothing, so that the next
        recovery can finish it from the raw bytes. Raises HarnessError if the finished file can't be published and
        therefore stays in the spool.
        """
        with self._finishing:
            if self.state == "cleaned":
                return None
            try:
                manifest = None if self.published_as else self.finish_with_manifest(GONE)
                self.wait_until_safe()
                if self.error is not None and not self.published_as:
                    raise self.error
            except HarnessError as error:
                if self.size:
                    _log.warning("%s is not published: %s", self.path.name, error)
                return None
            try:
                # When the recording ended, the library may already have published it.
                recording = publish(manifest, self.path, folder) if manifest and not self.published_as else None
            except OSError as error:
                what = f"{self.path.name} can't be published in {folder}, so it stays in the spool"
                raise file_failure(what, error) from error
            self.clean()
            return recording

    def publish_copy(self, folder: Path) -> Recording | None:
        """Publish the finished recording in ``folder``, and keep the spool's copy for downloads.

        Returns None if the recording is already published, or if the file could not be read back. If the file could not
        be read back, the raw bytes stay in the spool for the next recovery.
        """
        if self.published_as or self._settling is None or self._settling.state != "safe" or self.manifest is None:
            return None
        recording = publish(self.manifest, self.folder.copy(self.path), folder)
        self.mark_published(recording.path.name)
        return recording

    def mark_published(self, name: str | None = None) -> None:
        """Record that the file is stored outside the spool as ``name`` and need not be published again."""
        self.published_as = name or self.path.name
        # If the file that marks the recording as published can't be created, the next recovery publishes a second copy.
        with contextlib.suppress(OSError):
            self.folder.published.touch()

    def clean(self) -> None:
        """Delete all of the recording's files from the spool. Safe to call more than once."""
        self._cancelled.set()
        with self._finishing:
            self.stop_accepting()
            self.state = "cleaned"
            self._stop_threads()
            self._report_end()
            self._files.remove()

    def close(self) -> None:
        """Stop the threads, close the files and release the lock, but keep the folder. Safe to call more than once."""
        self.stop_accepting()
        self._stop_threads()
        self._files.release()

    def _stop_threads(self) -> None:
        self._finalizer.join()
        self.wait_until_safe()
        self._files.close_files()
