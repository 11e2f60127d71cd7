"""SignalSockets passes messages between ``Signaling`` and the ``/signal`` connections of members and viewers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import WSMsgType

from harness.server.access.hello_queue import HelloQueue
from harness.server.access.network import client_of
from harness.server.access.page_socket import LimitError, PageSocket
from harness.server.rooms.outgoing import refusal
from harness.server.rooms.send_queue import SendQueue
from harness.server.rooms.wrong_codes import WrongCodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from harness.server.access.limits import ServerLimits
    from harness.server.access.rare_log import RareLog
    from harness.server.rooms.members import Member
    from harness.server.rooms.outgoing import Outgoing
    from harness.server.rooms.signaling import Signaling


class RecordingList(Protocol):
    """A public room's list of recordings."""

    @property
    def room(self) -> str:
        """The name of the room."""

    def subscribe(self, listener: Callable[[list[dict[str, Any]]], None]) -> None:
        """Call ``listener`` with the list whenever the list changes, in the server's own thread."""


class SignalSockets:
    """Handles the ``/signal`` connections, and sends the room its list of ``recordings`` when the list changes."""

    def __init__(
        self, signaling: Signaling, limits: ServerLimits, log: RareLog, recordings: RecordingList | None
    ) -> None:
        self._signaling = signaling
        self._limits = limits
        self._hellos = HelloQueue(limits, log)
        self._wrong_codes = WrongCodes(limits.wrong_codes)
        self._queues: dict[int, SendQueue] = {}
        self._numbers = itertools.count(1)
        self._closing = asyncio.Event()
        if recordings is not None:
            room = recordings.room
            recordings.subscribe(lambda items: self._send_recordings(room, items))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        socket = PageSocket(request, self._limits, max_msg_size=self._limits.signal_message)
        number = next(self._numbers)
        queue = self._queues[number] = SendQueue(socket, max_bytes=self._limits.unsent)
        try:
            await self._receive_messages(socket, number, request)
        except LimitError as error:
            self._deliver([refusal(number, str(error))])
        finally:
            del self._queues[number]
            await queue.close()
            if socket.closed_by_page or self._closing.is_set():
                self._deliver(self._signaling.disconnect(number, "left"))
            else:
                await self._wait_for_return(self._signaling.mark_lost(number))
        return socket

    async def close(self) -> None:
        """Close every connection."""
        self._closing.set()
        await asyncio.gather(self._hellos.close(), *(queue.close() for queue in self._queues.values()))

    async def expel(self, room: str, member_id: str) -> None:
        """Remove the member whose page has crashed or closed."""
        self._deliver(self._signaling.expel(room, member_id))

    async def _receive_messages(self, socket: PageSocket, number: int, request: web.Request) -> None:
        """Handle a connection's messages until it ends; raises LimitError for too many messages or a long silence."""
        client = client_of(request.remote)
        loop = asyncio.get_running_loop()
        message = await self._hellos.first_message(socket, request)
        while message.type is WSMsgType.TEXT:
            may_try_code = self._wrong_codes.may_try(client)
            answers = self._signaling.receive(number, message.data, may_try_code=may_try_code, client=client)
            self._deliver(answers)
            if any(answer.wrong_code for answer in answers):
                self._wrong_codes.add(client)
            if any(answer.close for answer in answers if answer.connection == number):
                return
            try:
                message = await socket.receive_message(loop.time() + self._limits.idle)
            except TimeoutError as error:
                problem = f"No message arrived for {self._limits.idle:g} s."
                raise LimitError(problem) from error

    async def _wait_for_return(self, member: Member | None) -> None:
        """Give a member time to reconnect, and remove the member if the time passes without a reconnect."""
        if member is None:
            return
        lost_at = member.lost_at
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), self._limits.comes_back)
        self._deliver(self._signaling.remove_lost(member, lost_at))

    def _send_recordings(self, room: str, items: list[dict[str, Any]]) -> None:
        self._deliver(self._signaling.broadcast(room, {"type": "recordings", "recordings": items}))

    def _deliver(self, messages: list[Outgoing]) -> None:
        """Put each message into the send queue of its connection, in the given order."""
        for outgoing in messages:
            if queue := self._queues.get(outgoing.connection):
                queue.put(outgoing)
