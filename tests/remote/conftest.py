"""Browsers that Playwright serves, in a separate process with a temporary folder of its own."""

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
    """A running browser server: Playwright's own program, or the ``driver`` of another version."""

    def __init__(self, *arguments: str, prefix: Sequence[str] = (), driver: Sequence[str] = _OURS) -> None:
        # The paths of Chrome's sockets must be short.
        self._folder = tempfile.TemporaryDirectory(prefix="pw", ignore_cleanup_errors=True)
        folder = self._folder.name
        command = [*prefix, *driver, *arguments]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # It shares nothing with us: no temporary folder, no home.
            env={**os.environ, "TMPDIR": folder, "HOME": folder},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ws://" in line, line + self.process.stdout.read()
        self.url = line[line.index("ws://") :].strip()

    def kill(self) -> None:
        """End it and every browser that it started, without a warning."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._folder.cleanup()
        if self.process.stdout:
            self.process.stdout.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Return a function that starts a browser server."""
    servers: list[Server] = []

    def serve(*arguments: str, **options: Any) -> Server:
        servers.append(Server(*(arguments or ("run-server", "--host", "127.0.0.1", "--unsafe")), **options))
        return servers[-1]

    yield serve
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def there() -> dict[str, Any]:
    """Return the path of Chrome on the server's machine."""
    return {"executable": locate(None).executable}


@pytest.fixture
def other_network() -> Iterator[tuple[str, ...]]:
    """Return the prefix that runs a command in another network, and its address there."""
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
