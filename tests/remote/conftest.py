"""Fixtures that serve browsers with Playwright in a separate process, which has its own temporary folder."""

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
    """A running browser server, started with the installed Playwright or with the command in ``driver``."""

    def __init__(self, *arguments: str, prefix: Sequence[str] = (), driver: Sequence[str] = _OURS) -> None:
        # Chrome creates sockets in this folder, and the paths of sockets must be short.
        self._folder = tempfile.TemporaryDirectory(prefix="pw", ignore_cleanup_errors=True)
        folder = self._folder.name
        command = [*prefix, *driver, *arguments]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # The server shares neither the tests' temporary folder nor their home folder.
            env={**os.environ, "TMPDIR": folder, "HOME": folder},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ws://" in line, line + self.process.stdout.read()
        self.url = line[line.index("ws://") :].strip()

    def kill(self) -> None:
        """Kill the server and all its browsers without warning."""
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
def remote_chrome() -> dict[str, Any]:
    """Return the ``open_room`` option that specifies Chrome's path on the server's machine."""
    return {"executable": locate(None).executable}


@pytest.fixture
def other_network() -> Iterator[tuple[str, ...]]:
    """Return a command prefix that runs a program in another network namespace, and that namespace's address."""
    name = f"h{os.getpid() % 100_000}"
    near, far = f"{name}a", f"{name}b"
    inside = ("ip", "netns", "exec", name)
    steps = (
        ("ip", "netns", "add", name),
        ("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name),
        ("ip", "address", "add", "10.213.7.1/30", "dev", near),
        ("ip", "link", "set", near, "up"),
        (*inside, "ip", "address", "add", "10.213.7.2/30", "dev", far),
        (*inside, "ip", "link", "set", far, "up"),
        (*inside, "ip", "link", "set", "lo", "up"),
    )
    try:
        for step in steps:
            if shutil.which("ip") is None or subprocess.run(step, capture_output=True, check=False).returncode != 0:
                pytest.skip("A network namespace requires Linux, iproute2 and root.")
        yield *inside, "10.213.7.2"
    finally:
        if shutil.which("ip"):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
