"""Admission checks clients' tokens, codes, hosts and origins."""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from harness.server.access.network import authorities_of, normal_authority, normal_origin

if TYPE_CHECKING:
    from collections.abc import Callable

Role = Literal["participant", "recorder", "viewer", "resume"]

# Maximum length of a code, in characters; tokens are shorter.
LONGEST_CODE: Final = 128
# How long a token for joining a room is valid, in seconds.
JOIN_WITHIN: Final = 300.0
DOWNLOAD_WITHIN: Final = 60.0
# Tokens of members and recordings are valid until they are revoked.
UNTIL_REVOKED: Final = math.inf


@dataclass(frozen=True, kw_only=True)
class Token:
    """The rights that a token grants: one role in one room, for one participant or recording."""

    role: Role
    room: str
    name: str = ""
    subject: str = ""


@dataclass(frozen=True)
class _Issued:
    token: Token
    until: float
    single_use: bool


class Admission:
    """Issues and redeems tokens, and checks codes, origins and hosts.

    Token secrets are random, and only their digests are stored. Participants join ``public_room`` without a token, but
    need ``join_code`` if one is set. ``view_code`` gives access to the public room's recordings, but not to the room.
    """

    def __init__(
        self,
        *,
        public_room: str | None = None,
        join_code: str | None = None,
        view_code: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.public_room = public_room
        self.join_code = join_code
        self.view_code = view_code
        self._clock = clock
        self._tokens: dict[bytes, _Issued] = {}
        # Key that lets attached pages from other origins open sockets; None while no such page is attached.
        self.application_key: str | None = None
        self._applications = 0
        self._allowed: frozenset[str] = frozenset()
        self._current: frozenset[str] = frozenset()
        self._hosts: frozenset[str] = frozenset()
        self._origins: frozenset[str] = frozenset()

    def allow(self, *addresses: str) -> None:
        """Also accept these base addresses (such as ``http://127.0.0.1:8080``) in requests' Host and Origin headers."""
        self._allowed |= set(addresses)
        self._set_origins()

    def allow_current(self, *addresses: str) -> None:
        """Replace the base addresses from this method's previous call, because a machine's addresses can change."""
        self._current = frozenset(addresses)
        self._set_origins()

    def _set_origins(self) -> None:
        origins = (normal_origin(address) for address in self._allowed | self._current)
        self._origins = frozenset(origin for origin in origins if origin is not None)
        self._hosts = frozenset().union(*map(authorities_of, self._origins))

    def host_allowed(self, host: str | None) -> bool:
        """Return whether a request's Host header names this server; a different name may indicate DNS rebinding."""
        return normal_authority(host) in self._hosts

    def origin_allowed(self, origin: str | None) -> bool:
        """Return whether an Origin header belongs to one of this server's pages."""
        return normal_origin(origin) in self._origins

    def admit_application(self) -> str:
        """Return the key that lets pages of other applications open sockets on this server.

        The key is valid until ``dismiss_application`` has been called as many times as this method.
        """
        self._applications += 1
        self.application_key = self.application_key or secrets.token_urlsafe(24)
        return self.application_key

    def dismiss_application(self) -> None:
        """Record that a page of another application was detached, and revoke the key after the last page."""
        self._applications -= 1
        if self._applications == 0:
            self.application_key = None

    def offers_key(self, protocols: str | None) -> bool:
        """Return whether a socket offers the key as a subprotocol (RFC 6455).

        A subprotocol keeps the key out of URLs and logs.
        """
        offered = [name.strip().encode(errors="replace") for name in (protocols or "").split(",")]
        key = self.application_key
        return key is not None and any(secrets.compare_digest(one, key.encode()) for one in offered)

    def issue(self, token: Token, *, seconds: float = JOIN_WITHIN, single_use: bool = True) -> str:
        """Return a new secret for a token, valid for ``seconds``."""
        now = self._clock()
        self._tokens = {digest: issued for digest, issued in self._tokens.items() if issued.until > now}
        secret = secrets.token_urlsafe(24)
        self._tokens[_digest(secret)] = _Issued(token, now + seconds, single_use)
        return secret

    def redeem(self, secret: str | None, *roles: Role) -> Token | None:
        """Return the token for a secret, or None if the token is unknown, used, expired or for another role."""
        digest = _digest(secret or "")
        issued = self._tokens.get(digest)
        if issued is None or issued.until <= self._clock() or issued.token.role not in roles:
            return None
        if issued.single_use:
            del self._tokens[digest]
        return issued.token

    def revoke(self, room: str, subject: str) -> None:
        """Revoke every token of a participant or recording."""
        self._tokens = {
            digest: issued
            for digest, issued in self._tokens.items()
            if (issued.token.room, issued.token.subject) != (room, subject)
        }

    def admit_participant(self, secret: str | None, *, name: str | None, code: str | None) -> Token | None:
        """Return a token for a participant's secret or the public room's code, or None if admission is refused."""
        token = self.redeem(secret, "participant")
        if token is not None:
            return replace(token, name=token.name or name or "guest")
        if secret is not None or self.public_room is None:
            return None
        if self.join_code is not None and not _matches(code, self.join_code):
            return None
        return Token(role="participant", room=self.public_room, name=name or "guest")

    def admit_viewer(self, code: str | None) -> str | None:
        """Return the room whose recordings a viewer can see with this code, or None.

        Both the join code and the view code are accepted. Without a join code, anybody can see the recordings.
        """
        # Compare both codes every time, so that the response time does not depend on the code.
        known = [_matches(code, one) for one in (self.join_code, self.view_code) if one is not None]
        return self.public_room if self.join_code is None or any(known) else None


def _matches(given: str | None, code: str) -> bool:
    """Return whether a code is the expected one; case is ignored if the expected code has no lower-case letters."""
    typed = (given or "").upper() if code == code.upper() else (given or "")
    return secrets.compare_digest(typed.encode(errors="replace"), code.encode())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()
