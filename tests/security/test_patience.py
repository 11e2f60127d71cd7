"""The server limits how long it waits for a page, even if the page keeps sending other messages."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from harness.launch import serve_public_room
from harness.recording.manifest import Manifest
from harness.server.access.limits import ServerLimits
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from harness.server.spool.spool_socket import SILENCE
from tests.security.test_bombs import frame, handshake
from tests.support.sockets import AUDIO_HELLO, CHUNK, Sockets, receive_answer, sockets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.own_thread


@contextlib.asynccontextmanager
async def pinging(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[None]:
    """Send a ping every 0.1 s, as a browser does for a frozen tab."""

    async def ping() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await socket.ping()
                await asyncio.sleep(0.1)

    pings = asyncio.create_task(ping())
    try:
        yield
    finally:
        pings.cancel()


async def last_answer(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """Return the last message that the server sends before it disconnects."""
    async with asyncio.timeout(15), pinging(socket):
        answers = [json.loads(message.data) async for message in socket]
    return dict(answers[-1])


async def begin(wire: Sockets, welcome: dict[str, Any]) -> aiohttp.ClientWebSocketResponse:
    """Begin an audio recording, and return its WebSocket."""
    spool = await wire.open("/spool")
    await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
    assert (await spool.receive_json(timeout=10))["type"] == "ready"
    return spool


@pytest.mark.parametrize("path", ["/signal", "/spool"])
def test_a_connection_that_only_pings_must_send_hello_in_time(path: str, tmp_path: Path) -> None:
    """Even a client that sends pings must send the hello message within the time limit."""

    async def stay(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            return await last_answer(await wire.open(path))

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(hello_within=0.5))
    ) as server:
        assert asyncio.run(stay(server))["message"] == "No message arrived for 0.5 s."


@pytest.mark.parametrize("path", ["/signal", "/spool"])
def test_a_slow_hello_times_out(path: str, tmp_path: Path) -> None:
    """A client that sends the hello message byte by byte gets no extra time."""

    async def dribble(server: RoomServer) -> bytes:
        port = int(server.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(handshake(port, path))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frame(1, 1_000))

        async def send() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b" ")
                    await asyncio.sleep(0.05)

        sending = asyncio.create_task(send())
        async with asyncio.timeout(15):
            received = await reader.read()
        sending.cancel()
        writer.close()
        return received

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(hello_within=0.5))
    ) as server:
        assert b"No message arrived for 0.5 s." in asyncio.run(dribble(server))


@pytest.mark.parametrize("role", ["participant", "viewer"])
def test_a_participant_who_only_pings_is_removed(role: str, tmp_path: Path) -> None:
    """The server removes participants and viewers that send only pings."""

    async def stay(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            socket = await wire.open("/signal")
            await socket.send_json({"type": "hello", "name": "mallory", "role": role})
            assert (await socket.receive_json(timeout=10))["type"] in {"welcome", "viewing"}
            return await last_answer(socket)

    with serve_public_room(
        ServeOptions(limits=ServerLimits(idle=0.5)), recordings=tmp_path, on_published=lambda _: None
    ) as server:
        assert asyncio.run(stay(server))["message"] == "No message arrived for 0.5 s."


def test_a_recording_page_that_only_pings_causes_an_alarm_and_is_ended(audio_bytes: bytes, tmp_path: Path) -> None:
    """When a frozen tab sends only pings, its recording is finished, and the manifest contains the reason."""

    async def record(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            _, welcome = await wire.enter("daily", "alice")
            spool = await begin(wire, welcome)
            await spool.send_json({"type": "recorder", "state": "started", "time": 0})
            await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
            return await last_answer(spool)

    idle = SILENCE + 0.5
    with RoomServer(
        recordings=tmp_path / "spool", versions={}, options=ServeOptions(limits=ServerLimits(idle=idle))
    ) as server:
        last = asyncio.run(record(server))
        (published,) = server.publish(tmp_path / "kept")

    assert last["message"] == f"No message arrived for {idle:g} s; the recording was ended."
    assert published.recovered == f"the page sent nothing for {idle:g} s"
    assert Manifest.read(published.manifest).alarms == ("The page has stopped sending data.",)


def test_a_paused_recording_stays_open_while_its_participant_is_in_the_room(audio_bytes: bytes, tmp_path: Path) -> None:
    """A paused audio recording sends nothing, so the server does not treat its silence as a failure."""

    async def pause(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            inside, welcome = await wire.enter("daily", "alice")
            spool = await begin(wire, welcome)
            await spool.send_json({"type": "recorder", "state": "started", "time": 0})
            await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
            await spool.send_json({"type": "recorder", "state": "paused", "time": 1_000})
            for _ in range(4):
                await asyncio.sleep(0.3)
                await inside.send_json({"type": "ping", "sent": 1})
            await spool.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
            return await receive_answer(spool, "finished")

    with RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(idle=0.6))) as server:
        assert asyncio.run(pause(server))["recording"]["duration"] > 1


@pytest.mark.parametrize("state", ["paused", "stopped"])
def test_a_silent_recording_is_ended(state: str, audio_bytes: bytes, tmp_path: Path) -> None:
    """The server ends a recording if its participant leaves during a pause, or if its page is silent after the stop."""

    async def record(server: RoomServer) -> None:
        async with sockets(server) as wire:
            inside, welcome = await wire.enter("daily", "alice")
            spool = await begin(wire, welcome)
            await spool.send_json({"type": "recorder", "state": "started", "time": 0})
            await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
            await spool.send_json({"type": "recorder", "state": state, "time": 1_000})
            if state == "paused":
                await inside.send_json({"type": "bye"})
            await last_answer(spool)

    with RoomServer(
        recordings=tmp_path / "spool", versions={}, options=ServeOptions(limits=ServerLimits(idle=0.5))
    ) as server:
        asyncio.run(record(server))
        (published,) = server.publish(tmp_path / "kept")

    assert published.recovered == "the page sent nothing for 0.5 s"


@pytest.mark.parametrize("does", [[], [{"type": "stats", "time": 1, "participant": "bob", "report": []}]])
def test_a_recording_that_never_starts_is_discarded(does: list[dict[str, Any]], tmp_path: Path) -> None:
    """A recording that never starts is discarded so that another can begin, even if its page sends statistics."""

    async def announce(server: RoomServer) -> tuple[dict[str, Any], dict[str, Any]]:
        async with sockets(server) as wire:
            _, welcome = await wire.enter("daily", "mallory")
            spool = await begin(wire, welcome)
            for message in does:
                await spool.send_json(message)
            last = await last_answer(spool)
            while True:
                second = await wire.open("/spool")
                await second.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
                ready = await second.receive_json(timeout=10)
                if ready["type"] == "ready":
                    return last, ready
                # The server may still be deleting the first recording.
                await asyncio.sleep(0.05)

    limits = ServerLimits(begins_within=0.5, recordings=1)
    with RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(limits=limits)) as server:
        last, _ = asyncio.run(asyncio.wait_for(announce(server), 20))

    assert last["message"] == "No message arrived for 0.5 s; the recording was ended."


def test_recordings_per_participant_are_limited(audio_bytes: bytes, tmp_path: Path) -> None:
    """Finished recordings and other participants' recordings do not count toward a participant's recording limit."""

    async def record(server: RoomServer) -> list[str]:
        async with sockets(server) as wire:
            _, welcome = await wire.enter("daily", "mallory")
            _, other = await wire.enter("daily", "alice")
            finished = await begin(wire, welcome)
            await finished.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
            await finished.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
            await receive_answer(finished, "finished")
            answers = []
            for token in (*[welcome["spool_token"]] * 3, other["spool_token"]):
                spool = await wire.open("/spool")
                await spool.send_json({**AUDIO_HELLO, "token": token})
                received = await spool.receive_json(timeout=10)
                answers.append(received.get("message", received["type"]))
            return answers

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(recordings_each=2))
    ) as server:
        first, second, third, others = asyncio.run(record(server))

    assert ("ready", "ready", "ready") == (first, second, others)
    assert third == "You can make at most 2 recordings at a time. Stop one first."


@pytest.mark.parametrize("path", ["/signal", "/spool"])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_silent_connections_do_not_keep_others_out(
    path: str, address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Silent clients can block others for only two seconds, or until a client from another address connects."""

    async def crowd(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            _, welcome = await wire.enter("daily", "alice")
            silent = [await wire.open(path) for _ in range(4)]
            async with contextlib.AsyncExitStack() as stack:
                for socket in silent:
                    await stack.enter_async_context(pinging(socket))
                connector = aiohttp.TCPConnector(local_addr=(address, 0))
                headers = {"Origin": server.url}
                session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, headers=headers))
                socket = await asyncio.wait_for(session.ws_connect(f"{server.url}{path}"), 10)
                hello = {"type": "hello", "token": server.token("daily", "bob")}
                await socket.send_json(hello if path == "/signal" else {**AUDIO_HELLO, "token": welcome["spool_token"]})
                return dict(await socket.receive_json(timeout=10))

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(unidentified=4, hello_within=60))
    ) as server:
        first = asyncio.run(crowd(server))

    assert first["type"] in {"welcome", "ready"}
    assert ["Connections that had not sent their hello message were closed to make room for others."] == [
        line for line in caplog.messages if "hello" in line
    ]


