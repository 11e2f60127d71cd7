"""SendQueue: the messages that wait to be sent to one member, so that no member waits for a slow one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.server.access.page_socket import PageSocket
    from harness.server.rooms.outgoing import Outgoing

# How long, in seconds, a page has to read the waiting messages when the server hangs up.
_FLUSH_WITHIN: Final = 1.0


class SendQueue:
    """Sends messages to one socket in order. A page that leaves more than ``max_bytes`` unread is cut off."""

    def __init__(self, socket: PageSocket, *, max_bytes: int) -> None:
        self._socket = socket
        self._max_bytes = max_bytes
        self._waiting_bytes = 0
        # None hangs up.
        self._queue: asyncio.Queue[Outgoing | None] = asyncio.Queue()
        self._writing = asyncio.ensure_future(self._write())

    def put(self, outgoing: Outgoing) -> None:
        """Send a message when its turn comes.

        If nothing waits, a message of any size is sent: the welcome to a large room may be large.
        """
        is_first = self._waiting_bytes == 0
        self._waiting_bytes += len(outgoing.text)
        if not is_first and self._waiting_bytes > self._max_bytes:
            self._socket.abort()
            return
        self._queue.put_nowait(outgoing)
        if outgoing.close:
            self._queue.put_nowait(None)

    async def close(self) -> None:
        """Send the waiting messages if the page reads them in time, and hang up. Calling it twice is fine."""
        self._queue.put_nowait(None)
        await asyncio.wait({self._writing}, timeout=_FLUSH_WITHIN)
        if not self._writing.done():
            self._writing.cancel()
            self._socket.abort()

    async def _write(self) -> None:
        while (outgoing := await self._queue.get()) is not None:
            try:
                await self._socket.send_str(outgoing.text)
            except ConnectionError:
                # The socket's handler notices it and informs the other members.
                return
            self._waiting_bytes -= len(outgoing.text)
        await self._socket.hang_up()
