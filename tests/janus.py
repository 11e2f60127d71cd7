"""Janus from Debian, with a configuration of its own and signed tokens; every test has one of its own.

Its WebSockets listen on loopback. Its media can't: Janus passes over loopback when it looks for addresses.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_LIBRARIES: Final = Path("/usr/lib")
_PLUGIN: Final = "janus.plugin.videoroom"
# How long, in seconds, it may take to come up.
_UP_WITHIN: Final = 20.0
_GENERAL: Final = """
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{folder}/plugins"
  transports_folder = "{folder}/transports"
  debug_level = 4
  session_timeout = 15
  token_auth = true
  token_auth_secret = "{secret}"
}}
nat: {{ ice_enforce_list = "{address}" }}
media: {{ rtp_port_range = "20000-40000" }}
"""
_SOCKETS: Final = """
general: {{ ws = true, ws_port = {port}, ws_ip = "127.0.0.1" }}
"""
_ROOMS: Final = """
general: {{ string_ids = true }}
"""


def installed() -> bool:
    """Tell whether there is a Janus here, and an address for its media."""
    return shutil.which("janus") is not None and own_address() is not None


def own_address() -> str | None:
    """Return an address of this machine that is not loopback, None where it has no other."""
    up = {name for name, about in psutil.net_if_stats().items() if about.isup}
    for name, addresses in psutil.net_if_addrs().items():
        for one in addresses:
            if name in up and one.family is socket.AF_INET and not one.address.startswith("127."):
                return one.address
    return None


class Janus:
    """A running Janus. ``kill`` and ``start`` are there for tests that do without it for a while."""

    def __init__(self, folder: Path) -> None:
        self.secret = secrets.token_hex(16)
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "janus.log"
        (folder / "janus.jcfg").write_text(_GENERAL.format(folder=folder, secret=self.secret, address=own_address()))
        (folder / "janus.transport.websockets.jcfg").write_text(_SOCKETS.format(port=self._port))
        (folder / f"{_PLUGIN}.jcfg").write_text(_ROOMS.format())
        for kind, name in (("plugins", "libjanus_videoroom.so"), ("transports", "libjanus_websockets.so")):
            (folder / kind).mkdir()
            library = next(_LIBRARIES.glob(f"*/janus/{kind}/{name}"))
            (folder / kind / name).symlink_to(library)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text(errors="replace")

    def token(self, *, seconds: float = 3600.0) -> str:
        """Return a token that lets somebody use rooms for so long: until when, for what, and Janus's signature."""
        said = f"{int(time.time() + seconds)},janus,{_PLUGIN}"
        signature = hmac.new(self.secret.encode(), said.encode(), hashlib.sha1).digest()
        return f"{said}:{base64.b64encode(signature).decode()}"

    def start(self) -> None:
        """Start, and return when it answers."""
        program = ["janus", "-C", str(self._folder / "janus.jcfg"), "-F", str(self._folder), "--disable-colors"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(program, stdout=log, stderr=subprocess.STDOUT)
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
        """End it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
