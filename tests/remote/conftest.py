"""Browsers that Playwright serves in a process of its own, with a temporary folder of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from harness.browser.locate import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Server:
    """A running server of browsers, by Playwright's own program."""

    def __init__(self, *arguments: str) -> None:
        # Chrome's sockets have names that may not be long.
        self._folder = tempfile.TemporaryDirectory(prefix="pw", ignore_cleanup_errors=True)
        folder = self._folder.name
        command = [sys.executable, "-m", "playwright", *arguments]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Nothing of ours is there: no temporary folder, no home.
            env={**os.environ, "TMPDIR": folder, "HOME": folder},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ws://" in line, line + self.process.stdout.read()
        self.url = line[line.index("ws://") :].strip()

    def kill(self) -> None:
        """End it, and every browser that it started, without a word."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._folder.cleanup()
        if self.process.stdout:
            self.process.stdout.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server of browsers."""
    servers: list[Server] = []

    def serve(*arguments: str) -> Server:
        servers.append(Server(*(arguments or ("run-server", "--host", "127.0.0.1", "--unsafe"))))
        return servers[-1]

    yield serve
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def there() -> dict[str, Any]:
    """Return where Chrome is, as far as the server is concerned."""
    return {"executable": locate(None).executable}
