"""Tasks for the confined process that behave as hostile media make a decoder behave."""

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
    """Allocate as many bytes as are asked for."""
    held = bytearray(request["bytes"])
    send(Message(kind="at", at=len(held)))


def tells_limits(request: dict[str, Any], send: Send) -> None:
    """Tell the limits on open files and core files, and whether numeric libraries have one thread."""
    del request
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE):
        send(Message(kind="at", at=resource.getrlimit(kind)[0]))
    send(Message(kind="at", at=float(os.environ["OPENBLAS_NUM_THREADS"])))


def crashes(request: dict[str, Any], send: Send) -> None:
    """End as a decoder does that is overrun."""
    del request, send
    os.abort()


def never_ends(request: dict[str, Any], send: Send) -> None:
    """Tell the own number, and then nothing."""
    del request
    send(Message(kind="at", at=os.getpid()))
    threading.Event().wait()


def has_a_fault(request: dict[str, Any], send: Send) -> None:
    """Fail as our own code may."""
    del send
    raise KeyError(request["key"])
