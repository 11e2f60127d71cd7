"""Run a task on untrusted media in a confined process that ends together with its parent.

The parent and the confined process exchange messages over a socket; each message is one line of JSON. The first message
defines the task, and the last message is ``done`` or ``failed``.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from av.error import FFmpegError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.recording.isolation.child import ConnectedChild, CpuDeadline, confine, exit_with_parent
from harness.recording.timeline import Moment, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

# Maximum number of open files: two media files, and those that Python itself needs.
_FILES: Final = 64
# CPU time that the process can use between two messages, in seconds.
_SILENT_FOR: Final = 60.0
# Maximum length of a warning, in characters.
LONGEST_WARNING: Final = 1000
# Maximum length of a message, in bytes.
_LONGEST_MESSAGE: Final = 65_536
_CRASHED: Final = "the file crashes the decoder"
_PROGRAM: Final = "from harness.recording.isolation.task_process import main; main()"


class Failure(BaseModel):
    """The reason why a task failed; ``number`` is the errno of a system error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["system", "file", "memory", "fault"]
    message: Annotated[Words, Field(max_length=2000)] = ""
    number: int | None = None


class Message(BaseModel):
    """A message from the process.

    A ``length`` message reports the length of the file in ``seconds``, and an ``at`` message reports the progress. The
    ``text`` of a ``warning`` message reports what the new file does not keep.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ready", "length", "at", "warning", "done", "failed"]
    at: Moment = 0.0
    seconds: Moment = 0.0
    text: Annotated[Words, Field(max_length=LONGEST_WARNING)] = ""
    failure: Failure | None = None


class CrashedError(Exception):
    """The process ended or sent an invalid message before its task was done."""


class StuckError(Exception):
    """The process worked for too long without sending a message."""


class TaskProcess:
    """A context manager for a confined process that calls ``task`` ("module:function") with a request.

    The task function receives the request and a function that sends messages. If the parent ends first, the confined
    process removes ``partial``, the file that it is writing.

    Entering the context raises SetupError if the process can't be started.
    """

    def __init__(self, task: str, request: dict[str, Any], *, partial: Path) -> None:
        self._task = {"task": task, "request": request, "partial": os.fsencode(partial).hex()}
        self._rest = b""

    def __enter__(self) -> Self:
        """Start the process, and wait until it is ready."""
        self._child = ConnectedChild(_PROGRAM)
        self._child.wait_until_ready(self._is_ready)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process immediately."""
        self._child.end()

    def messages(self) -> Iterator[Message]:
        """Yield the messages from the process, up to ``done`` or ``failed``.

        Raises CrashedError if the process ends before its last message, and StuckError if it works for a minute without
        sending a message.
        """
        while True:
            deadline = self._child.deadline(_SILENT_FOR)
            try:
                message = self._receive(deadline)
            except TimeoutError as error:
                problem = f"the decoder made no progress for {deadline.elapsed:.0f} s"
                raise StuckError(problem) from error
            except OSError as error:
                raise CrashedError(_CRASHED) from error
            yield message
            if message.kind in {"done", "failed"}:
                return

    def _is_ready(self, deadline: CpuDeadline) -> bool:
        self._child.connection.sendall(json.dumps(self._task).encode() + b"\n")
        return self._receive(deadline).kind == "ready"

    def _receive(self, deadline: CpuDeadline) -> Message:
        """Return the process's next message.

        Raises TimeoutError at the deadline, and ConnectionError if the message is invalid or the process ends.
        """
        while b"\n" not in self._rest:
            self._child.connection.settimeout(deadline.wait())
            try:
                piece = self._child.connection.recv(_LONGEST_MESSAGE)
            except TimeoutError:
                continue
            self._rest += piece
            if not piece or (b"\n" not in self._rest and len(self._rest) > _LONGEST_MESSAGE):
                raise ConnectionError
        line, self._rest = self._rest.split(b"\n", 1)
        try:
            return Message.model_validate_json(line)
        except ValidationError as error:
            raise ConnectionError from error


def main() -> None:
    """Run the task in the first message; the program's first argument is the connection's file descriptor."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    order = json.loads(connection.makefile("rb").readline())
    partial = Path(os.fsdecode(bytes.fromhex(order["partial"])))
    exit_with_parent(connection.fileno(), lambda: partial.unlink(missing_ok=True))
    module, _, name = order["task"].partition(":")
    task = getattr(importlib.import_module(module), name)
    confine(files=_FILES, writes=True)

    def send(message: Message) -> None:
        try:
            connection.sendall(message.model_dump_json(exclude_defaults=True).encode() + b"\n")
        except OSError:
            # The parent has ended. If this thread ended first, the process would exit before the watching thread has
            # removed the partial file.
            threading.Event().wait()

    send(Message(kind="ready"))
    send(_outcome(task, order["request"], send))
    # Wait until the parent has renamed the file. If the parent ends before that, this process removes the file.
    threading.Event().wait()


def _outcome(
    task: Callable[[dict[str, Any], Callable[[Message], None]], None],
    request: dict[str, Any],
    send: Callable[[Message], None],
) -> Message:
    try:
        task(request, send)
    except MemoryError:
        failure = Failure(kind="memory")
    except OSError as error:
        failure = Failure(kind="system", number=error.errno, message=_short(error.strerror or error))
    # PyAV raises ValueError for text that is not UTF-8, and for an unknown channel layout.
    except (FFmpegError, ValueError) as error:
        failure = Failure(kind="file", message=_short(getattr(error, "strerror", error)))
    except Exception as error:  # noqa: BLE001 - any other error is a bug in the harness
        failure = Failure(kind="fault", message=type(error).__name__)
    else:
        return Message(kind="done")
    return Message(kind="failed", failure=failure)


def _short(reason: object) -> str:
    return str(reason).encode(errors="replace").decode()[:500]
