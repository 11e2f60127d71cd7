"""Listener accepts connections only while enough file descriptors are left for recordings.

By contrast, asyncio's own server accepts every connection. If a process with asyncio's own server runs out of file
descriptors, asyncio logs every failed attempt to accept a connection, and recordings can't be finished.
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

from harness.server.access.descriptors import max_for_connections
from harness.server.access.network import client_of, is_any

if TYPE_CHECKING:
    from ssl import SSLContext

    from harness.server.access.limits import ServerLimits
    from harness.server.access.rare_log import RareLog

_BACKLOG: Final = 128
# How many connections are accepted before other tasks get a turn.
_AT_ONCE: Final = 16
# When the system runs out of descriptors or memory, no connections are accepted for this many seconds.
_PAUSE: Final = 1.0
# How long a connection can be idle between requests, in seconds. Reverse proxies keep idle connections open for a
# minute.
_KEPT_ALIVE: Final = 75.0
# Number of connections that a client can have in addition to its WebSockets. A browser uses up to six connections for
# requests.
_BESIDES_SOCKETS: Final = 64


@dataclass(eq=False)
class _Slot:
    """Represents one connection from the moment it is accepted until it ends."""

    client: str
    # The accepted socket, or None once the event loop owns it.
    wire: socket.socket | None
    # aiohttp's handler, or None during the TLS handshake.
    connection: _Connection | None = None
    accepting: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether the connection is idle: neither open as a WebSocket nor busy with a response."""
        return self.connection is None or self.connection.idle

    def end(self) -> None:
        """End the connection at once."""
        if self.connection is None:
            if self.accepting is not None:
                self.accepting.cancel()
        elif self.connection.transport is not None:
            self.connection.transport.abort()


class _Connection(web.RequestHandler):
    """aiohttp's request handler for one connection, with a deadline for the first request and a callback on close."""

    def __init__(self, listener: Listener, slot: _Slot, server: web.Server, *, request_within: float) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=_KEPT_ALIVE,
            access_log=None,  # type: ignore[arg-type]  # aiohttp accepts None
        )
        self._listener = listener
        self._slot = slot
        self._request_within = request_within
        self._late: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether the connection is waiting for a request, or for the rest of a request's headers."""
        return self._waiter is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._slot.connection = self
        self._late = self._loop.call_later(self._request_within, self._end_without_request)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._late is not None:
            self._late.cancel()
        self._listener.forget(self._slot)

    def _end_without_request(self) -> None:
        if self._request_count == 0 and self.transport is not None:
            self._listener.log.warning("Connections were closed because they sent no request in time.")
            self.transport.abort()


@dataclass
class Listener:
    """Listens on an address for an aiohttp server, with TLS if a TLS context is given."""

    server: web.Server
    limits: ServerLimits
    log: RareLog
    tls: SSLContext | None = None
    _sockets: list[socket.socket] = field(default_factory=list)
    # All connections, oldest first.
    _slots: dict[_Slot, None] = field(default_factory=dict)
    _clients: Counter[str] = field(default_factory=Counter)
    _highest: int = 0

    async def open(self, host: str, port: int) -> int:
        """Listen, and return the port; port 0 selects a free port. Raises OSError if the address cannot be used."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                # A host name may resolve to several addresses, all of which use the same port.
                listening = _bind(family, kind, protocol, (address[0], port, *address[2:]))
            except OSError:
                await self.close()
                raise
            if listening is not None:
                self._sockets.append(listening)
                port = listening.getsockname()[1]
        if not self._sockets:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        self._highest = max_for_connections()
        for listening in self._sockets:
            listening.listen(_BACKLOG)
            loop.add_reader(listening, self._accept, listening)
        return port

    async def close(self) -> None:
        """Stop accepting connections without closing open ones. Safe to call more than once."""
        for listening in self._sockets:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._sockets.clear()
        accepting = [slot.accepting for slot in self._slots if slot.connection is None and slot.accepting]
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)

    def forget(self, slot: _Slot) -> None:
        """Remove a connection that has ended. Safe to call more than once."""
        if slot in self._slots:
            del self._slots[slot]
            self._clients[slot.client] -= 1
            if not self._clients[slot.client]:
                del self._clients[slot.client]

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                wire, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._pause(listening)
                return
            client = client_of(peer[0])
            if not self._has_room(client, wire):
                wire.close()
                continue
            wire.settimeout(0)
            slot = _Slot(client, wire)
            self._slots[slot] = None
            self._clients[client] += 1
            slot.accepting = asyncio.get_running_loop().create_task(self._connect(wire, slot))
            slot.accepting.add_done_callback(partial(self._settle, slot))

    async def _connect(self, wire: socket.socket, slot: _Slot) -> None:
        slot.wire = None
        within = self.limits.request_within
        # Ignore clients that fail the TLS handshake, exceed its time limit or disconnect.
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: _Connection(self, slot, self.server, request_within=within),
                wire,
                ssl=self.tls,
                ssl_handshake_timeout=within if self.tls else None,
            )

    def _settle(self, slot: _Slot, _: asyncio.Task[None]) -> None:
        """Clean up after an attempt to set up a connection, and close the socket unless the event loop owns it."""
        slot.accepting = None
        if slot.wire is not None:
            slot.wire.close()
        if slot.connection is None:
            self.forget(slot)

    def _has_room(self, client: str, wire: socket.socket) -> bool:
        """Return whether a new connection can stay open, after closing an idle connection if necessary.

        The operating system assigns the lowest free descriptor number, so the new connection's number shows how many
        descriptors are in use. Each response may need one more descriptor, for the file that it sends.
        """
        most = self._highest // 2
        if self._clients[client] >= min(most // 2, self.limits.connections + _BESIDES_SOCKETS):
            if self._end_idle(client):
                return True
            self.log.warning("Connections were refused because one address had too many open connections.")
            return False
        if len(self._slots) < most and wire.fileno() < self._highest:
            return True
        if self._end_idle(None):
            return True
        self.log.warning("Connections were refused because the server has too few file descriptors (ulimit -n).")
        return False

    def _end_idle(self, client: str | None) -> bool:
        """End the client's oldest idle connection, and return whether the client had one.

        If ``client`` is None, the connections of all clients are considered.
        """
        idle = (slot for slot in self._slots if client in {None, slot.client} and slot.idle)
        slot = next(idle, None)
        if slot is None:
            return False
        self.forget(slot)
        slot.end()
        return True

    def _pause(self, listening: socket.socket) -> None:
        """Stop accepting connections for a while; asyncio's own server would retry immediately and log each attempt."""
        self.log.warning("No connection can be accepted: the system has no file descriptors or memory left.")
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)

        def resume() -> None:
            with contextlib.suppress(ValueError):
                if listening in self._sockets:
                    loop.add_reader(listening, self._accept, listening)

        loop.call_later(_PAUSE, resume)


def _bind(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket | None:
    """Return a socket that is bound to an address, or None if the machine does not have the address."""
    try:
        listening = socket.socket(family, kind, protocol)
    except OSError:
        # A host name may resolve to an IPv6 address even on a machine without IPv6.
        return None
    try:
        listening.settimeout(0)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" stands for all addresses of the machine, both IPv4 and IPv6.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_any(str(address[0])))
        listening.bind(address)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return listening
