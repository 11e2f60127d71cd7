"""Janus from Debian with our own configuration and signed tokens; every test starts its own Janus.

Janus's WebSockets listen on loopback. Janus's media can't use loopback, because Janus ignores loopback addresses.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import shutil
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from tests.support.servers.service import Service, free_port

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_LIBRARIES: Final = Path("/usr/lib")
_PLUGIN: Final = "janus.plugin.videoroom"
_GENERAL: Final = """
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{folder}/plugins"
  transports_folder = "{folder}/transports"
  debug_level = 4
  session_timeout = {session_timeout}
  token_auth = {token_auth}
  token_auth_secret = "{secret}"
}}
nat: {{ ice_enforce_list = "{address}" }}
media: {{ rtp_port_range = "20000-40000" }}
"""
_SOCKETS: Final = """
general: {{ ws = true, ws_port = {port}, ws_ip = "127.0.0.1" }}
"""
_ROOMS: Final = """
general: { string_ids = true }
"""
# The room that Janus's own demo pages use.
_DEMO_ROOM: Final = """
room-1234: {
  description = "Demo Room"
  publishers = 6
  bitrate = 512000
  fir_freq = 10
  audiocodec = "opus"
  videocodec = "vp8"
}
"""


def installed() -> bool:
    """Return whether Janus is installed and this machine has an address for its media."""
    return shutil.which("janus") is not None and own_address() is not None


def own_address() -> str | None:
    """Return an address of this machine that is not loopback, or None."""
    up = {name for name, about in psutil.net_if_stats().items() if about.isup}
    for name, addresses in psutil.net_if_addrs().items():
        for one in addresses:
            if name in up and one.family is socket.AF_INET and not one.address.startswith("127."):
                return one.address
    return None


class Janus:
    """A running Janus server; tests in which Janus fails call ``kill`` and ``start``."""

    def __init__(self, folder: Path, *, demo: bool = False) -> None:
        """Configure a server in ``folder``; ``demo`` is for Janus's own demo pages, which use no tokens."""
        self.secret = secrets.token_hex(16)
        port = free_port()
        self.url = f"ws://127.0.0.1:{port}"
        program = ("janus", "-C", str(folder / "janus.jcfg"), "-F", str(folder), "--disable-colors")
        self._service = Service(program, port, folder / "janus.log")
        (folder / "janus.jcfg").write_text(
            _GENERAL.format(
                folder=folder,
                secret=self.secret,
                address=own_address(),
                token_auth="false" if demo else "true",
                # The demo pages send a message only every 25 s while nothing happens.
                session_timeout=60 if demo else 15,
            )
        )
        (folder / "janus.transport.websockets.jcfg").write_text(_SOCKETS.format(port=port))
        (folder / f"{_PLUGIN}.jcfg").write_text(_DEMO_ROOM if demo else _ROOMS)
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
        """The output of Janus so far."""
        return self._service.log

    def token(self, *, seconds: float = 3600.0) -> str:
        """Return a token that is valid for this many seconds, with its expiry time, purpose and signature."""
        claims = f"{int(time.time() + seconds)},janus,{_PLUGIN}"
        signature = hmac.new(self.secret.encode(), claims.encode(), hashlib.sha1).digest()
        return f"{claims}:{base64.b64encode(signature).decode()}"

    def start(self) -> None:
        """Start Janus, and return once it accepts connections."""
        self._service.start()

    def kill(self) -> None:
        """Kill Janus."""
        self._service.kill()
