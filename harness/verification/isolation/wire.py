"""Length-prefixed messages between the parent and the child process that reads files.

A compromised decoder may send anything, so every message from the child must be JSON that matches a schema. Only
requests, which come from the parent, are pickled.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import struct
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, Self

from pydantic import Field, TypeAdapter, ValidationError

from harness.verification.values.curves import Curves
from harness.verification.values.findings import Finding  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.models import FileReport, Media, ParticipantReport, ReportModel

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from harness.verification.report.report import Report
    from harness.verification.request import VerifyRequest

# Maximum size of a message in bytes. A report contains the manifest, which can be 64 MB; everything else is small.
LARGEST_MESSAGE: Final = 128 * 1024 * 1024
# Upper limit for the operating system's error numbers; libav's own error numbers are larger.
_LARGEST_ERRNO: Final = 4096
_SIZE: Final = struct.Struct("!I")
_CURVES: Final = TypeAdapter(Curves)


class Deadline(Protocol):
    """The time by which a message must have been sent or received."""

    def wait(self) -> float:
        """Return how long the next socket call may wait, in seconds. Raises TimeoutError if the deadline has passed."""


class ProtocolError(Exception):
    """The process at the other end has closed the connection or sent an invalid message."""


class ReportContent(ReportModel):
    """The content of a report without the file's path, which the parent already has."""

    media: Media | None
    participants: tuple[ParticipantReport, ...]
    findings: tuple[Finding, ...]
    files: tuple[FileReport, ...] = ()
    curves: Curves | None


class ChildMessage(ReportModel):
    """A message from the child: it is ready, it has made progress, or it has finished with a report or an error.

    ``progress`` is the position in the file in seconds, and ``error`` is the operating system's error number. If
    several files are read, ``source`` is the number of the current one, and ``progress`` includes the files before it.
    """

    ready: bool = False
    progress: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    source: Annotated[int, Field(ge=0)] = 0
    error: Annotated[int, Field(gt=0, lt=_LARGEST_ERRNO)] | None = None
    report: ReportContent | None = None

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse a message. Raises ProtocolError if the message is invalid."""
        try:
            return cls.model_validate(json.loads(data.decode("utf-8", "surrogatepass")))
        except (ValidationError, ValueError, RecursionError) as error:
            message = "invalid message"
            raise ProtocolError(message) from error

    def result(self, request: VerifyRequest) -> Report | OSError | None:
        """Return the report or the error that the message contains, or None if the child is still reading the file."""
        if self.error is not None:
            return OSError(self.error, os.strerror(self.error))
        return request.report(**dict(self.report) | {"files": self._files(request)}) if self.report else None

    def _files(self, request: VerifyRequest) -> tuple[FileReport, ...]:
        """Return the list of files with the paths from the request. Raises ProtocolError if files are missing."""
        files, sources = self.report.files if self.report else (), request.display_sources
        if files and len(files) != len(sources):
            message = f"{len(files)} files instead of {len(sources)}"
            raise ProtocolError(message)
        return tuple(
            one.model_copy(update={"path": source.path, "name": source.name})
            for one, source in zip(files, sources, strict=False)
        )


def encode_ready() -> bytes:
    """Encode a "ready" message, which states that the child is waiting for a request."""
    return _encode({"ready": True})


def encode_progress(at: float, source: int = 0) -> bytes:
    """Encode a progress message, which states that the file has been read up to ``at`` seconds.

    ``source`` is the number of the current file if several files are read.
    """
    return _encode({"progress": at, "source": source})


def encode_error(error: OSError) -> bytes:
    """Encode an error as a message that contains the error number."""
    number = error.errno or 0
    return _encode({"error": number if 0 < number < _LARGEST_ERRNO else errno.EIO})


def encode_report(report: Report) -> bytes:
    """Encode a report as a message, including the fields that the report's JSON omits."""
    curves = report.curves
    content = report.model_dump(mode="json", include={"media", "participants", "findings", "files"}) | {
        # Omit default values, because including them would make a manifest several times as large.
        "curves": curves and _CURVES.dump_python(curves, mode="json", by_alias=True, exclude_defaults=True),
    }
    return _encode({"report": content})


def encode_request(request: VerifyRequest) -> bytes:
    """Pickle a request."""
    return pickle.dumps(request)


def decode_request(data: bytes) -> VerifyRequest:
    """Unpickle a request, which must come from the parent."""
    request: VerifyRequest = pickle.loads(data)  # noqa: S301 (the parent has started this process)
    return request


def send(connection: socket.socket, data: bytes, *, deadline: Deadline | None = None) -> None:
    """Send a message.

    Raises ConnectionError if the other end has closed the connection. Raises TimeoutError if the other end does not
    read the message in time.
    """
    rest = memoryview(_SIZE.pack(len(data)) + data)
    while rest:
        rest = rest[_within(connection, deadline, lambda: connection.send(rest)) :]  # noqa: B023 - called at once


def receive(connection: socket.socket, *, deadline: Deadline | None = None) -> bytes:
    """Return the next complete message.

    Raises TimeoutError if the message does not arrive in time. Raises ProtocolError if the other end has closed the
    connection, or if the message is too large.
    """
    (size,) = _SIZE.unpack(_read(connection, _SIZE.size, deadline))
    if size > LARGEST_MESSAGE:
        message = f"a message of {size} bytes is too large"
        raise ProtocolError(message)
    return _read(connection, size, deadline)


def _read(connection: socket.socket, size: int, deadline: Deadline | None) -> bytes:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        got = _within(connection, deadline, lambda: connection.recv_into(rest))  # noqa: B023 - called at once
        if not got:
            message = "the connection is closed"
            raise ProtocolError(message)
        rest = rest[got:]
    return bytes(data)


def _within(connection: socket.socket, deadline: Deadline | None, step: Callable[[], int]) -> int:
    """Call ``step``, which transfers bytes, until it succeeds or the deadline expires; return the number of bytes."""
    while True:
        connection.settimeout(deadline.wait() if deadline else None)
        with contextlib.suppress(TimeoutError):
            return step()


def _encode(value: dict[str, Any]) -> bytes:
    # A file name is not necessarily valid UTF-8.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
