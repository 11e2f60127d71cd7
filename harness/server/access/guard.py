"""RequestGuard refuses requests for other hosts, WebSockets from other origins, and too many WebSockets per client."""

from __future__ import annotations

import asyncio
import errno
from collections import Counter
from typing import TYPE_CHECKING, Final

from aiohttp import web

from harness.server.access.network import client_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from harness.server.access.limits import ServerLimits
    from harness.server.access.tokens import Admission

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SOCKETS: Final = frozenset({"/signal", "/spool"})
# Minimum time between two reads of the machine's addresses, in seconds. A request for an unknown host makes the server
# read the addresses again.
_READ_EVERY: Final = 5.0


class RequestGuard:
    """Checks every request before its handler runs.

    ``read_addresses`` returns the server's current base addresses; it is None if the base addresses can't change.
    """

    def __init__(
        self, admission: Admission, limits: ServerLimits, read_addresses: Callable[[], Iterable[str]] | None
    ) -> None:
        self._admission = admission
        self._limits = limits
        self._read_addresses = read_addresses
        self._read_again_at = 0.0
        self._sockets: Counter[str] = Counter()

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Pass a request to its handler and return the response, or refuse the request."""
        host = request.headers.get("Host")
        if not self._admission.host_allowed(host) and not await self._is_new_address(host):
            raise web.HTTPMisdirectedRequest(text="This server does not accept requests for this host name.\n")
        is_socket = request.path in _SOCKETS
        if (is_socket or request.method not in {"GET", "HEAD"}) and not self._is_own_page(request):
            message = "This server accepts WebSocket connections and write requests only from its own pages.\n"
            raise web.HTTPForbidden(text=message)
        return await (self._handle_socket if is_socket else self._handle_plain)(request, handler)

    def _is_own_page(self, request: web.Request) -> bool:
        offers_key = self._admission.offers_key(request.headers.get("Sec-WebSocket-Protocol"))
        return offers_key or self._admission.origin_allowed(request.headers.get("Origin"))

    async def _handle_plain(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise web.HTTPNotFound(text="There is nothing at this address.\n") from error

    async def _handle_socket(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        client = client_of(request.remote)
        if self._sockets[client] >= self._limits.connections:
            message = f"Too many connections from your address: at most {self._limits.connections} are allowed.\n"
            raise web.HTTPTooManyRequests(text=message)
        self._sockets[client] += 1
        try:
            return await handler(request)
        finally:
            self._sockets[client] -= 1
            # Adding an empty counter removes all entries that are zero.
            self._sockets += Counter()

    async def _is_new_address(self, host: str | None) -> bool:
        """Return whether the host is an IP address that this machine has been assigned since the last check."""
        now = asyncio.get_running_loop().time()
        if self._read_addresses is None or now < self._read_again_at:
            return False
        self._read_again_at = now + _READ_EVERY
        self._admission.allow_current(*await asyncio.to_thread(self._read_addresses))
        return self._admission.host_allowed(host)
