"""Define how pages send media (directly, through TURN servers or through an SFU), and the servers' credentials."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from harness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLUGIN: Final = "janus.plugin.videoroom"
# How long credentials are valid, in seconds. Janus checks the token on every request, and TURN servers check the
# password on every allocation.
_VALID_FOR: Final = 86_400.0


@dataclass(frozen=True)
class Sfu:
    """An SFU: a Janus server with the VideoRoom plugin."""

    url: str
    """Janus's WebSocket address, for example ``ws://HOST:8188``."""
    secret: str | None = None
    """Janus's ``token_auth_secret``; None if Janus requires no tokens."""
    room: str | None = None
    """Name of the room on the SFU; servers that use the same name share the room.

    If None, each room of each server has its own room on the SFU.
    """
    valid_for: float = _VALID_FOR
    """How long a token is valid, in seconds."""

    @classmethod
    def parse(cls, text: str, room: str | None = None) -> Self:
        """Return the SFU that has the given address.

        The SFU's secret is read from the environment variable HARNESS_SFU_SECRET.

        Args:
            text: Address in the form ``janus=ws://HOST:PORT``.
            room: Name of the room on the SFU.

        Raises:
            ConfigError: The address does not have the form ``janus=ws://HOST:PORT``.
        """
        kind, _, url = text.partition("=")
        parts = urlsplit(url)
        if kind != "janus" or parts.scheme not in {"ws", "wss"} or not parts.hostname:
            message = f"--sfu: {text!r} is not valid; use janus=ws://HOST:PORT, Janus's WebSocket address."
            raise ConfigError(message)
        return cls(url, os.environ.get("HARNESS_SFU_SECRET"), room=room)

    @property
    def origin(self) -> str:
        """The SFU's origin, which the page's content security policy must allow."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def access(self, room: str, server: str) -> dict[str, Any]:
        """Return the data that a participant in a server's room needs to connect to the SFU."""
        name = self.room or f"{server}/{room}"
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
        token = None if self.secret is None else signed(self.secret, self.valid_for)
        return {"url": self.url, "token": token, "room": number, "name": room, "server": server}


def signed(secret: str, seconds: float) -> str:
    """Return a signed Janus token that contains its expiry time and the plugin's name.

    See https://janus.conf.meetecho.com/docs/auth.
    """
    content = f"{int(time.time() + seconds)},janus,{_PLUGIN}"
    return f"{content}:{_signature(secret, content)}"


@dataclass(frozen=True)
class IceServer:
    """A STUN or TURN server (W3C RTCIceServer)."""

    url: str
    """Address of the server, for example ``stun:HOST:PORT`` or ``turn:HOST:PORT?transport=tcp``."""
    username: str | None = None
    """User name for TURN."""
    credential: str | None = None
    """Password for TURN."""
    secret: str | None = None
    """Secret from which each participant's password is derived, as coturn's ``use-auth-secret`` requires."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the STUN or TURN server that has the given address.

        If a TURN server's address contains no user name, the secret is read from the environment variable
        HARNESS_TURN_SECRET.

        Args:
            text: Address in the form ``stun:HOST:PORT`` or ``turn:[USER:PASSWORD@]HOST:PORT[?transport=tcp]``.

        Raises:
            ConfigError: The address is not valid, or a TURN server has neither a user nor a secret.
        """
        scheme, _, rest = text.partition(":")
        user, at, address = rest.rpartition("@")
        username, colon, credential = user.partition(":")
        if scheme not in {"stun", "stuns", "turn", "turns"} or not address or (at and not (username and colon)):
            message = (
                f"--ice-server: {text!r} is not valid; use stun:HOST:PORT, or turn:USER:PASSWORD@HOST:PORT, "
                "or turn:HOST:PORT with HARNESS_TURN_SECRET."
            )
            raise ConfigError(message)
        if scheme.startswith("stun") or at:
            return cls(f"{scheme}:{address}", username or None, credential or None)
        secret = os.environ.get("HARNESS_TURN_SECRET")
        if not secret:
            message = (
                f"--ice-server: {text!r} has no user; use turn:USER:PASSWORD@HOST:PORT, or set HARNESS_TURN_SECRET "
                "to the server's static-auth-secret."
            )
            raise ConfigError(message)
        return cls(f"{scheme}:{address}", secret=secret)

    def for_member(self, member: str) -> dict[str, str]:
        """Return the server in the format that the page expects (``RTCIceServer``)."""
        username, credential = self.username, self.credential
        if self.secret is not None:
            username = f"{int(time.time() + _VALID_FOR)}:{member}"
            credential = _signature(self.secret, username)
        named = {"username": username, "credential": credential} if username and credential else {}
        return {"urls": self.url, **named}


@dataclass(frozen=True)
class Routes:
    """How media is sent from one participant to the others. By default, media is sent directly from page to page."""

    sfu: Sfu | None = None
    """The SFU that relays all media, or None."""
    ice_servers: tuple[IceServer, ...] = ()
    """The STUN and TURN servers."""
    relay_only: bool = False
    """Whether media must go through TURN servers."""

    @classmethod
    def parse(
        cls,
        *,
        sfu: str | None = None,
        sfu_room: str | None = None,
        ice_servers: Sequence[str] = (),
        relay_only: bool = False,
    ) -> Self:
        """Return the routes that the command-line options configure.

        The secrets are read from the environment variables HARNESS_SFU_SECRET and HARNESS_TURN_SECRET.

        Args:
            sfu: Value of ``--sfu``.
            sfu_room: Value of ``--sfu-room``.
            ice_servers: Values of ``--ice-server``.
            relay_only: Whether ``--relay-only`` was given.

        Raises:
            ConfigError: An option is invalid, or it requires another option that is missing.
        """
        if sfu_room and not sfu:
            message = "--sfu-room needs an SFU; specify one with --sfu janus=ws://HOST:PORT."
            raise ConfigError(message)
        servers = tuple(IceServer.parse(text) for text in ice_servers)
        if relay_only and not any(server.url.startswith("turn") for server in servers):
            message = "--relay-only needs a TURN server; specify one with --ice-server."
            raise ConfigError(message)
        return cls(Sfu.parse(sfu, sfu_room) if sfu else None, servers, relay_only)

    def for_member(self, room: str, member: str, server: str) -> dict[str, Any]:
        """Return the part of the ``welcome`` message that a participant's page uses to set up the routes."""
        return {
            "ice_servers": [one.for_member(member) for one in self.ice_servers],
            "ice_policy": "relay" if self.relay_only else "all",
            "sfu": self.sfu.access(room, server) if self.sfu else None,
        }


def _signature(secret: str, content: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), content.encode(), hashlib.sha1).digest()).decode()
