"""PageSocket is a page's WebSocket, with a time limit on every wait and a rate limit on pings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from harness.server.access.limits import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.server.access.limits import ServerLimits

# Pages from other origins send their key as a subprotocol, and also offer this subprotocol, because browsers require
# the server to select one of the offered subprotocols.
PROTOCOLS: Final = ("recording-harness",)
# Interval between the pings that the server sends, in seconds.
_HEARTBEAT: Final = 20.0
# Maximum time that a page may take to answer when the server closes the connection, in seconds.
_CLOSE_WITHIN: Final = 1.0
# Maximum time that a page may take to read a message, in seconds.
_READ_WITHIN: Final = 30.0
# Number of messages that are handled before other connections get a turn. Without this limit, all messages that have
# already arrived would be handled without yielding to other tasks.
_MAX_IN_A_ROW: Final = 16
_CONTROL: Final = frozenset({WSMsgType.PING, WSMsgType.PONG})
_CONTENT: Final = frozenset({WSMsgType.TEXT, WSMsgType.BINARY})
# Close codes which mean that the page itself closed the socket (RFC 6455). Any other code can mean a lost connection.
_CLOSED_BY_PAGE: Final = frozenset({1000, 1001})


class LimitError(Exception):
    """Raised if a page sent too much, or nothing for too long; the server sends the error's text to the page."""


class PageSocket(web.WebSocketResponse):
    """A page's WebSocket.

    aiohttp's WebSocket class restarts the timeout for a message whenever a ping or pong arrives. PageSocket uses a
    fixed deadline, counts pings and pongs without returning them, and detects a broken connection when reading from it.
    """

    def __init__(self, request: web.Request, limits: ServerLimits, *, max_msg_size: int) -> None:
        super().__init__(
            protocols=PROTOCOLS, max_msg_size=max_msg_size, compress=False, heartbeat=_HEARTBEAT, autoping=False
        )
        self._request = request
        self._limits = limits
        self._messages = Rate(limits.messages)
        self._pings = Rate(limits.pings)
        self._in_a_row = 0
        self._flooded = False

    @property
    def closed_by_page(self) -> bool:
        """Whether the page closed the connection on purpose."""
        return self.close_code in _CLOSED_BY_PAGE

    async def open(self) -> bool:
        """Answer the WebSocket handshake, and return whether the page is still connected."""
        try:
            await self.prepare(self._request)
        except ConnectionError:
            return False
        return True

    async def receive_message(self, deadline: float | None) -> WSMessage:
        """Return the next text, binary or closing message.

        ``deadline`` is a time on the event loop's clock; None means to wait as long as the page answers pings.
        Raises TimeoutError at the deadline, and LimitError for too many messages or pings.
        """
        async with asyncio.timeout_at(deadline):
            while (message := await self._receive_in_turn()).type in _CONTROL:
                self._count(self._pings, f"Too many pings: at most {self._limits.pings} per second.")
                if message.type is WSMsgType.PING:
                    with contextlib.suppress(ConnectionError):
                        await self.pong(message.data)
        if message.type in _CONTENT:
            self._count(self._messages, f"Too many messages: at most {self._limits.messages} per second.")
        return message

    async def send_message(self, message: Mapping[str, Any]) -> None:
        """Send a message as JSON, and disconnect the page if it does not read the message in time.

        Sending on a lost connection raises no error; the next read detects the loss.
        """
        if self.closed or not self.prepared:
            return
        try:
            async with asyncio.timeout(_READ_WITHIN):
                await self.send_str(json.dumps(message))
        except TimeoutError:
            self.abort()
        except ConnectionError:
            return

    async def write_eof(self) -> None:  # type: ignore[override]
        """Finish the HTTP response, unless the WebSocket handshake failed."""
        if self.prepared:
            await super().write_eof()

    async def hang_up(self) -> None:
        """Close the connection, or abort it if the page does not respond. Safe to call more than once."""
        if not self.prepared:
            return
        if self._flooded:
            await self._hang_up_on_flood()
            return
        try:
            await asyncio.wait_for(self.close(), _CLOSE_WITHIN)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """End the connection immediately, without a closing handshake."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _receive_in_turn(self) -> WSMessage:
        self._in_a_row += 1
        if self._in_a_row > _MAX_IN_A_ROW:
            self._in_a_row = 0
            await asyncio.sleep(0)
        return await self.receive()

    def _count(self, rate: Rate, problem: str) -> None:
        if not rate.accept():
            self._flooded = True
            raise LimitError(problem)

    async def _hang_up_on_flood(self) -> None:
        """Close the connection without reading any further; aiohttp would first read everything that arrives."""
        transport = self._request.transport
        if transport is None or self.closed:
            return
        transport.pause_reading()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self.send_frame(struct.pack("!H", WSCloseCode.POLICY_VIOLATION), WSMsgType.CLOSE)
                # An immediate reset would discard messages that the page has not read yet.
                await asyncio.sleep(_CLOSE_WITHIN)
        self.abort()
