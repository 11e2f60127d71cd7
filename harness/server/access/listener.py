"""Listener: accepts connections, as many as leave room for recordings, and none for nothing.

asyncio's own server accepts whatever comes. Where the process has no file descriptor left, it logs each attempt, and a
recording cannot be finished.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web

from harness.server.access.descriptors import most_for_connections
from harness.server.access.network import client_of, is_any

if TYPE_CHECKING:
    from ssl import SSLContext

    from harness.server.access.limits import Limits
    from harness.server.access.rare_log import RareLog

_BACKLOG: Final = 128
# Connections that are accepted before everybody else has a turn.
_AT_ONCE: Final = 16
# How long, in seconds, nothing is accepted when the system has no descriptor or memory left.
_REST: Final = 1.0
# How long, in seconds, a connection may wait for its next request; reverse proxies keep theirs for a minute.
_KEPT_ALIVE: Final = 75.0
# Connections of one client besides its sockets: a browser has six for requests.
_BESIDES_SOCKETS: Final = 64


@dataclass(eq=False)
class _Place:
    """One connection, from when it is accepted until it ends."""

    client: str
    # None once the loop has taken it over.
    wire: socket.socket | None
    # None while TLS is being negotiated.
    connection: _Connection | None = None
    accepting: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether no request is being answered, and no socket is open."""
        return self.connection is None or self.connection.idle

    def end(self) -> None:
        """End the connection at once."""
        if self.connection is None:
            if self.accepting is not None:
                self.accepting.cancel()
        elif self.connection.transport is not None:
            self.connection.transport.abort()


class _Connection(web.RequestHandler):
    """aiohttp's end of a connection, which has to send its first request in time and whose end is noticed."""

    def __init__(self, listener: Listener, place: _Place, server: web.Server, *, request_within: float) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=_KEPT_ALIVE,
            access_log=None,  # type: ignore[arg-type]  # which aiohttp takes for none
        )
        self._listener = listener
        self._place = place
        self._request_within = request_within
        self._late: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether the connection waits for a request; aiohttp waits for the whole head of one."""
        return self._waiter is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._place.connection = self
        self._late = self._loop.call_later(self._request_within, self._end_without_request)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._late is not None:
            self._late.cancel()
        self._listener.forget(self._place)

    def _end_without_request(self) -> None:
        if self._request_count == 0 and self.transport is not None:
            self._listener.log.warning("Connections were closed because they sent no request in time.")
            self.transport.abort()


@dataclass
class Listener:
    """Listens on an address for an aiohttp server, with TLS where there is a context for it."""

    server: web.Server
    limits: Limits
    log: RareLog
    tls: SSLContext | None = None
    _sockets: list[socket.socket] = field(default_factory=list)
    # In the order in which they came.
    _places: dict[_Place, None] = field(default_factory=dict)
    _clients: Counter[str] = field(default_factory=Counter)
    _highest: int = 0

    async def open(self, host: str, port: int) -> int:
        """Listen, and return the port; 0 takes a free one. Raises OSError when that can't be."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                # A name may stand for several addresses, which share the port.
                listening = _bind(family, kind, protocol, (address[0], port, *address[2:]))
            except OSError:
                await self.close()
                raise
            if listening is not None:
                self._sockets.append(listening)
                port = listening.getsockname()[1]
        if not self._sockets:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        self._highest = most_for_connections()
        for listening in self._sockets:
            listening.listen(_BACKLOG)
            loop.add_reader(listening, self._accept, listening)
        return port

    async def close(self) -> None:
        """Accept nothing more; what was accepted goes on. Twice is fine."""
        for listening in self._sockets:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._sockets.clear()
        accepting = [place.accepting for place in self._places if place.connection is None and place.accepting]
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)

    def forget(self, place: _Place) -> None:
        """Note that a connection has ended; twice is fine."""
        if place in self._places:
            del self._places[place]
            self._clients[place.client] -= 1
            if not self._clients[place.client]:
                del self._clients[place.client]

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                wire, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._rest(listening)
                return
            client = client_of(peer[0])
            if not self._has_room(client, wire):
                wire.close()
                continue
            wire.settimeout(0)
            place = _Place(client, wire)
            self._places[place] = None
            self._clients[client] += 1
            place.accepting = asyncio.get_running_loop().create_task(self._connect(wire, place))
            place.accepting.add_done_callback(partial(self._settle, place))

    async def _connect(self, wire: socket.socket, place: _Place) -> None:
        place.wire = None
        within = self.limits.request_within
        # Whoever can't agree on TLS, takes too long over it or has gone away: nobody here can do anything about it.
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: _Connection(self, place, self.server, request_within=within),
                wire,
                ssl=self.tls,
                ssl_handshake_timeout=within if self.tls else None,
            )

    def _settle(self, place: _Place, _: asyncio.Task[None]) -> None:
        """Note that a connection is there, or did not come about; one that was ended at once is nobody's yet."""
        place.accepting = None
        if place.wire is not None:
            place.wire.close()
        if place.connection is None:
            self.forget(place)

    def _has_room(self, client: str, wire: socket.socket) -> bool:
        """Return whether one more connection may be kept; one of which nothing is asked at the moment gives way to it.

        The system gives out the lowest number that is free, so the new connection's number tells how many descriptors
        are in use. Each answer may need another one, for a file.
        """
        most = self._highest // 2
        if self._clients[client] >= min(most // 2, self.limits.connections + _BESIDES_SOCKETS):
            if self._end_idle(client):
                return True
            self.log.warning("Connections were refused because one address had too many.")
            return False
        if len(self._places) < most and wire.fileno() < self._highest:
            return True
        if self._end_idle(None):
            return True
        self.log.warning("Connections were refused because the server has too few file descriptors (ulimit -n).")
        return False

    def _end_idle(self, client: str | None) -> bool:
        """End the oldest idle connection of a client, or of anybody; return whether there was one."""
        idle = (place for place in self._places if client in {None, place.client} and place.idle)
        place = next(idle, None)
        if place is None:
            return False
        self.forget(place)
        place.end()
        return True

    def _rest(self, listening: socket.socket) -> None:
        """Accept nothing for a while; asyncio's own server would try again at once, and log each attempt."""
        self.log.warning("No connection can be accepted: the system has no file descriptor or memory left.")
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)

        def go_on() -> None:
            with contextlib.suppress(ValueError):
                if listening in self._sockets:
                    loop.add_reader(listening, self._accept, listening)

        loop.call_later(_REST, go_on)


def _bind(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket | None:
    """Return a socket that is bound to an address, or None for an address that the machine does not have."""
    try:
        listening = socket.socket(family, kind, protocol)
    except OSError:
        # A name may stand for an IPv6 address where there is no IPv6.
        return None
    try:
        listening.settimeout(0)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" is every address of the machine, of either version.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_any(str(address[0])))
        listening.bind(address)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return listening
