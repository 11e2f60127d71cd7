"""Malformed messages, invalid joins and floods: their sender is disconnected, and nobody else is affected."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from random import Random
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil
import pytest

from harness.launch import serve_public_room
from harness.server.access.limits import ServerLimits
from harness.server.access.tokens import Token
from harness.server.clock import room_time
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from tests.support.goals import FULL
from tests.support.reports import check_recording
from tests.support.sockets import (
    AUDIO_HELLO,
    CHUNK,
    SIGNAL_MESSAGES,
    SPOOL_MESSAGES,
    Sockets,
    malformed,
    receive_answer,
    sockets,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path
    from typing import Self

    from tests.support.goals import Goals

MESSAGES = 10_000 if FULL else 400
JOINS = 1_000 if FULL else 100
AT_ONCE = 8
pytestmark = pytest.mark.own_thread


class Witness:
    """Two participants in a room of their own, who talk and record while others are attacked."""

    def __init__(self, wire: Sockets, sound: bytes) -> None:
        self._wire = wire
        self._sound = sound
        self.said = 0

    async def __aenter__(self) -> Self:
        # The second one has the number that the sound says.
        self._bob, other = await self._wire.enter("quiet", "bob")
        self._alice, welcome = await self._wire.enter("quiet", "alice", media="synthetic")
        self._to_bob = {"type": "signal", "to": other["id"], "data": {"candidate": {"candidate": "one"}}}
        self._spool = await self._wire.open("/spool")
        await self._spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
        assert (await self._spool.receive_json(timeout=10))["type"] == "ready"
        self._started = room_time()
        await self._spool.send_json({"type": "recorder", "state": "started", "time": self._started})
        heard = {"time": self._started, "event": "audio", "participant": "alice", "on": True}
        await self._spool.send_json({"type": "event", "event": heard})
        self._living = asyncio.create_task(self._live())
        self._over = asyncio.Event()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await self._living

    async def _live(self) -> None:
        size = 1 + len(self._sound) // 100
        pieces = [self._sound[at : at + size] for at in range(0, len(self._sound), size)]
        sent = chunks = 0
        while pieces or not self._over.is_set():
            await self._alice.send_json(self._to_bob)
            while (await self._bob.receive_json(timeout=10))["type"] != "signal":
                pass
            self.said += 1
            if pieces:
                piece = pieces.pop(0)
                await self._spool.send_bytes(CHUNK.pack(1, chunks, sent) + piece)
                sent += len(piece)
                chunks += 1
            else:
                await self._spool.send_json({"type": "stats", "time": room_time(), "participant": "bob", "report": []})
            while (await self._spool.receive_json(timeout=10)).get("bytes") != sent:
                pass
            await asyncio.sleep(0.005)
        await self._spool.send_json({"type": "recorder", "state": "stopped", "time": self._started + 2_000})
        await self._spool.send_json({"type": "end", "chunks": chunks, "bytes": sent})
        while (await self._spool.receive_json(timeout=10))["type"] != "finished":
            pass


async def side_by_side(count: int, do: Callable[[int], Awaitable[None]]) -> None:
    """Do something this many times, a few at a time."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await do(number)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


@pytest.mark.parametrize("path", ["/signal", "/spool"])
def test_malformed_messages_affect_no_other_connection(
    path: str, server: RoomServer, sound: bytes, tmp_path: Path, goals: Goals
) -> None:
    """Half of them come from unidentified clients, half from members; a call and a recording go on."""
    count = MESSAGES // 2

    async def attack() -> int:
        async with sockets(server) as wire, Witness(wire, sound) as witness:
            await side_by_side(count, lambda number: _one(wire, path, number))
            return witness.said

    said = asyncio.run(attack())
    (recording,) = server.publish(tmp_path / "kept")

    report = check_recording(recording)
    assert report.media is not None
    assert said > 1
    goals.measured(
        f"malformed messages on {path}",
        bar="alive, other rooms undisturbed",
        figure=f"{count} sent, {said} messages and a recording of {recording.duration:.1f} s beside them whole",
        met=recording.duration > 1.9,
    )


async def _one(wire: Sockets, path: str, number: int) -> None:
    random = Random(number)  # noqa: S311 - the same every time
    text = malformed(random, SIGNAL_MESSAGES if path == "/signal" else SPOOL_MESSAGES)
    if number % 2:
        answer = await wire.refused(path, text)
        assert answer is None or answer["type"] == "error", answer
        return
    inside, welcome = await wire.enter(f"room {number}", "mallory")
    async with inside:
        if path == "/signal":
            await inside.send_str(text.encode(errors="replace").decode())
            answers = [json.loads(message.data) async for message in inside]
            code = inside.close_code
        else:
            spool = await wire.open("/spool")
            async with spool:
                await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
                await spool.send_str(text.encode(errors="replace").decode())
                answers = [json.loads(message.data) async for message in spool]
                code = spool.close_code
        too_big = code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        assert too_big or answers[-1]["type"] == "error", (text[:200], answers)


