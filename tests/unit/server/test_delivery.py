"""The server monitors each client's download, and soon reports a download that makes no progress."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web

from harness.server.room_server import RoomServer
from harness.server.spool import delivery as deliveries
from harness.server.spool.delivery import Delivery
from tests.support.sockets import AUDIO_HELLO, CHUNK, receive_answer, sockets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.parallel

# The file's size, which is more than the operating system's buffers for a connection can hold.
LARGE = 64_000_000


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the server's time limits for downloads."""
    monkeypatch.setattr(deliveries, "BEGINS_WITHIN", 0.3)
    monkeypatch.setattr(deliveries, "_CONTINUES_WITHIN", 0.3)
    monkeypatch.setattr(deliveries, "_RESUMES_WITHIN", 0.3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a large file that occupies no disk space."""
    path = tmp_path / "large.webm"
    with path.open("wb") as large:
        large.truncate(LARGE)
    return path


@contextlib.asynccontextmanager
async def serving(delivery: Delivery, file: Path) -> AsyncIterator[int]:
    """Serve a file through a delivery, and yield the port."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await delivery.send(request, file, {}) or web.Response(text="something else")

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def request(port: int, *headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Request the file without reading the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
    writer.write("\r\n".join(["GET / HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode())
    return reader, writer


def test_client_that_does_not_request_the_file_is_reported(file: Path) -> None:
    """A page that has only asked for the file's URL has not yet requested the file."""
    assert "the browser did not request the file within 0.3 s" == asyncio.run(
        Delivery(file.stat().st_size, "id").failure()
    )


def test_client_that_stops_reading_is_reported(file: Path) -> None:
    """If the client stops reading, the server can send nothing more once the operating system's buffers are full."""

    async def stuck() -> str | None:
        delivery = Delivery(LARGE, "id")
        async with serving(delivery, file) as port:
            _, writer = await request(port)
            failure = await delivery.failure()
            writer.close()
        return failure

    failure = asyncio.run(stuck())

    assert failure is not None
    assert failure.startswith("the browser accepted no data for 0.3 s after ")
    assert failure.endswith(" of 64 MB")


def test_client_that_closes_the_connection_is_reported(file: Path) -> None:
    """A client can close the connection, for example because its disk is full."""

    async def cancelled() -> str | None:
        delivery = Delivery(LARGE, "id")
        async with serving(delivery, file) as port:
            reader, writer = await request(port)
            await reader.readexactly(1000)
            writer.close()
            return await delivery.failure()

    assert str(asyncio.run(cancelled())).startswith("the browser closed the connection after ")


def test_download_that_is_slow_but_continues_is_not_reported(file: Path) -> None:
    """The limit applies to the time without progress, not to the whole download."""

    async def slow() -> str | None:
        delivery = Delivery(LARGE, "id")
        async with serving(delivery, file) as port:
            reader, writer = await request(port, "Connection: close")
            outcome = asyncio.create_task(delivery.failure())
            while await reader.read(4_000_000):
                pass
            writer.close()
            return await outcome

    assert asyncio.run(slow()) is None


def test_interrupted_download_can_be_resumed(file: Path) -> None:
    """After a disconnect, Chrome requests the rest of the file, which is sent only if the beginning was sent before."""

    async def resumed() -> tuple[int, str | None, int, str | None]:
        whole, rest = Delivery(LARGE, "id"), Delivery(LARGE, "id")
        async with serving(rest, file) as port, ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/", headers={"Range": "bytes=1000-"}) as part:
                alone = part.status
                await part.read()
            never = await rest.failure()
        async with serving(whole, file) as port, ClientSession() as session:
            reader, writer = await request(port)
            await reader.readexactly(100_000)
            writer.close()
            async with session.get(f"http://127.0.0.1:{port}/", headers={"Range": "bytes=1000-"}) as part:
                assert f"bytes 1000-{LARGE - 1}/{LARGE}" == part.headers["Content-Range"]
                assert LARGE - 1000 == len(await part.read())
            return alone, never, part.status, await whole.failure()

    assert (200, "the browser did not request the file within 0.3 s", 206, None) == asyncio.run(resumed())


def test_page_gets_the_outcome_of_its_download_even_after_a_reconnect(tmp_path: Path, audio_bytes: bytes) -> None:
    """After a reconnect, a page asks for the outcome of its download again.

    While a page waits for this outcome, the server still handles other messages.
    """

    async def record(server: RoomServer) -> list[Any]:
        async with sockets(server) as wire:
            _, welcome = await wire.enter("daily", "alice")
            spool = await wire.open("/spool")
            await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
            ready = await receive_answer(spool, "ready")
            await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
            await spool.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
            await receive_answer(spool, "finished")
            await spool.send_json({"type": "download"})
            address = (await receive_answer(spool, "address"))["url"]
            await spool.send_json({"type": "delivery"})
            await spool.send_json({"type": "outstanding"})
            await receive_answer(spool, "outstanding")
            again = await wire.open("/spool")
            await again.send_json({**AUDIO_HELLO, "token": ready["resume"], "recording": ready["recording"]})
            await again.send_json({"type": "delivery"})
            failed = await receive_answer(again, "delivery")
            await again.send_json({"type": "download"})
            await receive_answer(again, "address")
            async with wire.session.get(server.url + address) as response:
                await response.read()
            await again.send_json({"type": "delivery"})
            return [failed["failure"], (await receive_answer(again, "delivery"))["failure"]]

    with RoomServer(recordings=tmp_path, versions={}) as server:
        outcomes = asyncio.run(record(server))

    assert ["the browser did not request the file within 0.3 s", None] == outcomes
