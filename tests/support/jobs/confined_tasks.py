"""Tasks for the confined process that behave like a decoder of hostile media."""

from __future__ import annotations

import os
import resource
import threading
from typing import TYPE_CHECKING, Any

from harness.recording.isolation.task_process import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    Send = Callable[[Message], None]


def needs_memory(request: dict[str, Any], send: Send) -> None:
    """Allocate the requested number of bytes."""
    held = bytearray(request["bytes"])
    send(Message(kind="at", at=len(held)))


def tells_limits(request: dict[str, Any], send: Send) -> None:
    """Send the limits on open files and core files, and the number of threads that numeric libraries may use."""
    del request
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE):
        send(Message(kind="at", at=resource.getrlimit(kind)[0]))
    send(Message(kind="at", at=float(os.environ["OPENBLAS_NUM_THREADS"])))


def crashes(request: dict[str, Any], send: Send) -> None:
    """Abort like a decoder with a buffer overflow."""
    del request, send
    os.abort()


def never_ends(request: dict[str, Any], send: Send) -> None:
    """Send the process ID, then block forever."""
    del request
    send(Message(kind="at", at=os.getpid()))
    threading.Event().wait()


def has_a_fault(request: dict[str, Any], send: Send) -> None:
    """Raise an error, as a bug in the harness's code would."""
    del send
    raise KeyError(request["key"])


def reports_progress(request: dict[str, Any], send: Send) -> None:
    """Report progress without a pause, for ever."""
    del request
    while True:
        send(Message(kind="at"))