def test_joins_with_bad_tokens_are_refused(tmp_path: Path, goals: Goals) -> None:
    """They are invented, used, expired, of another role, of a member who left, or from a foreign page."""
    let_in = 0

    async def attack(server: RoomServer) -> None:
        nonlocal let_in
        async with sockets(server) as wire:
            known, welcome = await wire.enter("daily", "alice")
            gone, left = await wire.enter("daily", "bob")
            await gone.send_json({"type": "bye"})
            await gone.close()
            used = server.token("daily", "carol")
            first = await wire.open("/signal")
            await first.send_json({"type": "hello", "token": used})
            assert (await first.receive_json(timeout=5))["type"] == "welcome"
            old = server._admission.issue(Token(role="participant", room="daily", name="dave"), seconds=0)
            bad: dict[str, Callable[[], dict[str, Any]]] = {
                "made up": lambda: {"token": secrets.token_urlsafe(24)},
                "nothing": dict,
                "used": lambda: {"token": used},
                "too old": lambda: {"token": old},
                "for the spool": lambda: {"token": welcome["spool_token"]},
                "to come back": lambda: {"token": welcome["resume"]},
                "a code": lambda: {"code": secrets.token_hex(4)},
                "somebody's who left": lambda: {"resume": left["resume"]},
                "the spool's, to come back": lambda: {"resume": welcome["spool_token"]},
            }
            kinds = list(bad)

            async def join(number: int) -> None:
                nonlocal let_in
                if number % 10 == 9:
                    got_in = await foreign(server, number)
                    let_in += got_in
                    return
                answer = await wire.refused("/signal", json.dumps({"type": "hello", **bad[kinds[number % 9]]()}))
                let_in += answer is None or answer["type"] != "error"

            await side_by_side(JOINS, join)
            await known.close()
            await first.close()

    with RoomServer(recordings=tmp_path / "recordings", versions={}) as server:
        asyncio.run(attack(server))

    goals.measured("bad joins", bar="none let in", figure=f"{let_in} of {JOINS} let in", met=let_in == 0)
    assert let_in == 0


async def foreign(server: RoomServer, number: int) -> bool:
    """Try a good token from another page, or under another host name; return whether it was admitted."""
    token = server.token("daily", "eve")
    port = server.url.rpartition(":")[2]
    headers = [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
        {"Origin": f"http://127.0.0.1:{int(port) + 1}"},
        {"Origin": f"https://127.0.0.1:{port}"},
        {"Origin": server.url, "Host": f"evil.example:{port}"},
        {"Origin": f"http://evil.example:{port}", "Host": f"evil.example:{port}"},
    ][number // 10 % 7]
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(f"{server.url}/signal", headers=headers)
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status not in {403, 421}
        await socket.send_json({"type": "hello", "token": token})
        return bool((await socket.receive_json(timeout=5))["type"] == "welcome")


@pytest.mark.parametrize(
    ("limits", "path", "texts", "said"),
    [
        (
            ServerLimits(messages=5),
            "/signal",
            ['{"type":"ping","sent":1}'] * 150,
            "Too many messages: at most 5 per second.",
        ),
        (
            ServerLimits(json_depth=3),
            "/signal",
            ['{"type":"hello","subscriptions":{"a":{"b":{}}}}'],
            "nested more than 3 deep",
        ),
        (ServerLimits(json_depth=3), "/spool", ['{"type":"hello","config":{"a":{"b":{}}}}'], "nested more than 3 deep"),
        (ServerLimits(hello_within=0.2), "/signal", [], "No message arrived for 0.2 s."),
        (ServerLimits(hello_within=0.2), "/spool", [], "No message arrived for 0.2 s."),
    ],
)
def test_each_exceeded_limit_is_named(
    limits: ServerLimits, path: str, texts: Sequence[str], said: str, tmp_path: Path
) -> None:
    """Then the server disconnects."""

    async def strain(server: RoomServer) -> list[dict[str, Any]]:
        async with sockets(server) as wire:
            inside = (await wire.enter("daily", "mallory"))[0] if len(texts) > 1 else await wire.open(path)
            for text in texts:
                await inside.send_str(text)
            return [json.loads(message.data) async for message in inside]

    with RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(limits=limits)) as server:
        answers = asyncio.run(strain(server))

    assert said in answers[-1]["message"]


@pytest.mark.parametrize("path", ["/signal", "/spool"])
def test_no_socket_is_compressed(path: str, server: RoomServer) -> None:
    """The server declines compression: a small frame would be a large message."""

    async def compression() -> int:
        async with sockets(server) as wire, wire.session.ws_connect(f"{server.url}{path}", compress=15) as socket:
            return socket.compress

    assert 0 == asyncio.run(compression())


