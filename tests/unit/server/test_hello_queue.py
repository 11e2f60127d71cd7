"""HelloQueue limits the connections that have not sent ``hello``, and closes one of them to admit another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from harness.server.access import hello_queue
from harness.server.access.limits import ServerLimits
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.parallel


async def connect(
    server: RoomServer, address: str, stack: list[aiohttp.ClientSession]
) -> aiohttp.ClientWebSocketResponse:
    """Open a WebSocket to the server from the given address of this machine."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    session = aiohttp.ClientSession(headers={"Origin": server.url}, connector=connector)
    stack.append(session)
    return await session.ws_connect(f"{server.url}/spool")


def test_a_client_loses_only_the_places_that_others_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one client uses all connections and another one connects, the first client's oldest connection is closed."""
    monkeypatch.setattr(hello_queue, "_PATIENCE", 60.0)

    async def crowd(server: RoomServer) -> list[bool]:
        sessions: list[aiohttp.ClientSession] = []
        held = [await connect(server, "127.0.0.1", sessions) for _ in range(6)]
        waiting = [asyncio.ensure_future(connect(server, "127.0.0.1", sessions)) for _ in range(3)]
        await connect(server, "127.0.0.2", sessions)
        aborted = [await is_cut(socket) for socket in held]
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for session in sessions:
            await session.close()
        return aborted

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(unidentified=6, hello_within=60))
    ) as server:
        aborted = asyncio.run(crowd(server))

    assert [True, False, False, False, False, False] == aborted


async def is_cut(socket: aiohttp.ClientWebSocketResponse) -> bool:
    """Return whether a connection has been aborted."""
    try:
        async with asyncio.timeout(0.1):
            return (await socket.receive()).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    except TimeoutError:
        return False
