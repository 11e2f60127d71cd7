"""Line: one socket of a member, and what waits to be sent to it. Nobody waits for somebody else who does not read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.server.access.page_socket import PageSocket
    from harness.server.rooms.outgoing import Send

# How long, in seconds, a page has to take what waits when it is hung up on.
_LAST_WORDS: Final = 1.0


class Line:
    """Sends to one socket in the order in which it was said; ``most`` bytes may wait before it is cut off."""

    def __init__(self, socket: PageSocket, *, most: int) -> None:
        self._socket = socket
        self._most = most
        self._waiting = 0
        # None hangs up.
        self._queue: asyncio.Queue[Send | None] = asyncio.Queue()
        self._writing = asyncio.ensure_future(self._write())

    def say(self, send: Send) -> None:
        """Send something when its turn comes; who has not taken so much of it is cut off.

        A message for which nothing waits is sent whatever its size: the welcome to a large room may be large.
        """
        waited = self._waiting > 0
        self._waiting += len(send.text)
        if waited and self._waiting > self._most:
            self._socket.cut()
            return
        self._queue.put_nowait(send)
        if send.close:
            self._queue.put_nowait(None)

    async def end(self) -> None:
        """Send what waits, as far as it is taken, and hang up; twice is fine."""
        self._queue.put_nowait(None)
        await asyncio.wait({self._writing}, timeout=_LAST_WORDS)
        if not self._writing.done():
            self._writing.cancel()
            self._socket.cut()

    async def _write(self) -> None:
        while (send := await self._queue.get()) is not None:
            try:
                await self._socket.send_str(send.text)
            except ConnectionError:
                # Its own handler notices and tells the others.
                return
            self._waiting -= len(send.text)
        await self._socket.hang_up()