def test_a_silent_member_is_removed(tmp_path: Path) -> None:
    """A page pings every few seconds."""

    async def keep_quiet(server: RoomServer) -> list[dict[str, Any]]:
        async with sockets(server) as wire:
            quiet, _ = await wire.enter("daily", "mallory")
            return [json.loads(message.data) async for message in quiet]

    with RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(idle=0.3))) as server:
        answers = asyncio.run(keep_quiet(server))

    assert answers[-1]["message"] == "No message arrived for 0.3 s."


def test_sockets_per_address_are_limited(tmp_path: Path) -> None:
    """The next one is refused until one of them is closed."""

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
    """The number of sockets does not matter."""

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
    assert second["message"] == "The room is full of recordings: 1 at a time."


def test_the_log_of_a_recording_is_limited(tmp_path: Path) -> None:
    """The log can fill a disk just as the media can."""

    async def record(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            inside, welcome = await wire.enter("daily", "mallory")
            spool = await wire.open("/spool")
            await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
            told = {"type": "ticks", "first": 0, "written": [1.0] * 1000}
            for _ in range(10):
                await spool.send_json(told)
            answers = [json.loads(message.data) async for message in spool]
            await inside.close()
            return dict(answers[-1])

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(notes_bytes=20_000))
    ) as server:
        answer = asyncio.run(record(server))

    assert "the 20000 bytes that the server accepts" in answer["message"]


def test_unidentified_recorders_wait_for_their_turn(tmp_path: Path) -> None:
    """Their messages are in memory until they are whole, so few are read at a time, and all are admitted."""

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
    """The right code has to wait as well; tokens are still accepted. The server logs it once."""

    async def guess(server: RoomServer) -> list[str]:
        async with sockets(server) as wire:
            told = []
            for number in range(45):
                hello = {"type": "hello", "name": "eve", "code": "join the room" if number == 44 else f"code {number}"}
                answer = await wire.refused("/signal", json.dumps(hello))
                assert answer is not None
                told.append(str(answer["message"]))
            inside, welcome = await wire.enter("room", "alice")
            assert welcome["type"] == "welcome"
            await inside.close()
            return told

    limits = ServerLimits(wrong_codes=0.1)
    with RoomServer(
        recordings=tmp_path,
        versions={},
        options=ServeOptions(public_room="room", join_code="join the room", limits=limits),
    ) as server:
        told = asyncio.run(guess(server))

    assert told[0] == "Not admitted: the token or code is wrong, used or too old."
    assert told[-1] == "Too many wrong codes from your address: wait a second before the next one."
    assert ["A client tries many wrong codes: only 0.1 per second are checked from its address."] == [
        line for line in caplog.messages if "codes" in line
    ]


def test_a_member_who_reads_nothing_delays_nobody(tmp_path: Path) -> None:
    """The others go on, the slow member is disconnected, and the server ends within moments."""

    async def talk(server: RoomServer) -> None:
        async with sockets(server) as wire:
            deaf, welcome = await wire.enter("daily", "mallory")
            # Only the slow member's own end stops reading.
            connection = deaf._conn
            assert connection is not None
            assert connection.protocol is not None
            connection.protocol.pause_reading()
            alice, _ = await wire.enter("daily", "alice")
            bob, _ = await wire.enter("daily", "bob")
            much = {
                "type": "signal",
                "to": welcome["id"],
                "data": {"description": {"type": "offer", "sdp": "x" * 50_000}},
            }
            for _ in range(200):
                await alice.send_json(much)
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
    """Their number does not matter."""

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


def test_a_recording_that_grows_too_large_is_ended_and_published(sound: bytes, tmp_path: Path) -> None:
    """It has the bytes up to the limit."""
    half = len(sound) // 2

    async def record(server: RoomServer) -> dict[str, Any]:
        async with sockets(server) as wire:
            inside, welcome = await wire.enter("daily", "mallory")
            spool = await wire.open("/spool")
            await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
            await spool.send_bytes(CHUNK.pack(1, 0, 0) + sound[:half])
            await spool.send_bytes(CHUNK.pack(1, 1, half) + sound[half:])
            answers = [json.loads(message.data) async for message in spool]
            await inside.close()
            return dict(answers[-1])

    with RoomServer(
        recordings=tmp_path / "spool", versions={}, options=ServeOptions(limits=ServerLimits(recording_bytes=half))
    ) as server:
        answer = asyncio.run(record(server))
        (kept,) = server.publish(tmp_path / "kept")

    assert f"the {half} bytes that the server accepts" in answer["message"]
    assert kept.recovered == "it had reached the largest size that the server accepts"
    assert kept.duration > 0.8
