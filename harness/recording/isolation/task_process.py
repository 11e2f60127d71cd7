"""Have work on media from elsewhere done in a confined process of its own, which ends with the process that asked.

The two talk over a socket, a line of JSON a message. The first message tells what to do, and ``done`` or ``failed`` is
the last one.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from av.error import FFmpegError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import SetupError
from harness.recording.isolation.child import Child, CpuDeadline, confine
from harness.recording.timeline import Moment, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

# How many files may be open: two media, and what Python itself needs.
_FILES: Final = 64
# How much processor time the process may take to start, and for what it does between two messages, in seconds.
_STARTS_WITHIN: Final = 60.0
_SILENT_FOR: Final = 60.0
# In bytes.
_LONGEST_MESSAGE: Final = 65_536
_CRASHED: Final = "it crashes the decoder"
_PROGRAM: Final = "from harness.recording.isolation.task_process import main; main()"


class Failure(BaseModel):
    """Why the work failed: ``number`` is an errno where the system refused something."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["system", "file", "memory", "fault"]
    message: Annotated[Words, Field(max_length=2000)] = ""
    number: int | None = None


class Message(BaseModel):
    """A message of the process.

    ``length`` is how long the file says that it lasts, ``at`` how far the work is, ``silence`` where silence was put
    in, and how much; all are in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ready", "length", "at", "silence", "done", "failed"]
    at: Moment = 0.0
    seconds: Moment = 0.0
    failure: Failure | None = None


class CrashedError(Exception):
    """The process ended, or said what it never says, before it was done."""


class StuckError(Exception):
    """The process said nothing for too long."""


class TaskProcess:
    """A confined process that calls ``task``, as "module:function", with a request; a context manager, which ends it.

    The function gets the request and a function to send messages with. If this process ends first, the confined one
    removes ``partial``, the file that it writes.

    Raises SetupError on entering where the process can't be started.
    """

    def __init__(self, task: str, request: dict[str, Any], *, partial: Path) -> None:
        self._order = {"task": task, "request": request, "partial": os.fsencode(partial).hex()}
        self._rest = b""

    def __enter__(self) -> Self:
        """Start the process, and return when it is ready."""
        self._line, theirs = socket.socketpair()
        try:
            with theirs:
                self._child = Child(_PROGRAM, str(theirs.fileno()), pass_fds=[theirs.fileno()])
        except SetupError:
            self._line.close()
            raise
        try:
            self._line.sendall(json.dumps(self._order).encode() + b"\n")
            self._receive(_STARTS_WITHIN)
        except (CrashedError, StuckError, OSError) as error:
            failure = self._child.failed_to_start("it was not ready in time")
            self._end()
            raise failure from error
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, whatever it does."""
        self._end()

    def messages(self) -> Iterator[Message]:
        """Yield what the process says, up to ``done`` or ``failed``.

        Raises CrashedError where it ends before, and StuckError where it works for a minute without a message.
        """
        while True:
            message = self._receive(_SILENT_FOR)
            yield message
            if message.kind in {"done", "failed"}:
                return

    def _receive(self, seconds: float) -> Message:
        deadline = CpuDeadline(self._child.process.pid, seconds)
        while b"\n" not in self._rest:
            try:
                self._line.settimeout(deadline.wait())
            except TimeoutError as error:
                problem = f"the decoder makes no progress, after {deadline.elapsed:.0f} s"
                raise StuckError(problem) from error
            try:
                piece = self._line.recv(_LONGEST_MESSAGE)
            except TimeoutError:
                continue
            except OSError as error:
                raise CrashedError(_CRASHED) from error
            self._rest += piece
            if not piece or (b"\n" not in self._rest and len(self._rest) > _LONGEST_MESSAGE):
                raise CrashedError(_CRASHED)
        line, self._rest = self._rest.split(b"\n", 1)
        try:
            return Message.model_validate_json(line)
        except ValidationError as error:
            raise CrashedError(_CRASHED) from error

    def _end(self) -> None:
        # While it lives the end of the connection would make it remove what it wrote.
        self._child.end()
        self._line.close()


def main() -> None:
    """Do what the first message asks for; it comes through the connection whose number is the first argument."""
    line = socket.socket(fileno=int(sys.argv[1]))
    order = json.loads(line.makefile("rb").readline())
    partial = Path(os.fsdecode(bytes.fromhex(order["partial"])))
    threading.Thread(target=_end_with, args=(line.fileno(), partial), daemon=True).start()
    module, _, name = order["task"].partition(":")
    task = getattr(importlib.import_module(module), name)
    confine(files=_FILES, writes=True)

    def send(message: Message) -> None:
        line.sendall(message.model_dump_json(exclude_defaults=True).encode() + b"\n")

    send(Message(kind="ready"))
    send(_outcome(task, order["request"], send))
    # Until the file has its name, it is removed where the other process ends.
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
    # PyAV raises a ValueError for text that is none, and for a layout of channels that there is not.
    except (FFmpegError, ValueError) as error:
        failure = Failure(kind="file", message=_short(getattr(error, "strerror", error)))
    except Exception as error:  # noqa: BLE001 - a fault of ours is reported as one, and is no fault of the file
        failure = Failure(kind="fault", message=type(error).__name__)
    else:
        return Message(kind="done")
    return Message(kind="failed", failure=failure)


def _short(reason: object) -> str:
    return str(reason).encode(errors="replace").decode()[:500]


def _end_with(line: int, partial: Path) -> None:
    """End when the other end of the connection is gone, also in the middle of a file that never ends."""
    watch = select.poll()
    # That nobody is there is reported without being asked for.
    watch.register(line, 0)
    watch.poll()
    partial.unlink(missing_ok=True)
    os._exit(0)
