"""What whoever asks and the process that reads say to each other: plain bytes, so many after their number.

A decoder that was taken over may answer anything. What it says is JSON of a known shape, or worth nothing; only
questions, which come from us, are pickled.
"""

from __future__ import annotations

import errno
import json
import os
import pickle
import struct
import time
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import Field, TypeAdapter, ValidationError

from harness.verification.curves import Curves
from harness.verification.facts import Media, Participant, Value
from harness.verification.findings import Finding  # noqa: TC001 (pydantic reads it at run time)

if TYPE_CHECKING:
    import socket

    from harness.verification.judge import Question
    from harness.verification.report import Report

# A manifest, which is part of an answer, may have 64 MB; nothing else is large.
LARGEST: Final = 128 * 1024 * 1024
# The numbers of a system's errors are smaller; libav has others of its own.
_ERRORS: Final = 4096
_NUMBER: Final = struct.Struct("!I")
_CURVES: Final = TypeAdapter(Curves)


class NonsenseError(Exception):
    """The other end is gone, or says what it can't mean."""


class Judged(Value):
    """A report as it travels: whose file it is, and what that is called, whoever asked knows."""

    media: Media | None
    participants: tuple[Participant, ...]
    findings: tuple[Finding, ...]
    curves: Curves | None


class Answer(Value):
    """What the process says: how far it is, in seconds of the file, and in the end a report or the system's error."""

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


def send(line: socket.socket, data: bytes, *, end: float | None = None) -> None:
    """Say something; raises ConnectionError where nobody is there, TimeoutError where nobody listens till ``end``."""
    line.settimeout(_left(end))
    line.sendall(_NUMBER.pack(len(data)) + data)


def receive(line: socket.socket, *, end: float | None = None) -> bytes:
    """Return what is said next, all of it.

    Raises TimeoutError where it is not there at ``end``, on the monotonic clock, and NonsenseError where nobody is at
    the other end any more, or says that more will follow than is sensible.
    """
    (number,) = _NUMBER.unpack(_read(line, _NUMBER.size, end))
    if number > LARGEST:
        message = f"{number} bytes are too many"
        raise NonsenseError(message)
    return _read(line, number, end)


def _read(line: socket.socket, number: int, end: float | None) -> bytes:
    data = bytearray(number)
    rest = memoryview(data)
    while rest:
        line.settimeout(_left(end))
        got = line.recv_into(rest)
        if not got:
            message = "nobody is there"
            raise NonsenseError(message)
        rest = rest[got:]
    return bytes(data)


def _left(end: float | None) -> float | None:
    """Return how many seconds are left; raises TimeoutError where none are."""
    if end is None:
        return None
    if (left := end - time.monotonic()) <= 0:
        raise TimeoutError
    return left


def _bytes(value: dict[str, Any]) -> bytes:
    # The name of a file need not be text.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
