"""Hostile clients: sockets without a page, and messages that no page would send."""

from __future__ import annotations

import asyncio
import copy
import json
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from random import Random

    from harness.server.room_server import RoomServer

CHUNK: Final = struct.Struct("<B3xIQ")
AUDIO_HELLO: Final = {
    "type": "hello",
    "token": "",
    "recorder": "all",
    "config": {"recordType": "audio", "recordName": "heard"},
    "mime_type": "audio/webm;codecs=opus",
    "width": None,
    "height": None,
    "frame_rate": None,
    "clock": {"offset": 0.0, "error": 0.5},
}
SIGNAL_MESSAGES: Final[tuple[dict[str, Any], ...]] = (
    {"type": "hello", "token": "guess", "name": "mallory", "media": "synthetic"},
    {"type": "ping", "sent": 12.5, "received_seq": 3},
    {"type": "signal", "to": "somebody", "data": {"description": {"type": "offer", "sdp": "v=0"}}},
    {"type": "state", "audio": True, "video": False, "screen": False},
    {"type": "subscribe", "subscriptions": {"*": {"width": 320, "height": 180, "frameRate": 15}}},
    {"type": "received", "member": "somebody"},
    {"type": "marker", "marker": 7},
    {"type": "bye"},
)
SPOOL_MESSAGES: Final[tuple[dict[str, Any], ...]] = (
    AUDIO_HELLO,
    {"type": "recorder", "state": "started", "time": 1.7e12},
    {"type": "ticks", "first": 0, "written": [1.5, None, 2.5]},
    {"type": "event", "event": {"time": 1, "event": "video", "participant": "alice", "on": False}},
    {"type": "stats", "time": 1, "participant": "alice", "report": [{"type": "inbound-rtp", "bytes": 12}]},
    {"type": "outstanding"},
    {"type": "end", "chunks": 4, "bytes": 100_000},
    {"type": "download"},
    {"type": "delivery"},
    {"type": "clean"},
)
# Odd values with which a message's valid values are replaced.
_ODD: Final[tuple[Any, ...]] = (
    *(None, True, -1, 0, 1e308, -1e308, 2**63, 2**200, "", "\u202e", "\ud800", "\0", "../../etc/passwd"),
    *("A" * 5_000, [], {}, [[]], {"": {}}, {"__proto__": {}}, "<script>alert(1)</script>", "'; DROP TABLE rooms; --"),
)
_RAW: Final = (
    *("", "{", "}", "null", "[]", '"hello"', "0", "NaN", "Infinity", "tru", '{"type":}', '{"type":"hello"', "\ufeff{}"),
    *(
        '{"type":"HELLO"}',
        "[" * 20_000,
        '{"a":' * 20_000,
        # An unterminated string is slow for a parser that searches for the end after every quote.
        "[" * 17 + '"' + '\\"' * 30_000,
        '{"type":"ping","sent":1e999}',
    ),
)


def malformed(random: Random, valid: tuple[dict[str, Any], ...]) -> str:
    """Return a message that is not JSON, or that has a wrong type, an additional key or an unexpected value."""
    kind = random.randrange(6)
    if kind == 0:
        return random.choice(_RAW)
    if kind == 1:
        return "".join(chr(random.randrange(1, 0x2FFF)) for _ in range(random.randrange(1, 200)))
    message = copy.deepcopy(random.choice(valid))
    where = message
    while any(isinstance(value, dict) and value for value in where.values()) and random.random() < 0.5:
        where = random.choice([value for value in where.values() if isinstance(value, dict) and value])
    key = random.choice(list(where))
    if kind == 2:
        message["type"] = random.choice(("", "nothing", "Hello", 7, None))
    elif kind == 3:
        where[f"{key}2"] = random.choice(_ODD)
    else:
        where[key] = random.choice([one for one in _ODD if type(one) is not type(where[key])])
        message["unknown"] = random.choice(_ODD)
    return json.dumps(message)


async def receive_answer(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """Return the next message of the given type, and drop all messages before it."""
    while (message := await socket.receive_json(timeout=10))["type"] != kind:
        pass
    return dict(message)


@asynccontextmanager
async def sockets(server: RoomServer) -> AsyncIterator[Sockets]:
    """Yield an object that opens sockets to a server, with the origin of the server's page."""
    async with aiohttp.ClientSession(headers={"Origin": server.url}) as session:
        wire = Sockets(session, server)
        try:
            yield wire
        finally:
            # Also close lost connections, because aiohttp warns about those that were never closed.
            for socket in wire.opened:
                socket._response.close()


class Sockets:
    """Opens sockets."""

    def __init__(self, session: aiohttp.ClientSession, server: RoomServer) -> None:
        self.session = session
        self.server = server
        self.opened: list[aiohttp.ClientWebSocketResponse] = []

    async def open(self, path: str) -> aiohttp.ClientWebSocketResponse:
        """Open a socket."""
        socket = await self.session.ws_connect(f"{self.server.url}{path}", max_msg_size=0)
        self.opened.append(socket)
        return socket

    async def enter(
        self, room: str, name: str, media: str = "camera"
    ) -> tuple[aiohttp.ClientWebSocketResponse, dict[str, Any]]:
        """Join a room as a participant; return the socket and the welcome message."""
        socket = await self.open("/signal")
        await socket.send_json({"type": "hello", "token": self.server.token(room, name), "media": media})
        return socket, await socket.receive_json(timeout=10)

    async def refused(self, path: str, text: str) -> dict[str, Any] | None:
        """Send one message without a token; return the last answer before the server disconnects, or None."""
        socket = await self.open(path)
        async with socket:
            await socket.send_str(text.encode(errors="replace").decode())
            answer = None
            async with asyncio.timeout(10):
                async for message in socket:
                    answer = json.loads(message.data)
            return answer
