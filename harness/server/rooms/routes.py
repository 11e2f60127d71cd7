"""How media get from page to page: straight, by way of TURN servers, or of an SFU; and what lets a member use them."""

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
# Janus looks at the token with every request, TURN at the password with every allocation.
_GOOD_FOR: Final = 86_400.0


@dataclass(frozen=True)
class Sfu:
    """A Janus with its VideoRoom; ``secret`` is its ``token_auth_secret``, None where it wants no tokens.

    Rooms of several servers that say the same ``room`` are one there; without it every room is its own. Tokens are
    good for so many seconds.
    """

    url: str
    secret: str | None = None
    room: str | None = None
    good_for: float = _GOOD_FOR

    @classmethod
    def parse(cls, text: str, room: str | None = None) -> Self:
        """Return what ``janus=ws://host:port`` means, with the secret of HARNESS_SFU_SECRET; raises ConfigError."""
        kind, _, url = text.partition("=")
        parts = urlsplit(url)
        if kind != "janus" or parts.scheme not in {"ws", "wss"} or not parts.hostname:
            message = f"--sfu: {text!r} is not possible; give janus=ws://HOST:PORT, where Janus's WebSockets are."
            raise ConfigError(message)
        return cls(url, os.environ.get("HARNESS_SFU_SECRET"), room=room)

    @property
    def origin(self) -> str:
        """What a page's content policy has to allow."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def access(self, room: str, server: str) -> dict[str, Any]:
        """Return what a member of a room of a server needs."""
        name = self.room or f"{server}/{room}"
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
        token = None if self.secret is None else signed(self.secret, self.good_for)
        return {"url": self.url, "token": token, "room": number, "name": room, "server": server}


def signed(secret: str, seconds: float) -> str:
    """Return a token of Janus's own kind (https://janus.conf.meetecho.com/docs/auth): until when, for what, signed."""
    said = f"{int(time.time() + seconds)},janus,{_PLUGIN}"
    return f"{said}:{_signature(secret, said)}"


@dataclass(frozen=True)
class IceServer:
    """A STUN or TURN server (W3C RTCIceServer).

    With ``secret``, its password is good for a day only, and made for each member (coturn's ``use-auth-secret``).
    """

    url: str
    username: str | None = None
    credential: str | None = None
    secret: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what ``stun:host:port`` or ``turn:[user:password@]host:port[?transport=tcp]`` means.

        A TURN server without a user takes passwords made with HARNESS_TURN_SECRET. Raises ConfigError.
        """
        scheme, _, rest = text.partition(":")
        who, at, where = rest.rpartition("@")
        username, colon, credential = who.partition(":")
        if scheme not in {"stun", "stuns", "turn", "turns"} or not where or (at and not (username and colon)):
            message = (
                f"--ice-server: {text!r} is not possible; give stun:HOST:PORT, or turn:USER:PASSWORD@HOST:PORT, "
                "or turn:HOST:PORT with HARNESS_TURN_SECRET."
            )
            raise ConfigError(message)
        if scheme.startswith("stun") or at:
            return cls(f"{scheme}:{where}", username or None, credential or None)
        secret = os.environ.get("HARNESS_TURN_SECRET")
        if not secret:
            message = (
                f"--ice-server: {text!r} has no user; give turn:USER:PASSWORD@HOST:PORT, or set HARNESS_TURN_SECRET "
                "to the server's static-auth-secret."
            )
            raise ConfigError(message)
        return cls(f"{scheme}:{where}", secret=secret)

    def for_member(self, member: str) -> dict[str, str]:
        """Return it as a page takes it."""
        username, credential = self.username, self.credential
        if self.secret is not None:
            username = f"{int(time.time() + _GOOD_FOR)}:{member}"
            credential = _signature(self.secret, username)
        named = {"username": username, "credential": credential} if username and credential else {}
        return {"urls": self.url, **named}


@dataclass(frozen=True)
class Routes:
    """All ways that media may take; ``relay_only`` leaves none but TURN. Without anything, straight ones."""

    sfu: Sfu | None = None
    ice_servers: tuple[IceServer, ...] = ()
    relay_only: bool = False

    @classmethod
    def parse(
        cls,
        *,
        sfu: str | None = None,
        sfu_room: str | None = None,
        ice_servers: Sequence[str] = (),
        relay_only: bool = False,
    ) -> Self:
        """Return what the options ``--sfu``, ``--sfu-room``, ``--ice-server`` and ``--relay-only`` mean.

        Secrets come from HARNESS_SFU_SECRET and HARNESS_TURN_SECRET. Raises ConfigError for what can't be.
        """
        if sfu_room and not sfu:
            message = "--sfu-room: there is no SFU; give it with --sfu janus=ws://HOST:PORT."
            raise ConfigError(message)
        servers = tuple(IceServer.parse(text) for text in ice_servers)
        if relay_only and not any(server.url.startswith("turn") for server in servers):
            message = "--relay-only: there is nothing to relay by; give a TURN server with --ice-server."
            raise ConfigError(message)
        return cls(Sfu.parse(sfu, sfu_room) if sfu else None, servers, relay_only)

    def for_member(self, room: str, member: str, server: str) -> dict[str, Any]:
        """Return what the welcome of a member says of them."""
        return {
            "ice_servers": [one.for_member(member) for one in self.ice_servers],
            "ice_policy": "relay" if self.relay_only else "all",
            "sfu": self.sfu.access(room, server) if self.sfu else None,
        }


def _signature(secret: str, said: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), said.encode(), hashlib.sha1).digest()).decode()
