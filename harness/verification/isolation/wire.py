"""What whoever asks and the process that reads say to each other: plain bytes, so many after their number.

A decoder that was taken over may answer anything. What it says is JSON of a known shape, or worth nothing; only
questions, which come from us, are pickled.
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
from harness.verification.values.models import Media, ParticipantReport, ReportModel

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from harness.verification.report.report import Report
    from harness.verification.request import Question

# A manifest, which is part of an answer, may have 64 MB; nothing else is large.
LARGEST: Final = 128 * 1024 * 1024
# The numbers of a system's errors are smaller; libav has others of its own.
_ERRORS: Final = 4096
_NUMBER: Final = struct.Struct("!I")
_CURVES: Final = TypeAdapter(Curves)


class Deadline(Protocol):
    """Says for how long to wait before asking again."""

    def wait(self) -> float:
        """Return a time in seconds; raises TimeoutError when there is none left."""


class NonsenseError(Exception):
    """The other end is gone, or says what it can't mean."""


class Judged(ReportModel):
    """A report as it travels: whose file it is, and what that is called, whoever asked knows."""

    media: Media | None
    participants: tuple[ParticipantReport, ...]
    findings: tuple[Finding, ...]
    curves: Curves | None


class Answer(ReportModel):
    """What the process says: that it is ready, how far it is in seconds of the file, in the end a report or an error.

    ``error`` is the number of an error of the operating system.
    """

    ready: bool = False
    at: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    error: Annotated[int, Field(gt=0, lt=_ERRORS)] | None = None
    judged: Judged | None = None

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Return the answer that bytes are; raises NonsenseError where they are none."""
        try:
            return cls.model_validate(json.loads(data.decode("utf-8", "surrogatepass")))
        except (ValidationError, ValueError, RecursionError) as error:
            message = "this is no answer"
            raise NonsenseError(message) from error

    def to(self, question: Question) -> Report | OSError | None:
        """Return what the question comes to; None where reading goes on."""
        if self.error is not None:
            return OSError(self.error, os.strerror(self.error))
        return question.report(**dict(self.judged)) if self.judged else None


def as_ready() -> bytes:
    """Return as bytes that the process has started and waits for a question."""
    return _bytes({"ready": True})


def as_pulse(at: float) -> bytes:
    """Return how far reading has come, as bytes."""
    return _bytes({"at": at})


def as_error(error: OSError) -> bytes:
    """Return the number of an error, as bytes."""
    number = error.errno or 0
    return _bytes({"error": number if 0 < number < _ERRORS else errno.EIO})


def as_answer(report: Report) -> bytes:
    """Return a report as bytes, with what its own JSON leaves out."""
    curves = report.curves
    judged = report.model_dump(mode="json", include={"media", "participants"}) | {
        "findings": [one.model_dump(mode="json") | {"warning": one.warning} for one in report.findings],
        # A manifest from elsewhere would be several times as large with all that it leaves to be understood.
        "curves": curves and _CURVES.dump_python(curves, mode="json", by_alias=True, exclude_defaults=True),
    }
    return _bytes({"judged": judged})


def as_question(question: Question) -> bytes:
    """Return a question as bytes."""
    return pickle.dumps(question)


def question_of(data: bytes) -> Question:
    """Return the question that bytes are, which must come from us."""
    question: Question = pickle.loads(data)  # noqa: S301 (whoever asks has started us)
    return question


def send(line: socket.socket, data: bytes, *, deadline: Deadline | None = None) -> None:
    """Send a message.

    Raises ConnectionError where the other end is gone, TimeoutError where it does not read in time.
    """
    rest = memoryview(_NUMBER.pack(len(data)) + data)
    while rest:
        rest = rest[_within(line, deadline, lambda: line.send(rest)) :]  # noqa: B023 - called at once


def receive(line: socket.socket, *, deadline: Deadline | None = None) -> bytes:
    """Return the next message, whole.

    Raises TimeoutError where it does not come in time, and NonsenseError where the other end is gone, or announces more
    than a message can hold.
    """
    (number,) = _NUMBER.unpack(_read(line, _NUMBER.size, deadline))
    if number > LARGEST:
        message = f"{number} bytes are too many"
        raise NonsenseError(message)
    return _read(line, number, deadline)


def _read(line: socket.socket, number: int, deadline: Deadline | None) -> bytes:
    data = bytearray(number)
    rest = memoryview(data)
    while rest:
        got = _within(line, deadline, lambda: line.recv_into(rest))  # noqa: B023 - called at once
        if not got:
            message = "nobody is there"
            raise NonsenseError(message)
        rest = rest[got:]
    return bytes(data)


def _within(line: socket.socket, deadline: Deadline | None, step: Callable[[], int]) -> int:
    """Return what ``step`` returns, which moves bytes, asking the deadline again and again while none move."""
    while True:
        line.settimeout(deadline.wait() if deadline else None)
        with contextlib.suppress(TimeoutError):
            return step()


def _bytes(value: dict[str, Any]) -> bytes:
    # The name of a file need not be text.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
