"""Two threads finish a recording.

Finalizer copies the recording's bytes as they arrive, and Settling checks the finished file.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from harness.errors import HarnessError, recording_error
from harness.recording.files.disk import file_failure
from harness.recording.finalize.copy import Finished, Progress, finalize
from harness.recording.finalize.growing_file import GrowingFile
from harness.recording.machine import LostCpuTime
from harness.recording.spool.describe import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recording.manifest import Manifest
    from harness.recording.spool.folder import Facts, Folder

_log = logging.getLogger(__name__)


class Finalizer:
    """Copies the raw bytes into a complete file as they arrive, and measures how much CPU time is lost.

    ``on_track`` is called in the finalizer's thread when the first packet of a track is found. When the recording has
    ended, a warning is logged if frames may be missing because CPU time was lost.
    """

    def __init__(self, folder: Folder, facts: Facts, on_track: Callable[[], None]) -> None:
        self.growing_file = GrowingFile()
        self.progress = Progress(on_track=on_track)
        self._folder = folder
        self._facts = facts
        self._lost_cpu_time = LostCpuTime()
        self._outcome: Finished | Exception = recording_error(f"The recording {facts.id} was not finalized.")
        self._thread = threading.Thread(target=self._run, name=f"finalize {facts.id}", daemon=True)
        self._thread.start()

    def result(self) -> Finished:
        """Wait until the copy is complete, and return the result; raises the error if copying failed."""
        self.join()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def join(self) -> None:
        """Wait until the thread ends."""
        self._thread.join()

    def _run(self) -> None:
        folder = self._folder
        try:
            finished = finalize(
                folder.raw,
                folder.log,
                folder.partial,
                frame_rate=self._facts.frame_rate,
                growing_file=self.growing_file,
                progress=self.progress,
            )
            lost_cpu = self._lost_cpu_time.so_far()
            if warning := lost_cpu.warning():
                _log.warning("%s: %s", self._facts.stem, warning)
            self._outcome = replace(finished, lost_cpu=lost_cpu)
        except Exception as error:  # noqa: BLE001 - raised again in the caller that requests the file
            self._outcome = error
        finally:
            self.growing_file.leave()


class Settling:
    """Writes a finished file's manifest, syncs the file to disk, reads it back, and then removes the raw bytes.

    ``reason`` explains why the recording ended if it was not stopped normally. Setting ``cancelled`` stops the thread
    from reading the file back. The Settling thread calls ``on_done`` with the Settling object as the argument.
    """

    def __init__(
        self,
        folder: Folder,
        facts: Facts,
        finished: Finished,
        *,
        reason: str | None,
        cancelled: threading.Event,
        on_done: Callable[[Settling], None],
    ) -> None:
        self.finished = finished
        self.state: Literal["running", "safe", "failed", "cancelled"] = "running"
        self.manifest: Manifest | None = None
        self.error: HarnessError | None = None
        self._folder = folder
        self._facts = facts
        self._reason = reason
        self._cancelled = cancelled
        self._on_done = on_done
        self._described = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"settle {facts.id}", daemon=True)

    def start(self) -> None:
        """Start the thread, which calls ``on_done`` when it has finished."""
        self._thread.start()

    def wait_for_manifest(self) -> Manifest | None:
        """Wait for the manifest, which contains the file's hash; return None if it could not be written."""
        self._described.wait()
        return self.manifest

    def join(self) -> None:
        """Wait until the thread has ended; does nothing when called from the thread itself."""
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            self.manifest = describe(self._folder, self._facts, self.finished, self._reason)
            self._described.set()
            self._folder.settle(self._facts, self.finished, self._cancelled)
            self.state = "cancelled" if self._cancelled.is_set() else "safe"
        except Exception as error:  # noqa: BLE001 - reported to the caller that requests the file
            self.error = finish_error(self._folder.finished(self._facts.stem).name, error)
            self.state = "cancelled" if self._cancelled.is_set() else "failed"
        finally:
            self._on_done(self)
            self._described.set()


def finish_error(name: str, error: Exception) -> HarnessError:
    """Return the error for a recording that can't be finished; its raw bytes are kept for the next recovery."""
    if isinstance(error, HarnessError):
        return error
    what = f"The recording {name} can't be finished"
    if isinstance(error, OSError):
        return file_failure(
            what, error, advice=" The raw bytes stay in the spool; 'harness recover' can finish the recording."
        )
    return recording_error(f"{what}: {error}.")
