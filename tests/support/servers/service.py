"""Run third-party servers on free ports for tests."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Maximum time until a new server accepts connections, in seconds.
_UP_WITHIN: Final = 20.0


def free_port() -> int:
    """Return a free loopback port outside the range that the system uses for outgoing connections."""
    while True:
        port = random.randrange(20_000, 30_000)  # noqa: S311 - no secret
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


class Service:
    """A program that listens on a loopback port, and whose output is written to a file."""

    def __init__(self, program: Sequence[str], port: int, log: Path) -> None:
        self._program = program
        self._port = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """The program's output so far."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Start the program, and return once it accepts connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._program, stdout=log, stderr=subprocess.STDOUT, cwd=self._log.parent)
        end = time.monotonic() + _UP_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < end, self.log
                threading.Event().wait(0.05)
            else:
                return

    def kill(self) -> None:
        """Kill the program."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
