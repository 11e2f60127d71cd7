"""Who may come in: tokens, origins and hosts."""

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

# In characters; tokens are shorter.
LONGEST_CODE: Final = 128
JOIN_WITHIN: Final = 300.0
DOWNLOAD_WITHIN: Final = 60.0
# The tokens of those who are in live as long as they are, and are revoked with them.
WHILE_IN: Final = math.inf


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a token allows: one role in one room, for one participant or recording."""

    role: Role
    room: str
    name: str = ""
    subject: str = ""


@dataclass(frozen=True)
class _Issued:
    grant: Grant
    until: float
    single_use: bool


class Admission:
    """Issues and redeems tokens, and judges origins and hosts.

    Tokens are random and kept only as digests. With ``open_room`` set, people come in without a token, with
    ``join_code`` where one is set; who knows ``view_code`` alone sees what was recorded there.
    """

    def __init__(
        self,
        *,
        open_room: str | None = None,
        join_code: str | None = None,
        view_code: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.open_room = open_room
        self.join_code = join_code
        self.view_code = view_code
        self._clock = clock
        self._tokens: dict[bytes, _Issued] = {}
        # Opens a socket from a page of another origin, which Python prepared; None while there is no such page.
        self.app_key: str | None = None
        self._apps = 0
        self._allowed: frozenset[str] = frozenset()
        self._current: frozenset[str] = frozenset()
        self._hosts: frozenset[str] = frozenset()
        self._origins: frozenset[str] = frozenset()

    def allow(self, *addresses: str) -> None:
        """Accept requests for, and from pages of, these base addresses too (``http://127.0.0.1:8080``)."""
        self._allowed |= set(addresses)
        self._set_origins()

    def allow_current(self, *addresses: str) -> None:
        """Accept these base addresses in place of those of the last call: a machine's own may change."""
        self._current = frozenset(addresses)
        self._set_origins()

    def _set_origins(self) -> None:
        origins = (normal_origin(address) for address in self._allowed | self._current)
        self._origins = frozenset(origin for origin in origins if origin is not None)
        self._hosts = frozenset().union(*map(authorities_of, self._origins))

    def host_allowed(self, host: str | None) -> bool:
        """Return whether a request's Host is one of ours; anything else may be DNS rebinding."""
        return normal_authority(host) in self._hosts

    def origin_allowed(self, origin: str | None) -> bool:
        """Return whether a socket was opened by one of our pages."""
        return normal_origin(origin) in self._origins

    def admit_apps(self) -> str:
        """Return the key by which pages of other origins may open sockets: those that Python prepared hold it.

        It opens sockets until ``dismiss_app`` was called once for each of these calls.
        """
        self._apps += 1
        self.app_key = self.app_key or secrets.token_urlsafe(24)
        return self.app_key

    def dismiss_app(self) -> None:
        """Note that a page of another origin was let go of; with the last one the key opens nothing any more."""
        self._apps -= 1
        if self._apps == 0:
            self.app_key = None

    def key_fits(self, protocols: str | None) -> bool:
        """Tell whether a socket offers the key among its protocols (RFC 6455), which no address and no log holds."""
        offered = [name.strip().encode(errors="replace") for name in (protocols or "").split(",")]
        key = self.app_key
        return key is not None and any(secrets.compare_digest(one, key.encode()) for one in offered)

    def issue(self, grant: Grant, *, seconds: float = JOIN_WITHIN, single_use: bool = True) -> str:
        """Return a new token for the grant, good for ``seconds``."""
        now = self._clock()
        self._tokens = {digest: issued for digest, issued in self._tokens.items() if issued.until > now}
        token = secrets.token_urlsafe(24)
        self._tokens[_digest(token)] = _Issued(grant, now + seconds, single_use)
        return token

    def redeem(self, token: str | None, *roles: Role) -> Grant | None:
        """Return what a token allows, or None: unknown, used, too old and meant for something else look the same."""
        digest = _digest(token or "")
        issued = self._tokens.get(digest)
        if issued is None or issued.until <= self._clock() or issued.grant.role not in roles:
            return None
        if issued.single_use:
            del self._tokens[digest]
        return issued.grant

    def revoke(self, room: str, subject: str) -> None:
        """Withdraw every token of a participant or recording that is gone."""
        self._tokens = {
            digest: issued
            for digest, issued in self._tokens.items()
            if (issued.grant.room, issued.grant.subject) != (room, subject)
        }

    def enter(self, token: str | None, *, name: str | None, code: str | None) -> Grant | None:
        """Return the grant of somebody who joins, by token or through the open door."""
        grant = self.redeem(token, "participant")
        if grant is not None:
            return replace(grant, name=grant.name or name or "guest")
        if token is not None or self.open_room is None:
            return None
        if self.join_code is not None and not _fits(code, self.join_code):
            return None
        return Grant(role="participant", room=self.open_room, name=name or "guest")

    def look(self, code: str | None) -> str | None:
        """Return the room whose recordings somebody may look at: by either code, or freely where everybody joins."""
        # Both are compared, so that the answer takes as long whichever it is.
        known = [_fits(code, one) for one in (self.join_code, self.view_code) if one is not None]
        return self.open_room if self.join_code is None or any(known) else None


def _fits(given: str | None, code: str) -> bool:
    """Tell whether it is the code; one without small letters is read on one screen and typed on another, in either."""
    typed = (given or "").upper() if code == code.upper() else (given or "")
    return secrets.compare_digest(typed.encode(errors="replace"), code.encode())


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
