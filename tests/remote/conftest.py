"""Browsers that Playwright serves in a process of its own, with a temporary folder of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from harness.browser.locate import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Server:
    """A running ``playwright run-server``."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir()
        command = [sys.executable, "-m", "playwright", "run-server", "--host", "127.0.0.1", *arguments]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Nothing of ours is there: no temporary folder, no home.
            env={**os.environ, "TMPDIR": str(folder), "HOME": str(folder)},
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
        if self.process.stdout:
            self.process.stdout.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server of browsers."""
    servers: list[Server] = []

    def serve(*arguments: str) -> Server:
        servers.append(Server(tmp_path / f"elsewhere {len(servers)}", *arguments))
        return servers[-1]

    yield serve
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def there() -> dict[str, Any]:
    """Return where Chrome is, as far as the server is concerned."""
    return {"executable": locate(None).executable}
