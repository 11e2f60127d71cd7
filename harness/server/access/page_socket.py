"""PageSocket: a page's WebSocket on which every wait has an end, and pings cost little."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, Final

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from harness.server.access.limits import Rate

if TYPE_CHECKING:
    from harness.server.access.limits import Limits

# What pages of other origins offer beside their key; a browser wants one of its offers answered.
PROTOCOLS: Final = ("recording-harness",)
# How often, in seconds, the other end is asked for a sign of life.
_HEARTBEAT: Final = 20.0
# How long, in seconds, the other end has to answer when the server hangs up.
_LAST_WORDS: Final = 1.0
# How long, in seconds, the other end may leave what it is sent untaken.
_TAKEN_WITHIN: Final = 30.0
# Messages that are handled in a row before everybody else has a turn: messages that have arrived are returned without
# a pause.
_IN_A_ROW: Final = 16
_CONTROL: Final = frozenset({WSMsgType.PING, WSMsgType.PONG})
_CONTENT: Final = frozenset({WSMsgType.TEXT, WSMsgType.BINARY})


class LimitError(Exception):
    """The other end says too much, or nothing for too long; the text is what it is told."""


class PageSocket(web.WebSocketResponse):
    """A WebSocket of a page.

    aiohttp's own wait for a message starts anew with each ping and pong. Here a deadline is a moment, pings and pongs
    are counted and never returned, and a connection that breaks is noticed where it is read.
    """

    def __init__(self, request: web.Request, limits: Limits, *, max_msg_size: int) -> None:
        super().__init__(
            protocols=PROTOCOLS, max_msg_size=max_msg_size, compress=False, heartbeat=_HEARTBEAT, autoping=False
        )
        self._request = request
        self._limits = limits
        self._messages = Rate(limits.messages)
        self._pings = Rate(limits.pings)
        self._row = 0
        self._flooded = False

    async def open(self) -> bool:
        """Answer the handshake; return whether the other end is still there."""
        try:
            await self.prepare(self._request)
        except ConnectionError:
            return False
        return True

    async def next(self, until: float | None) -> WSMessage:
        """Return the next text, binary or closing message.

        ``until`` is a moment of the loop's clock; None waits as long as the other end answers heartbeats. Raises
        TimeoutError then, and LimitError for a message or a ping too many.
        """
        async with asyncio.timeout_at(until):
            while (message := await self._take_turn()).type in _CONTROL:
                self._count(self._pings, f"Too many pings: {self._limits.pings} a second at most.")
                if message.type is WSMsgType.PING:
                    with contextlib.suppress(ConnectionError):
                        await self.pong(message.data)
        if message.type in _CONTENT:
            self._count(self._messages, f"Too many messages: {self._limits.messages} a second at most.")
        return message

    async def say(self, text: str) -> None:
        """Send a message; who takes nothing for long is cut off, and a lost connection is noticed where it is read."""
        if self.closed or not self.prepared:
            return
        try:
            async with asyncio.timeout(_TAKEN_WITHIN):
                await self.send_str(text)
        except TimeoutError:
            self.cut()
        except ConnectionError:
            return

    async def write_eof(self) -> None:  # type: ignore[override]
        """End the answer; a handshake that failed in the middle has left nothing to end."""
        if self.prepared:
            await super().write_eof()

    async def hang_up(self) -> None:
        """Close the connection; who does not answer is cut off. Twice is fine."""
        if not self.prepared:
            return
        if self._flooded:
            await self._hang_up_on_flood()
            return
        try:
            await asyncio.wait_for(self.close(), _LAST_WORDS)
        except TimeoutError:
            self.cut()

    def cut(self) -> None:
        """End the connection at once: nobody there reads what is sent."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _take_turn(self) -> WSMessage:
        self._row += 1
        if self._row > _IN_A_ROW:
            self._row = 0
            await asyncio.sleep(0)
        return await self.receive()

    def _count(self, rate: Rate, problem: str) -> None:
        if not rate.takes_one():
            self._flooded = True
            raise LimitError(problem)

    async def _hang_up_on_flood(self) -> None:
        """Close the connection without reading on: aiohttp would take in the whole flood in search of an answer."""
        transport = self._request.transport
        if transport is None or self.closed:
            return
        transport.pause_reading()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await self.send_frame(struct.pack("!H", WSCloseCode.POLICY_VIOLATION), WSMsgType.CLOSE)
                # What was sent before is lost if the connection is reset before the other end has read it.
                await asyncio.sleep(_LAST_WORDS)
        self.cut()
