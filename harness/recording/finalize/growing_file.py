"""Read a file while it grows; the reader blocks at the end until more bytes arrive."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class GrowingFile:
    """Synchronizes the thread that writes a raw file with the finalizer that reads it."""

    def __init__(self, *, ended: bool = False) -> None:
        self._changed = threading.Condition()
        self._ended = ended
        # The number of times that the file grew or a callback was added. Each callback is stored with the count at that
        # time.
        self._changes = 0
        self._callbacks: list[tuple[int, Callable[[], object]]] = []
        self._reader_left = False

    @property
    def ended(self) -> bool:
        """Whether no more bytes will be written."""
        return self._ended

    def grew(self) -> None:
        """Notify the reader that the file or the log has grown."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Notify the reader that no more bytes will be written."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def call_when_read(self, callback: Callable[[], object]) -> None:
        """Call ``callback()`` when the reader has read everything that is on the disk now, or stops reading."""
        with self._changed:
            self._changes += 1
            if not self._reader_left:
                self._callbacks.append((self._changes, callback))
                self._changed.notify_all()
                return
        callback()

    def leave(self) -> None:
        """Call all pending callbacks now, and future ones immediately, because the reader has stopped reading."""
        with self._changed:
            self._reader_left = True
        self._call_back(self._changes)

    def wait_for(self, more: Callable[[], bool], on_idle: Callable[[], None]) -> None:
        """Wait until ``more()`` is true or no more bytes will be written; call ``on_idle()`` before any callbacks."""
        while True:
            changes = self._changes
            if more() or self._ended:
                return
            if self._callbacks:
                on_idle()
                self._call_back(changes)
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._changes != changes)  # noqa: B023 - called in this iteration

    def _call_back(self, changes: int) -> None:
        """Call the callbacks that were registered when the change count was at most ``changes``."""
        with self._changed:
            due = [callback for added, callback in self._callbacks if added <= changes]
            self._callbacks = [later for later in self._callbacks if later[0] > changes]
        for callback in due:
            callback()


class TailReader:
    """Reads a growing file like a pipe: reading blocks at the end until more bytes arrive or the file has ended.

    ``on_idle`` is called when the reader blocks, just before the callbacks registered with
    ``GrowingFile.call_when_read``.
    """

    def __init__(self, path: Path, growing_file: GrowingFile, on_idle: Callable[[], None] = lambda: None) -> None:
        self._file: BinaryIO = path.open("rb", buffering=0)
        self._growing_file = growing_file
        self._on_idle = on_idle
        self._pending = b""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; an empty result means that the file has ended."""

        def more() -> bool:
            self._pending = self._file.read(size)
            return bool(self._pending)

        self._pending = b""
        if not more():
            self._growing_file.wait_for(more, self._on_idle)
            # Read once more, because the last bytes may have been written just before the file ended.
            if not self._pending:
                more()
        return self._pending

    def close(self) -> None:
        """Close the file. ``close`` can be called twice."""
        self._file.close()
