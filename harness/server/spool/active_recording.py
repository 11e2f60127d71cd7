"""ActiveRecording: one recording in the spool, from its first byte until it is published and cleaned."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Final, Literal

from harness.errors import HarnessError, RecordingError, disk_full, recording_error, spool_error
from harness.recording.files.disk import Headroom, file_failure, free_bytes, megabytes, room_for
from harness.recording.spool.publish import publish
from harness.server.spool.finishing import Finalizer, Settling, finish_error
from harness.server.spool.recording_log import RecordingLog
from harness.server.spool.statistics_log import MAX_STATISTICS, StatisticsLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.recording.finalize.copy import Finished, Progress
    from harness.recording.finalize.growing_file import GrowingFile
    from harness.recording.manifest import Manifest
    from harness.recording.recording import Recording
    from harness.recording.spool.folder import Facts, Folder
    from harness.server.spool.open_folder import OpenFolder

_log = logging.getLogger(__name__)

# Why a recording ended that nobody stopped.
GONE: Final = "its page disconnected before it was stopped"

State = Literal["recording", "ending", "finished", "failed", "cleaned"]


def _ignore(_: ActiveRecording) -> None:
    """Do nothing with a recording."""


class ActiveRecording:
    """One recording in the spool.

    - ``state`` goes from "recording" over "ending" to "finished" or "failed", and from each of them to "cleaned".
    - ``on_end`` is called once, in any thread: when the file is finished and safe, or when it is known that there will
      be none.
    - ``on_track`` is called in the finalizer's thread when the first packet of a track was found.
    """

    def __init__(
        self,
        files: OpenFolder,
        *,
        presence_from_server: bool = True,
        max_statistics: int = MAX_STATISTICS,
        on_end: Callable[[ActiveRecording], None] = _ignore,
        on_track: Callable[[ActiveRecording], None] = _ignore,
    ) -> None:
        self.state: State = "recording"
        # The bytes and chunks that were received, and the counted messages: chunks, log lines and the end.
        self.size = 0
        self.chunks = 0
        self.acked_seq = 0
        self.error: HarnessError | None = None
        # The file's name outside the spool, once it is published there.
        self.published_as: str | None = None
        self.log = RecordingLog(files.log, files.facts, presence_from_server=presence_from_server)
        self.statistics = StatisticsLog(files.statistics, self.log, files.facts.stem, max_statistics)
        self._files = files
        self._on_end: Callable[[ActiveRecording], None] | None = on_end
        self._end_reason: str | None = None
        self._disk: Literal["enough", "low"] = "enough"
        # The page's socket and Python end a recording in threads of their own.
        self._finishing = threading.RLock()
        # No chunk is accepted once the recording ends: every acknowledged chunk is in the file.
        self._writing = threading.Lock()
        self._cancelled = threading.Event()
        self._settling: Settling | None = None
        self._finalizer = Finalizer(files.folder, files.facts, lambda: on_track(self))

    @property
    def facts(self) -> Facts:
        """Everything that was known when the recording began."""
        return self._files.facts

    @property
    def folder(self) -> Folder:
        """The paths in the recording's folder."""
        return self._files.folder

    @property
    def id(self) -> str:
        """The recording's id."""
        return self.facts.id

    @property
    def path(self) -> Path:
        """The finished file in the spool."""
        return self.folder.finished(self.facts.stem)

    @property
    def name(self) -> str:
        """The name of the finished file, as users see it."""
        return self.published_as or self.path.name

    @property
    def manifest(self) -> Manifest | None:
        """The manifest, once the finished file is described."""
        return self._settling.manifest if self._settling else None

    @property
    def growing_file(self) -> GrowingFile:
        """Tells the finalizer of more bytes."""
        return self._finalizer.growing_file

    @property
    def progress(self) -> Progress:
        """What the finalizer has found so far."""
        return self._finalizer.progress

    @property
    def is_unfinished(self) -> bool:
        """Whether there is no file yet, and the recording has not failed."""
        return self.state in {"recording", "ending"}

    @property
    def expects_data(self) -> bool:
        """Whether bytes or ticks should be arriving."""
        return self.is_unfinished and self.log.recorder in {"started", "resumed"}

    @property
    def has_begun(self) -> bool:
        """Whether anything was recorded, or the recorder was started."""
        return self.size > 0 or self.log.recorder != "new"

    # ---- while it is recorded ---------------------------------------------------------------------------------------

    def add_chunk(self, number: int, offset: int, data: memoryview) -> None:
        """Append a chunk to the raw bytes; raises RecordingError if it is not the next one."""
        with self._writing:
            if self.state != "recording":
                message = f"The recording {self.id} accepts no more bytes; it is {self.state}."
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
        """Store the times of the mixer's ticks; the finalizer waits for them."""
        self.log.add_ticks(first, written)
        self.growing_file.grew()

    def stop_accepting(self) -> None:
        """Accept no more bytes from now on. Calling it twice is fine."""
        with self._writing:
            if self.state == "recording":
                self.state = "ending"
            self.growing_file.end()

    def check_disk(self, headroom: Headroom) -> str | None:
        """Return a warning, once, when the disk has little room left; raises DiskFullError when it must end."""
        left = headroom.left(self.folder.path, self.size)
        if left == "enough" or (left == "low" and self._disk == "low"):
            return None
        free = megabytes(free_bytes(self.folder.path))
        if left == "none":
            self._end_reason = "the disk was nearly full"
            message = (
                f"Only {free} of disk space is left at {self.folder.path}. "
                "The recording was ended while it could still be finished."
            )
            raise disk_full(message)
        self._disk = "low"
        return f"Only {free} of disk space is left. The recording will end before the disk is full."

    def size_error(self, part: str, max_bytes: int) -> RecordingError:
        """Return the error with which a recording ends when a part of it reaches the largest size."""
        self._end_reason = "it had reached the maximum size that the server accepts"
        message = f"{part} would exceed the {max_bytes} bytes that the server accepts, so the recording was ended."
        return spool_error(message)

    def silence_error(self, seconds: float) -> RecordingError:
        """Return the error with which a recording ends whose page was silent for this many seconds."""
        self._end_reason = f"its page sent nothing for {seconds:g} s"
        return spool_error(f"No message arrived for {seconds:g} s; the recording was ended.")

    # ---- finishing --------------------------------------------------------------------------------------------------

    def finish(self, reason: str | None = None) -> Finished:
        """Finish the file under its name, and return when it is complete; its manifest follows.

        ``reason`` explains why the recording ends although nobody stopped it. Raises RecordingError if none of the
        bytes can be read, or a file can't be written or renamed, and DiskFullError if there is no room for it: then
        the recording has failed, and its raw bytes stay.
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
        """Finish the file, and return its manifest with the hash, which takes longer the larger the file is."""
        self.finish(reason)
        manifest = self._settling.wait_for_manifest() if self._settling else None
        if manifest is None:
            raise self.error or recording_error(f"The recording {self.id} has no manifest.")
        return manifest

    def wait_until_safe(self) -> None:
        """Return when the finished file has been read back, or could not be."""
        if self._settling is not None:
            self._settling.join()

    def _name_file(self, reason: str | None) -> None:
        try:
            finished = self._finalizer.result()
            self.folder.name(self.facts)
        except Exception as error:  # noqa: BLE001 - every failure is the recording's, and raised by finish
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
        # A server that runs for long has many finished recordings, and each open file uses a descriptor.
        self._files.close_files()
        self._report_end()

    def _report_end(self) -> None:
        """Call ``on_end`` unless it was called before."""
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self)

    # ---- publishing and cleaning ------------------------------------------------------------------------------------

    def publish(self, folder: Path) -> Recording | None:
        """Publish the recording in ``folder`` unless it is published, free the spool's copy, and return the recording.

        Returns None, and frees nothing, if the recording has failed: the next recovery finishes its raw bytes. Raises
        HarnessError if the finished file can't be published; it stays in the spool.
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
                # The library may have published it when it ended.
                recording = publish(manifest, self.path, folder) if manifest and not self.published_as else None
            except OSError as error:
                what = f"{self.path.name} can't be published in {folder}, and stays in the spool"
                raise file_failure(what, error) from error
            self.clean()
            return recording

    def publish_copy(self, folder: Path) -> Recording | None:
        """Publish the finished recording in ``folder``; the spool keeps its own copy for downloads.

        Returns None if it is published already, or was not read back: then the raw bytes are what counts.
        """
        if self.published_as or self._settling is None or self._settling.state != "safe" or self.manifest is None:
            return None
        recording = publish(self.manifest, self.folder.copy(self.path), folder)
        self.mark_published(recording.path.name)
        return recording

    def mark_published(self, name: str | None = None) -> None:
        """Note that the file is safe outside the spool, under ``name``, and need not be published again."""
        self.published_as = name or self.path.name
        # A cleaned recording needs no mark. If the mark can't be written, the next recovery publishes a second copy.
        with contextlib.suppress(OSError):
            self.folder.published.touch()

    def clean(self) -> None:
        """Free everything that the spool holds of the recording. Calling it twice is fine."""
        self._cancelled.set()
        with self._finishing:
            self.stop_accepting()
            self.state = "cleaned"
            self._stop_threads()
            self._report_end()
            self._files.remove()

    def close(self) -> None:
        """Stop finishing, close the files and release the lock; the folder stays. Calling it twice is fine."""
        self.stop_accepting()
        self._stop_threads()
        self._files.release()

    def _stop_threads(self) -> None:
        self._finalizer.join()
        self.wait_until_safe()
        self._files.close_files()
