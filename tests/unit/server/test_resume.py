"""If the connection is lost while a recording ends, the page can reconnect to receive the file or the error."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError
from harness.recording.spool.folder import Folder
from harness.server.library.library import Library
from harness.server.room_server import RoomServer
from tests.support.sockets import AUDIO_HELLO, CHUNK, Sockets, receive_answer, sockets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import Never

    import aiohttp

pytestmark = pytest.mark.parallel


class SlowDisk:
    """A fake disk that renames a finished file only after the test has allowed it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.error: OSError | None = None
        name = Folder.name

        def slowly(folder: Folder, facts: Any) -> Path:
            self.reached.set()
            assert self.go_on.wait(30)
            if self.error:
                raise self.error
            return name(folder, facts)

        monkeypatch.setattr(Folder, "name", slowly)


async def ending(
    wire: Sockets, audio_bytes: bytes, disk: SlowDisk
) -> tuple[aiohttp.ClientWebSocketResponse, dict[str, Any]]:
    """Record and send ``end``.

    Return the recording's WebSocket, and the ``hello`` message with which the page can resume the recording.
    """
    _, welcome = await wire.enter("daily", "alice")
    spool = await wire.open("/spool")
    await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
    ready = await receive_answer(spool, "ready")
    await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
    await receive_answer(spool, "ack")
    await spool.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
    await asyncio.to_thread(disk.reached.wait, 30)
    return spool, {**AUDIO_HELLO, "token": ready["resume"], "recording": ready["recording"]}


def lost(spool: aiohttp.ClientWebSocketResponse) -> None:
    """Abort a recorder's connection without closing the WebSocket properly."""
    connection = spool._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()
    spool._response.close()


def noticed(server: RoomServer) -> None:
    """Wait until the server has noticed that all recorders have lost their connections."""
    breath = threading.Event()
    while any(socket._request.transport is not None for socket in server._web_app.spool_sockets._open):
        breath.wait(0.01)


def never_verify(_: Path) -> Never:
    """Fail if called: no recording is verified in these tests."""
    raise NotImplementedError


def on(tmp_path: Path, play: Callable[[Sockets], Awaitable[None]], *, listed: bool = False) -> None:
    """Run ``play`` with a connection to a new server. If ``listed`` is true, the server has a library of recordings."""

    async def run(server: RoomServer) -> None:
        async with sockets(server) as wire:
            await play(wire)

    library = Library("daily", tmp_path, never_verify, lambda _: None) if listed else None
    with RoomServer(recordings=tmp_path, versions={}, library=library) as server:
        asyncio.run(run(server))


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_page_that_reconnects_while_the_file_is_finished_gets_it(
    tmp_path: Path, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch, *, is_lost: bool
) -> None:
    """A page that reconnects receives the recorded file once, even if the server has not noticed the disconnect."""
    disk = SlowDisk(monkeypatch)

    async def play(wire: Sockets) -> None:
        spool, resume = await ending(wire, audio_bytes, disk)
        if is_lost:
            lost(spool)
        again = await wire.open("/spool")
        await again.send_json(resume)
        ready = await again.receive_json(timeout=10)
        assert ("ready", 2) == (ready["type"], ready["acked_seq"])
        disk.go_on.set()
        finished = await again.receive_json(timeout=10)
        assert ("finished", "heard.webm") == (finished["type"], finished["recording"]["name"])
        await again.send_json({"type": "download"})
        assert "address" == (await again.receive_json(timeout=10))["type"]

    on(tmp_path, play)


def test_a_page_that_reconnects_twice_gets_the_file(
    tmp_path: Path, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a page reconnects several times, the recorded file is sent over its last connection."""
    disk = SlowDisk(monkeypatch)

    async def play(wire: Sockets) -> None:
        spool, resume = await ending(wire, audio_bytes, disk)
        for _ in range(2):
            lost(spool)
            spool = await wire.open("/spool")
            await spool.send_json(resume)
            await receive_answer(spool, "ready")
        disk.go_on.set()
        assert "finished" == (await spool.receive_json(timeout=10))["type"]

    on(tmp_path, play)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_a_page_that_reconnects_to_a_failed_recording_gets_the_reason(
    tmp_path: Path, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch, *, late: bool, listed: bool
) -> None:
    """If a recording can't be finished, a page that reconnects before or after the failure receives the error."""
    disk = SlowDisk(monkeypatch)
    disk.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def play(wire: Sockets) -> None:
        spool, resume = await ending(wire, audio_bytes, disk)
        lost(spool)
        if late:
            await asyncio.to_thread(noticed, wire.server)
            disk.go_on.set()
            (active,) = wire.server._spool.recordings.values()
            with contextlib.suppress(HarnessError):
                await asyncio.to_thread(active.finish)
        again = await wire.open("/spool")
        await again.send_json(resume)
        await receive_answer(again, "ready")
        disk.go_on.set()
        error = await receive_answer(again, "error")
        assert "heard.webm can't be finished: No space left on device" in error["message"]

    on(tmp_path, play, listed=listed)
