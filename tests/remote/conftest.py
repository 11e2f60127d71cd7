"""Browsers that Playwright serves in a process of its own, with a temporary folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from harness.browser.locate import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_OURS = (sys.executable, "-m", "playwright")


class Server:
    """A running server of browsers, by Playwright's own program or another version's ``driver``."""

    def __init__(self, *arguments: str, prefix: Sequence[str] = (), driver: Sequence[str] = _OURS) -> None:
        # Chrome's sockets have names that may not be long.
        self._folder = tempfile.TemporaryDirectory(prefix="pw", ignore_cleanup_errors=True)
        folder = self._folder.name
        command = [*prefix, *driver, *arguments]
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

    def serve(*arguments: str, **options: Any) -> Server:
        servers.append(Server(*(arguments or ("run-server", "--host", "127.0.0.1", "--unsafe")), **options))
        return servers[-1]

    yield serve
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def there() -> dict[str, Any]:
    """Return where Chrome is, as far as the server is concerned."""
    return {"executable": locate(None).executable}


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, ...]]:
    """Return what a command is to begin with to run in another network, and its address there."""
    name = f"h{os.getpid() % 100_000}"
    here, there = f"{name}a", f"{name}b"
    inside = ("ip", "netns", "exec", name)
    steps = (
        ("ip", "netns", "add", name),
        ("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name),
        ("ip", "address", "add", "10.213.7.1/30", "dev", here),
        ("ip", "link", "set", here, "up"),
        (*inside, "ip", "address", "add", "10.213.7.2/30", "dev", there),
        (*inside, "ip", "link", "set", there, "up"),
        (*inside, "ip", "link", "set", "lo", "up"),
    )
    try:
        for step in steps:
            if shutil.which("ip") is None or subprocess.run(step, capture_output=True, check=False).returncode != 0:
                pytest.skip("Another network takes Linux, iproute2 and root.")
        yield *inside, "10.213.7.2"
    finally:
        if shutil.which("ip"):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
