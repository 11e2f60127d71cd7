"""Files are read in a process of its own, so that a hostile one can neither hang nor crash whoever asks.

The process is kept for the next question, and ends with us: whatever ends us ends the connection.
"""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING, Final

from harness.recording.files.disk import stored_bytes
from harness.recording.isolation.child import ConnectedChild, CpuDeadline
from harness.recording.manifest import LARGEST_MANIFEST
from harness.verification.isolation.wire import Answer, NonsenseError, as_question, receive, send

if TYPE_CHECKING:
    import socket

    from harness.verification.report.report import Report
    from harness.verification.request import Question

# How much processor time reading may take, in seconds: for the beginning, and more for every second of the file that
# was read. On a machine with time to spare reading takes a tenth of a second for each.
_AT_LEAST: Final = 10.0
_PER_SECOND: Final = 1.0
# A file that claims to be longer than its bytes can be is not: fewer bytes a second are not even silence.
_FEWEST_BYTES: Final = 500
# The whole file is hashed as well.
_BYTES_PER_SECOND: Final = 20e6
# What lies beside it is read, too: a manifest of the largest size, which is JSON, takes half a minute at most.
_TOLD_BYTES_PER_SECOND: Final = 2e6
_PROGRAM: Final = "from harness.verification.isolation.worker import main; main()"


class _Worker(ConnectedChild):
    """A process that reads files, and is ready to."""

    def __init__(self) -> None:
        super().__init__(_PROGRAM)
        self.wait_until_ready(self._is_ready)

    def _is_ready(self, deadline: CpuDeadline) -> bool:
        try:
            return Answer.of(receive(self.connection, deadline=deadline)).ready
        except NonsenseError as error:
            raise ConnectionError from error


class _Workers:
    """The processes that wait for a question; each question has one of its own."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._lock = threading.Lock()
        # A fork has its parent's list, not its processes.
        self._owner = os.getpid()

    def take(self) -> _Worker:
        with self._lock:
            if self._owner != os.getpid():
                self._idle, self._busy, self._owner = [], set(), os.getpid()
            worker = self._idle.pop() if self._idle else None
        # Starting takes a second: others need not wait for it.
        worker = worker or _Worker()
        with self._lock:
            self._busy.add(worker)
        return worker

    def give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
            self._idle.append(worker)

    def drop(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
        worker.end()

    def end(self) -> None:
        """End every process, also one that still reads: nobody waits for its answer any more."""
        if self._owner == os.getpid():
            for worker in (*self._idle, *self._busy):
                worker.end()
            self._idle.clear()
            self._busy.clear()


_WORKERS: Final = _Workers()
atexit.register(_WORKERS.end)


def judge_apart(question: Question) -> Report:
    """Return the verdict on a file; one that hangs or crashes its reader gets a report that says so.

    Raises OSError where the file can't be read, SetupError where no process that reads can be started.
    """
    size = stored_bytes(question.path)
    beside = min(stored_bytes(question.beside), LARGEST_MANIFEST) if question.beside.is_file() else 0
    worker = _WORKERS.take()
    deadline = worker.deadline(_AT_LEAST + size / _BYTES_PER_SECOND + beside / _TOLD_BYTES_PER_SECOND)
    try:
        answer = _answer(worker.connection, question, size=size, deadline=deadline)
    except (NonsenseError, ConnectionError):
        _WORKERS.drop(worker)
        return question.unreadable("crashes the decoder that reads it.")
    except TimeoutError:
        _WORKERS.drop(worker)
        return question.unreadable(f"could not be read within {deadline.elapsed:.0f} s.")
    except BaseException:
        _WORKERS.drop(worker)
        raise
    _WORKERS.give_back(worker)
    if isinstance(answer, OSError):
        raise answer
    return answer


def _answer(line: socket.socket, question: Question, *, size: int, deadline: CpuDeadline) -> Report | OSError:
    """Return the answer; every second of the file that was read earns more time, up to what its bytes allow."""
    least = deadline.seconds
    send(line, as_question(question), deadline=deadline)
    while True:
        said = Answer.of(receive(line, deadline=deadline))
        if (answer := said.to(question)) is not None:
            return answer
        # Timestamps that jump ahead earn no more than the bytes of the file do.
        deadline.seconds = least + _PER_SECOND * min(said.at, size / _FEWEST_BYTES)