def test_silent_connections_cause_one_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server logs only one line, no matter how many connections are silent."""

    async def crowd(server: RoomServer) -> None:
        async with sockets(server) as wire:
            await asyncio.gather(*[last_answer(await wire.open("/spool")) for _ in range(10)])

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(hello_within=0.2))
    ) as server:
        asyncio.run(crowd(server))

    assert ["Connections were closed because they did not send their hello message in time."] == [
        line for line in caplog.messages if "hello" in line
    ]


def test_a_client_that_joins_often_has_to_wait(tmp_path: Path) -> None:
    """The number of joins in a room is limited, because each join is stored in all of the room's recordings.

    Joins in other rooms are not affected by the limit.
    """

    async def churn(server: RoomServer) -> tuple[list[str], str]:
        async with sockets(server) as wire:
            kinds = []
            for _ in range(45):
                socket = await wire.open("/signal")
                await socket.send_json({"type": "hello", "token": server.token("daily", "mallory")})
                kinds.append((message := await socket.receive_json(timeout=10)).get("message", message["type"]))
                await socket.close()
            _, welcome = await wire.enter("other", "alice")
            return kinds, welcome["type"]

    with RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(joins=0.1))) as server:
        kinds, other = asyncio.run(churn(server))

    assert ["welcome", "welcome"] == kinds[:2]
    assert kinds[-1] == "Too many joins from your address: wait a second before trying again."
    assert other == "welcome"


def test_a_recording_with_more_ticks_than_possible_is_ended(tmp_path: Path) -> None:
    """The number of ticks in a recording is limited, because the server keeps ticks without a frame in memory."""

    async def report(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            _, welcome = await wire.enter("daily", "mallory")
            spool = await begin(wire, welcome)
            for number in range(20):
                await spool.send_json({"type": "ticks", "first": number * 4_096, "written": [1.0] * 4_096})
            return await last_answer(spool)

    with RoomServer(recordings=tmp_path, versions={}) as server:
        last = asyncio.run(report(server))

    assert "more than the mixer could have written so far" in last["message"]


def test_large_welcome_message_is_sent(tmp_path: Path) -> None:
    """A participant can join even if the welcome message exceeds the limit on unsent bytes."""

    async def enter(server: RoomServer) -> int:
        async with sockets(server) as wire:
            inside, _ = await wire.enter("daily", "mallory")
            subscriptions = {f"{number:a<100}": {"width": 1, "height": 1, "frameRate": 1} for number in range(256)}
            await inside.send_json({"type": "subscribe", "subscriptions": subscriptions})
            await inside.send_json({"type": "ping", "sent": 1})
            await receive_answer(inside, "pong")
            _, welcome = await wire.enter("daily", "alice")
            return len(json.dumps(welcome))

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(unsent=20_000))
    ) as server:
        assert asyncio.run(enter(server)) > 20_000


def test_a_participant_who_begins_many_recordings_must_wait(tmp_path: Path) -> None:
    """Each participant can start only a limited number of recordings, because each one needs a folder and a thread."""

    async def litter(server: RoomServer) -> tuple[list[str], str]:
        async with sockets(server) as wire:
            _, welcome = await wire.enter("daily", "mallory")
            _, other = await wire.enter("daily", "alice")
            answers = []
            for token in (*[welcome["spool_token"]] * 6, other["spool_token"]):
                spool = await wire.open("/spool")
                await spool.send_json({**AUDIO_HELLO, "token": token})
                received = await spool.receive_json(timeout=10)
                answers.append(received.get("message", received["type"]))
                await spool.close()
            return answers[:-1], answers[-1]

    with RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(begins=0.1))) as server:
        mallory, alice = asyncio.run(litter(server))

    assert mallory[:2] == ["ready", "ready"]
    assert mallory[-1] == "You are starting too many recordings: wait a second before the next one."
    assert alice == "ready"
