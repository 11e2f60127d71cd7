"""Floods from members or unidentified clients neither exhaust the server's resources nor affect other clients."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil
import pytest

from harness.launch import serve_public_room
from harness.server.access.limits import ServerLimits
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from tests.support.sockets import (
    AUDIO_HELLO,
    CHUNK,
    receive_answer,
    sockets,
)

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.own_thread


def test_sockets_per_address_are_limited(tmp_path: Path) -> None:
    """When an address has the maximum number of sockets, the next one is refused until an existing one is closed."""

    async def crowd(server: RoomServer) -> int:
        async with sockets(server) as wire:
            first, second = await wire.open("/signal"), await wire.open("/spool")
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await wire.open("/signal")
            await first.close()
            async with asyncio.timeout(5):
                while True:
                    try:
                        await (await wire.open("/signal")).close()
                    except aiohttp.WSServerHandshakeError:
                        await asyncio.sleep(0.01)
                    else:
                        await second.close()
                        return refused.value.status

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(connections=2))
    ) as server:
        assert asyncio.run(crowd(server)) == 429


def test_recordings_per_room_are_limited(tmp_path: Path) -> None:
    """If a room has the maximum number of recordings, a further recording is refused."""

    async def record(server: RoomServer) -> list[dict[str, Any]]:
        async with sockets(server) as wire:
            inside, welcome = await wire.enter("daily", "mallory")
            answers, opened = [], [inside]
            for _ in range(2):
                spool = await wire.open("/spool")
                await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
                answers.append(await spool.receive_json(timeout=5))
                opened.append(spool)
            for one in opened:
                await one.close()
            return answers

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(recordings=1))
    ) as server:
        first, second = asyncio.run(record(server))

    assert first["type"] == "ready"
    assert second["message"] == "Too many recordings in this room: at most 1 at a time."


def test_the_log_of_a_recording_is_limited(tmp_path: Path) -> None:
    """The server limits the size of logs as well as media, because both can fill the disk."""

    async def record(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            inside, welcome = await wire.enter("daily", "mallory")
            spool = await wire.open("/spool")
            await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
            ticks = {"type": "ticks", "first": 0, "written": [1.0] * 1000}
            for _ in range(10):
                await spool.send_json(ticks)
            answers = [json.loads(message.data) async for message in spool]
            await inside.close()
            return dict(answers[-1])

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(notes_bytes=20_000))
    ) as server:
        answer = asyncio.run(record(server))

    assert "the 20000 bytes that the server accepts" in answer["message"]


def test_unidentified_recorders_wait_for_their_turn(tmp_path: Path) -> None:
    """The server reads from only a few unidentified clients at a time, because incomplete messages occupy memory."""

    async def crowd(server: RoomServer) -> tuple[bool, str]:
        async with sockets(server) as wire:
            inside, welcome = await wire.enter("daily", "alice")
            silent = [await wire.open("/spool") for _ in range(2)]
            waiting = asyncio.ensure_future(wire.open("/spool"))
            done, _ = await asyncio.wait({waiting}, timeout=0.5)
            await silent[0].close()
            spool = await asyncio.wait_for(waiting, 10)
            await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
            ready = await spool.receive_json(timeout=10)
            for socket in (*silent, spool, inside):
                await socket.close()
            return bool(done), str(ready["type"])

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(unidentified=2))
    ) as server:
        assert (False, "ready") == asyncio.run(crowd(server))


def test_a_client_that_tries_many_codes_has_to_wait(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After many wrong codes, even the correct join code is refused for a while, but tokens still work."""

    async def guess(server: RoomServer) -> list[str]:
        async with sockets(server) as wire:
            messages = []
            for number in range(45):
                hello = {"type": "hello", "name": "eve", "code": "join the room" if number == 44 else f"code {number}"}
                answer = await wire.refused("/signal", json.dumps(hello))
                assert answer is not None
                messages.append(str(answer["message"]))
            inside, welcome = await wire.enter("room", "alice")
            assert welcome["type"] == "welcome"
            await inside.close()
            return messages

    limits = ServerLimits(wrong_codes=0.1)
    with RoomServer(
        recordings=tmp_path,
        versions={},
        options=ServeOptions(public_room="room", join_code="join the room", limits=limits),
    ) as server:
        messages = asyncio.run(guess(server))

    assert messages[0] == "Not admitted: the token or code is wrong, already used or expired."
    assert messages[-1] == "Too many wrong codes from your address: wait a second before trying again."
    assert ["A client is trying many wrong codes: only 0.1 per second from its address are checked."] == [
        line for line in caplog.messages if "codes" in line
    ]


