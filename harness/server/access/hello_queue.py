"""HelloQueue limits how many unidentified connections are read at a time, and treats all clients fairly."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import WSMessage, WSMsgType, web

from harness.server.access.network import client_of
from harness.server.access.page_socket import LimitError, PageSocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from harness.server.access.limits import ServerLimits
    from harness.server.access.rare_log import RareLog

# Maximum time that a connection may stay silent while others wait, in seconds. Pages send hello right after connecting.
_PATIENCE: Final = 2.0
_CLOSED: Final = WSMessage(WSMsgType.CLOSED, None, None)


@dataclass(eq=False)
class _Place:
    """The place that a connection needs before the server reads ``hello`` from it.

    ``since`` is the event loop's time at which the place was assigned.
    """

    client: str
    socket: PageSocket
    since: float
    given_up: bool = False


class HelloQueue:
    """Waits for the first message on each new connection to one path.

    The first message from an unidentified client may be large, and it is held in memory until it is complete. The
    server therefore reads from at most ``ServerLimits.unidentified`` unidentified connections at a time; each of these
    connections holds a place. Connections without a place wait, and the server reads nothing from them. When all places
    are taken, a waiting client gets a place from a client that holds at least two more places than the waiting client.
    If the places are shared evenly, the connection that has held its place longest loses it after two seconds of
    silence.
    """

    def __init__(self, limits: ServerLimits, log: RareLog) -> None:
        self._limits = limits
        self._log = log
        self._held: list[_Place] = []
        self._waiting: dict[asyncio.Future[None], _Place] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def first_message(self, socket: PageSocket, request: web.Request) -> WSMessage:
        """Open a socket when its turn comes, and return its first message (a closing message if the page disconnects).

        Raises LimitError if no message arrives in time, or HTTPServiceUnavailable if no place becomes free in time.
        """
        within = self._limits.hello_within
        until = asyncio.get_running_loop().time() + within
        async with self._turn(socket, request, until):
            if not await socket.open():
                return _CLOSED
            try:
                return await socket.receive_message(until)
            except TimeoutError as error:
                self._log.warning("Connections were closed because they did not send their hello message in time.")
                message = f"No message arrived for {within:g} s."
                raise LimitError(message) from error

    async def close(self) -> None:
        """Close every connection that has not sent ``hello``."""
        await asyncio.gather(*(place.socket.hang_up() for place in self._held))

    @contextlib.asynccontextmanager
    async def _turn(self, socket: PageSocket, request: web.Request, until: float) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        place = _Place(client_of(request.remote), socket, loop.time())
        if len(self._held) < self._limits.unidentified:
            self._held.append(place)
        else:
            await self._wait(place, request, until)
        try:
            yield
        finally:
            self._held.remove(place)
            self._call_next()

    async def _wait(self, place: _Place, request: web.Request, until: float) -> None:
        """Wait for a free place, without reading anything from the connection."""
        loop = asyncio.get_running_loop()
        transport = request.transport
        reads = transport if isinstance(transport, asyncio.Transport) else None
        if reads:
            reads.pause_reading()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting[turn] = place
        self._make_room()
        try:
            async with asyncio.timeout_at(until):
                await turn
        except TimeoutError as error:
            self._give_back(place)
            self._log.warning("Connections were refused because too many others had not sent their hello message.")
            text = "Too many connections have not yet sent their hello message; try again in a moment.\n"
            raise web.HTTPServiceUnavailable(text=text) from error
        except asyncio.CancelledError:
            self._give_back(place)
            raise
        finally:
            self._waiting.pop(turn, None)
            if reads and not reads.is_closing():
                reads.resume_reading()

    def _give_back(self, place: _Place) -> None:
        """Release a place that was assigned to a connection after the connection had stopped waiting."""
        if place in self._held:
            self._held.remove(place)
            self._call_next()

    def _call_next(self) -> None:
        """Assign free places to waiting connections, starting with the clients that hold the fewest places."""
        while self._waiting and len(self._held) < self._limits.unidentified:
            counts = Counter(place.client for place in self._held)
            turn = min(self._waiting, key=lambda one: counts[self._waiting[one].client])
            place = self._waiting.pop(turn)
            place.since = asyncio.get_running_loop().time()
            self._held.append(place)
            if not turn.done():
                turn.set_result(None)
        if self._waiting:
            self._make_room()

    def _make_room(self) -> None:
        """While connections wait, abort silent connections, and connections from clients that hold too many places."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        # The places of connections that are already being aborted will be free shortly.
        pending = sum(place.given_up for place in self._held)
        counts = Counter(place.client for place in self._held if not place.given_up)
        waiting = [counts[place.client] for place in self._waiting.values()]
        fewest = min(waiting, default=0)
        due, due_to_fewest = len(waiting) - pending, waiting.count(fewest) - pending
        for place in sorted((one for one in self._held if not one.given_up), key=lambda one: one.since):
            if due <= 0:
                return
            silent = loop.time() - place.since
            has_many = due_to_fewest > 0 and counts[place.client] >= fewest + 2
            if has_many or silent >= _PATIENCE:
                due_to_fewest -= 1
                counts[place.client] -= 1
                due -= 1
                place.given_up = True
                place.socket.abort()
                self._log.warning(
                    "Connections that had not sent their hello message were closed to make room for others."
                )
            elif self._timer is None:
                self._timer = loop.call_later(_PATIENCE - silent, self._make_room)
