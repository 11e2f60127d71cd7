"""coturn from Debian, on loopback, with passwords that it makes from a shared secret."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_UP_WITHIN: Final = 10.0


def installed() -> bool:
    """Tell whether there is a coturn here."""
    return shutil.which("turnserver") is not None


class Turn:
    """A running TURN server; ``relay_ip`` is where its packets to others come from."""

    def __init__(self, folder: Path, relay_ip: str = "127.0.0.1") -> None:
        self._relay_ip = relay_ip
        self.secret = secrets.token_hex(16)
        self._log = folder / "turn.log"
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"turn:127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text(errors="replace")

    def __enter__(self) -> Self:
        options = {
            "listening-ip": "127.0.0.1",
            "relay-ip": self._relay_ip,
            "listening-port": self._port,
            "static-auth-secret": self.secret,
            "realm": "harness",
            "userdb": self._folder / "turn.db",
            "pidfile": self._folder / "turn.pid",
            "log-file": "stdout",
        }
        switches = ("use-auth-secret", "allow-loopback-peers", "no-tls", "no-dtls", "no-cli", "verbose", "simple-log")
        program = [
            *("turnserver", "-n"),
            *(f"--{name}={value}" for name, value in options.items()),
            *(f"--{name}" for name in switches),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(program, stdout=log, stderr=subprocess.STDOUT, cwd=self._folder)
        end = time.monotonic() + _UP_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < end, self.log
                threading.Event().wait(0.05)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