def test_slow_member_delays_no_other_member(tmp_path: Path) -> None:
    """The server disconnects a member that reads too slowly, serves other members without delay, and stops quickly."""

    async def talk(server: RoomServer) -> None:
        async with sockets(server) as wire:
            slow, welcome = await wire.enter("daily", "mallory")
            # The slow member's client stops reading.
            connection = slow._conn
            assert connection is not None
            assert connection.protocol is not None
            connection.protocol.pause_reading()
            alice, _ = await wire.enter("daily", "alice")
            bob, _ = await wire.enter("daily", "bob")
            large_message = {
                "type": "signal",
                "to": welcome["id"],
                "data": {"description": {"type": "offer", "sdp": "x" * 50_000}},
            }
            for _ in range(200):
                await alice.send_json(large_message)
            await alice.send_json({"type": "state", "audio": False, "video": True})
            assert (await receive_answer(bob, "state"))["audio"] is False
            await alice.send_json({"type": "ping", "sent": 1})
            assert (await receive_answer(alice, "pong"))["sent"] == 1
            began = time.monotonic()
            await asyncio.to_thread(server.stop)
            assert time.monotonic() - began < 8

    with RoomServer(recordings=tmp_path, versions={}) as server:
        asyncio.run(talk(server))


def test_broken_recordings_leave_no_file_open(tmp_path: Path) -> None:
    """The server leaves no files open for recordings that failed."""

    async def litter(server: RoomServer) -> None:
        async with sockets(server) as wire:
            inside = await wire.open("/signal")
            await inside.send_json({"type": "hello", "name": "mallory", "media": "camera"})
            token = (await inside.receive_json(timeout=10))["spool_token"]
            for _ in range(40):
                spool = await wire.open("/spool")
                await spool.send_json({**AUDIO_HELLO, "token": token})
                await spool.send_bytes(CHUNK.pack(1, 0, 0) + b"junk")
                await receive_answer(spool, "ack")
                await spool.close()
            await inside.close()

    with serve_public_room(ServeOptions(), recordings=tmp_path, on_published=lambda _: None) as server:
        before = len(psutil.Process().open_files())
        asyncio.run(litter(server))
        by = time.monotonic() + 20
        while server._spool.recordings and time.monotonic() < by:
            threading.Event().wait(0.05)
        assert not server._spool.recordings
        assert len(psutil.Process().open_files()) <= before + 2


def test_a_recording_that_grows_too_large_is_ended_and_published(audio_bytes: bytes, tmp_path: Path) -> None:
    """A recording that exceeds the size limit is published with all data up to that limit."""
    half = len(audio_bytes) // 2

    async def record(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            inside, welcome = await wire.enter("daily", "mallory")
            spool = await wire.open("/spool")
            await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
            await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes[:half])
            await spool.send_bytes(CHUNK.pack(1, 1, half) + audio_bytes[half:])
            answers = [json.loads(message.data) async for message in spool]
            await inside.close()
            return dict(answers[-1])

    with RoomServer(
        recordings=tmp_path / "spool", versions={}, options=ServeOptions(limits=ServerLimits(recording_bytes=half))
    ) as server:
        answer = asyncio.run(record(server))
        (published,) = server.publish(tmp_path / "kept")

    assert f"the {half} bytes that the server accepts" in answer["message"]
    assert published.recovered == "the recording reached the maximum size that the server accepts"
    assert published.duration > 0.8
