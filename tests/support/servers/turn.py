"""coturn from Debian on loopback, with passwords derived from a shared secret."""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING

from tests.support.servers.service import Service, free_port

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self


def installed() -> bool:
    """Return whether coturn is installed."""
    return shutil.which("turnserver") is not None


class Turn:
    """A running TURN server; ``relay_ip`` is the address from which it relays packets."""

    def __init__(self, folder: Path, relay_ip: str = "127.0.0.1") -> None:
        self.secret = secrets.token_hex(16)
        port = free_port()
        self.url = f"turn:127.0.0.1:{port}"
        options = {
            "listening-ip": "127.0.0.1",
            "relay-ip": relay_ip,
            "listening-port": port,
            "static-auth-secret": self.secret,
            "realm": "harness",
            "userdb": folder / "turn.db",
            "pidfile": folder / "turn.pid",
            "log-file": "stdout",
        }
        switches = ("use-auth-secret", "allow-loopback-peers", "no-tls", "no-dtls", "no-cli", "verbose", "simple-log")
        program = [
            *("turnserver", "-n"),
            *(f"--{name}={value}" for name, value in options.items()),
            *(f"--{name}" for name in switches),
        ]
        self._service = Service(program, port, folder / "turn.log")

    @property
    def log(self) -> str:
        """The TURN server's output so far."""
        return self._service.log

    def __enter__(self) -> Self:
        self._service.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service.kill()
