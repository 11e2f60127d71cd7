"""OpenFolder is a recording's folder while it is in use, with its lock and open files."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from harness.recording.files.disk import file_failure, room_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from harness.recording.spool.folder import Facts, Folder
    from harness.recording.spool.lock import FolderLock


class JsonLines:
    """A file with one JSON object per line; each line is written completely or not at all."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        # Another thread may close the file while data from the page is still being written.
        self._lock = threading.Lock()
        # The size of the file in bytes.
        self.size = 0

    def append(self, content: Mapping[str, Any]) -> None:
        """Write one line, unless the file is closed.

        Raises DiskFullError if the disk is full, and OSError for other failures.
        """
        self.append_line(encode_line(content))

    def append_line(self, line: bytes) -> None:
        """Write a line that is already encoded."""
        with self._lock:
            if self._file.closed:
                return
            start = self._file.tell()
            try:
                with room_for("the recording's log", Path(self._file.name)):
                    rest = memoryview(line)
                    while rest:
                        rest = rest[self._file.write(rest) :]
            except BaseException:
                # A partial line would corrupt the next line.
                with contextlib.suppress(OSError):
                    self._file.truncate(start)
                    self._file.seek(start)
                raise
            self.size += len(line)

    def close(self) -> None:
        """Close the file. Safe to call more than once."""
        with self._lock:
            self._file.close()


def encode_line(content: Mapping[str, Any]) -> bytes:
    """Return one line of a log, encoded as JSON.

    No character takes more bytes than in the page's message, so no line becomes too long for the readers.
    """
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"


@dataclass(frozen=True)
class OpenFolder:
    """A recording's locked folder with its open files."""

    folder: Folder
    facts: Facts
    raw: BinaryIO
    log: JsonLines
    statistics: JsonLines
    _lock: FolderLock

    @classmethod
    def create(cls, folder: Folder, facts: Facts) -> Self:
        """Create and lock the folder, store the recording's properties, and open the files; undo everything on failure.

        Raises DiskFullError if the disk is full, and RecordingError for other failures.
        """
        try:
            with contextlib.ExitStack() as opened:
                lock = opened.enter_context(folder.make())
                opened.callback(_remove, folder, facts)
                folder.write_facts(facts)
                raw, log, statistics = (
                    opened.enter_context(path.open("wb", buffering=0))
                    for path in (folder.raw, folder.log, folder.statistics)
                )
                opened.pop_all()
        except OSError as error:
            what = "The recording can't be started"
            advice = " Choose another folder with --recordings."
            raise file_failure(what, error, advice) from error
        return cls(folder, facts, raw, JsonLines(log), JsonLines(statistics), lock)

    def close_files(self) -> None:
        """Close the files without releasing the lock. Safe to call more than once."""
        for file in (self.raw, self.log, self.statistics):
            # If this last write fails, the problem is detected when the file is read.
            with contextlib.suppress(OSError):
                file.close()

    def remove(self) -> None:
        """Remove everything that belongs to the recording, and release the lock. Safe to call more than once."""
        if not self._lock.closed:
            _remove(self.folder, self.facts)
            self._lock.close()

    def release(self) -> None:
        """Release the lock. Safe to call more than once."""
        self._lock.close()


def _remove(folder: Folder, facts: Facts) -> None:
    # The next recovery will handle files that can't be removed.
    with contextlib.suppress(OSError):
        folder.remove(facts.stem)
