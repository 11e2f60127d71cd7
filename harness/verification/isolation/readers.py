"""A pool of child processes that read files, so that a hostile file can neither hang nor crash the caller.

After a request, a child process waits for the next one. When the caller's process exits or crashes, its connections to
the child processes close, and the child processes exit.
"""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING, Final

from harness.recording.files.disk import stored_bytes
from harness.recording.isolation.child import ConnectedChild, CpuDeadline
from harness.recording.manifest import LARGEST_MANIFEST
from harness.verification.isolation.wire import ChildMessage, ProtocolError, encode_request, receive, send

if TYPE_CHECKING:
    import socket

    from harness.verification.report.report import Report
    from harness.verification.request import VerifyRequest

# Maximum CPU time for reading a file, in seconds: a base amount, plus an allowance for each second of media that was
# read. An idle machine needs 0.1 s per second of media.
_AT_LEAST: Final = 10.0
_PER_SECOND: Final = 1.0
# Minimum size of a second of media, in bytes; even silence takes more. The size of a file therefore limits its
# duration.
_FEWEST_BYTES: Final = 500
# Minimum speed assumed for hashing a file, in bytes per second.
_BYTES_PER_SECOND: Final = 20e6
# Minimum speed assumed for parsing a manifest, in bytes per second. Parsing the largest manifest takes half a minute.
_MANIFEST_BYTES_PER_SECOND: Final = 2e6
_PROGRAM: Final = "from harness.verification.isolation.worker import main; main()"


class _Reader(ConnectedChild):
    """A child process that is ready to read files."""

    def __init__(self) -> None:
        super().__init__(_PROGRAM)
        self.wait_until_ready(self._is_ready)

    def _is_ready(self, deadline: CpuDeadline) -> bool:
        try:
            return ChildMessage.decode(receive(self.connection, deadline=deadline)).ready
        except ProtocolError as error:
            raise ConnectionError from error


class _ReaderPool:
    """A pool of reader processes, each of which handles one request at a time."""

    def __init__(self) -> None:
        self._idle: list[_Reader] = []
        self._busy: set[_Reader] = set()
        self._lock = threading.Lock()
        # The process that owns these readers. A forked process inherits the pool, but must not use its parent's
        # readers.
        self._owner = os.getpid()

    def acquire(self) -> _Reader:
        """Return an idle reader, or start a new one."""
        with self._lock:
            if self._owner != os.getpid():
                self._idle, self._busy, self._owner = [], set(), os.getpid()
            reader = self._idle.pop() if self._idle else None
        # Starting a reader takes a second, so release the lock first.
        reader = reader or _Reader()
        with self._lock:
            self._busy.add(reader)
        return reader

    def release(self, reader: _Reader) -> None:
        """Return a reader to the pool for the next request."""
        with self._lock:
            self._busy.discard(reader)
            self._idle.append(reader)

    def discard(self, reader: _Reader) -> None:
        """End a reader."""
        with self._lock:
            self._busy.discard(reader)
        reader.end()

    def end(self) -> None:
        """Stop all readers, including those that are still reading."""
        if self._owner == os.getpid():
            for reader in (*self._idle, *self._busy):
                reader.end()
            self._idle.clear()
            self._busy.clear()


_POOL: Final = _ReaderPool()
atexit.register(_POOL.end)


def analyze_in_child(request: VerifyRequest) -> Report:
    """Return the report on a file. If the file hangs or crashes its reader, a failed report is returned.

    Raises OSError if the file can't be read, and SetupError if the reader process can't be started.
    """
    size, manifest_size = _bytes_to_read(request)
    reader = _POOL.acquire()
    deadline = reader.deadline(
        _AT_LEAST + len(request.sources) + size / _BYTES_PER_SECOND + manifest_size / _MANIFEST_BYTES_PER_SECOND
    )
    exchange = _Exchange(reader.connection, request, size=size, deadline=deadline)
    try:
        result = exchange.result()
    except (ProtocolError, ConnectionError):
        _POOL.discard(reader)
        return request.unreadable_report("crashes the decoder.", exchange.source)
    except TimeoutError:
        _POOL.discard(reader)
        return request.unreadable_report(f"could not be read within {deadline.elapsed:.0f} s.", exchange.source)
    except BaseException:
        _POOL.discard(reader)
        raise
    _POOL.release(reader)
    if isinstance(result, OSError):
        raise result
    return result


def _bytes_to_read(request: VerifyRequest) -> tuple[int, int]:
    """Return the size of all media files, and of all manifests. Raises OSError if a media file can't be read."""
    manifests = [request.manifest_path, *(source.manifest_path for source in request.sources)]
    # Path.is_file raises an error if the recording's name is so long that its manifest's name would be too long.
    existing = [path for path in manifests if path and os.path.isfile(path)]  # noqa: PTH113
    manifest_size = sum(min(stored_bytes(path), LARGEST_MANIFEST) for path in existing)
    if not request.sources:
        return stored_bytes(request.path), manifest_size
    # The number of bytes in a piece limits how much of its file is read.
    pieces = [(piece.path, piece.length) for source in request.sources for piece in source.pieces]
    files = [source.path for source in request.sources if not source.pieces]
    read = sum(stored_bytes(path) if length is None else length for path, length in pieces)
    return sum(map(stored_bytes, files)) + read, manifest_size


class _Exchange:
    """Sends a request, and receives its result. ``source`` is the number of the source that is being read, or None.

    The deadline is extended by a fixed time for each second of media that was read. The size of the files limits the
    total extension.
    """

    def __init__(self, connection: socket.socket, request: VerifyRequest, *, size: int, deadline: CpuDeadline) -> None:
        self._connection = connection
        self._request = request
        self._size = size
        self._deadline = deadline
        self._at_least = deadline.seconds
        self.source: int | None = 0 if request.sources else None

    def result(self) -> Report | OSError:
        """Return the report, or the error that occurred while a file was read."""
        send(self._connection, encode_request(self._request), deadline=self._deadline)
        while True:
            message = ChildMessage.decode(receive(self._connection, deadline=self._deadline))
            if (result := message.result(self._request)) is not None:
                return result
            if self._request.sources:
                self.source = min(message.source, len(self._request.sources) - 1)
            # The reader's progress comes from timestamps, which may jump ahead, so the size limits the extension.
            read = min(message.progress, self._size / _FEWEST_BYTES)
            self._deadline.seconds = self._at_least + _PER_SECOND * read
