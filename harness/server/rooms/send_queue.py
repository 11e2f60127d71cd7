"""SendQueue holds the messages for one member, so that a slow member does not delay the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.server.access.page_socket import PageSocket
    from harness.server.rooms.outgoing import Outgoing

# When the server closes the connection, the page has this many seconds to read the queued messages.
_FLUSH_WITHIN: Final = 1.0


class SendQueue:
    """Sends messages to one socket in order, and disconnects the page if more than ``max_bytes`` remain unread."""

    def __init__(self, socket: PageSocket, *, max_bytes: int) -> None:
        self._socket = socket
        self._max_bytes = max_bytes
        self._waiting_bytes = 0
        # The value None in the queue means that the connection must be closed.
        self._queue: asyncio.Queue[Outgoing | None] = asyncio.Queue()
        self._writing = asyncio.ensure_future(self._write())

    def put(self, outgoing: Outgoing) -> None:
        """Add a message to the queue.

        An empty queue accepts a message of any size, since the welcome message of a large room can be large.
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
        """Send the queued messages, unless the page reads them too slowly, and close the connection.

        Safe to call more than once.
        """
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
                # The socket's handler will notice the lost connection and inform the other members.
                return
            self._waiting_bytes -= len(outgoing.text)
        await self._socket.hang_up()
