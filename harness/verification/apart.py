"""Files are read in a process of its own, so that a hostile one can neither hang nor crash whoever asks.

The process is kept for the next question, and ends with us: whatever ends us ends the connection.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from harness.errors import SetupError
from harness.recording.disk import stored_bytes
from harness.recording.recording import LARGEST_MANIFEST
from harness.verification.wire import Answer, NonsenseError, as_question, receive, send

if TYPE_CHECKING:
    from harness.verification.judge import Question
    from harness.verification.report import Report

# How long reading may take, in seconds: for the beginning, and more for every second of the file that was read. Reading
# is ten times faster than playing; a busy machine is slower.
_AT_LEAST: Final = 10.0
_PER_SECOND: Final = 0.5
# What claims to be longer than its bytes can tell is not: fewer bytes a second are not even silence.
_FEWEST_BYTES: Final = 500
# The whole file is hashed, too, which a disk may make slow.
_BYTES_PER_SECOND: Final = 20e6
# What lies beside it is read, too: a manifest of the largest size, which is JSON, takes half a minute at most.
_TOLD_BYTES_PER_SECOND: Final = 2e6
_START: Final = "import sys; sys.path[:] = {path!r}; from harness.verification.worker import main; main()"


class _Worker:
    """A process that reads files."""

    def __init__(self) -> None:
        self.line, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _START.format(path=sys.path), str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                self.line.close()
                message = f"The process that reads recordings can't be started by {sys.executable}: {error.strerror}."
                raise SetupError(message) from error

    def end(self) -> None:
        """End the process, whatever it does; it holds nothing."""
        self.line.close()
        self._process.kill()
        self._process.wait()


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
            worker = self._idle.pop() if self._idle else _Worker()
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

    Raises OSError where the file can't be read.
    """
    size = stored_bytes(question.path)
    beside = min(stored_bytes(question.beside), LARGEST_MANIFEST) if question.beside.is_file() else 0
    worker = _WORKERS.take()
    began = time.monotonic()
    try:
        answer = _answer(worker.line, question, size=size, beside=beside)
    except (NonsenseError, ConnectionError):
        _WORKERS.drop(worker)
        return question.unreadable("crashes the decoder that reads it.")
    except TimeoutError:
        _WORKERS.drop(worker)
        return question.unreadable(f"could not be read within {time.monotonic() - began:.0f} s.")
    except BaseException:
        _WORKERS.drop(worker)
        raise
    _WORKERS.give_back(worker)
    if isinstance(answer, OSError):
        raise answer
    return answer


def _answer(line: socket.socket, question: Question, *, size: int, beside: int) -> Report | OSError:
    """Return the answer; raises TimeoutError when it takes longer than so many bytes, and those beside them, may."""
    least = time.monotonic() + _AT_LEAST + size / _BYTES_PER_SECOND + beside / _TOLD_BYTES_PER_SECOND
    end = least
    send(line, as_question(question), end=end)
    while True:
        said = Answer.of(receive(line, end=end))
        if (answer := said.to(question)) is not None:
            return answer
        # A file that tells ever later times earns no more than its bytes allow.
        end = least + _PER_SECOND * min(said.at, size / _FEWEST_BYTES)
