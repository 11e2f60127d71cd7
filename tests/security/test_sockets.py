"""Malformed messages, invalid joins and floods disconnect only the client that sends them."""

from __future__ import annotations

import asyncio
import json
import secrets
from random import Random
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

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
    """Two participants in another room, whose call is recorded during an attack."""

    def __init__(self, wire: Sockets, audio_bytes: bytes) -> None:
        self._wire = wire
        self._audio_bytes = audio_bytes
        self.messages = 0

    async def __aenter__(self) -> Self:
        # Alice must join second, because the second participant gets the marker number that the audio contains.
        self._bob, other = await self._wire.enter("quiet", "bob")
        self._alice, welcome = await self._wire.enter("quiet", "alice", media="synthetic")
        self._to_bob = {"type": "signal", "to": other["id"], "data": {"candidate": {"candidate": "one"}}}
        self._spool = await self._wire.open("/spool")
        await self._spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
        assert (await self._spool.receive_json(timeout=10))["type"] == "ready"
        self._started = room_time()
        await self._spool.send_json({"type": "recorder", "state": "started", "time": self._started})
        event = {"time": self._started, "event": "audio", "participant": "alice", "on": True}
        await self._spool.send_json({"type": "event", "event": event})
        self._living = asyncio.create_task(self._live())
        self._over = asyncio.Event()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await self._living

    async def _live(self) -> None:
        size = 1 + len(self._audio_bytes) // 100
        pieces = [self._audio_bytes[at : at + size] for at in range(0, len(self._audio_bytes), size)]
        sent = chunks = 0
        while pieces or not self._over.is_set():
            await self._alice.send_json(self._to_bob)
            while (await self._bob.receive_json(timeout=10))["type"] != "signal":
                pass
            self.messages += 1
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
    """Call a function ``count`` times, with up to ``AT_ONCE`` calls in parallel."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            await do(number)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


@pytest.mark.parametrize("path", ["/signal", "/spool"])
def test_malformed_messages_affect_no_other_connection(
    path: str, server: RoomServer, audio_bytes: bytes, tmp_path: Path, goals: Goals
) -> None:
    """A call and a recording in another room continue while clients and members send malformed messages."""
    count = MESSAGES // 2

    async def attack() -> int:
        async with sockets(server) as wire, Witness(wire, audio_bytes) as witness:
            await side_by_side(count, lambda number: _one(wire, path, number))
            return witness.messages

    messages = asyncio.run(attack())
    (recording,) = server.publish(tmp_path / "kept")

    report = check_recording(recording)
    assert report.media is not None
    assert messages > 1
    goals.measured(
        f"malformed messages on {path}",
        bar="other rooms not affected",
        figure=f"{count} sent; another room's {messages} messages and {recording.duration:.1f} s recording complete",
        met=recording.duration > 1.9,
    )


async def _one(wire: Sockets, path: str, number: int) -> None:
    random = Random(number)  # noqa: S311 - the sequence must be reproducible
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
    """The server refuses invented, used, expired and revoked tokens, tokens for other roles, and wrong origins."""
    admitted = 0

    async def attack(server: RoomServer) -> None:
        nonlocal admitted
        async with sockets(server) as wire:
            known, welcome = await wire.enter("daily", "alice")
            leaver, left = await wire.enter("daily", "bob")
            await leaver.send_json({"type": "bye"})
            await leaver.close()
            used = server.token("daily", "carol")
            first = await wire.open("/signal")
            await first.send_json({"type": "hello", "token": used})
            assert (await first.receive_json(timeout=5))["type"] == "welcome"
            old = server._admission.issue(Token(role="participant", room="daily", name="dave"), seconds=0)
            bad: dict[str, Callable[[], dict[str, Any]]] = {
                "unknown": lambda: {"token": secrets.token_urlsafe(24)},
                "nothing": dict,
                "used": lambda: {"token": used},
                "expired": lambda: {"token": old},
                "for the spool": lambda: {"token": welcome["spool_token"]},
                "to resume": lambda: {"token": welcome["resume"]},
                "a code": lambda: {"code": secrets.token_hex(4)},
                "of a member who left": lambda: {"resume": left["resume"]},
                "the spool's, to resume": lambda: {"resume": welcome["spool_token"]},
            }
            kinds = list(bad)

            async def join(number: int) -> None:
                nonlocal admitted
                if number % 10 == 9:
                    was_admitted = await foreign(server, number)
                    admitted += was_admitted
                    return
                answer = await wire.refused("/signal", json.dumps({"type": "hello", **bad[kinds[number % 9]]()}))
                admitted += answer is None or answer["type"] != "error"

            await side_by_side(JOINS, join)
            await known.close()
            await first.close()

    with RoomServer(recordings=tmp_path / "recordings", versions={}) as server:
        asyncio.run(attack(server))

    goals.measured("joins with bad tokens", bar="none admitted", figure=f"{admitted} of {JOINS}", met=admitted == 0)
    assert admitted == 0


async def foreign(server: RoomServer, number: int) -> bool:
    """Try a valid token from another origin or with another host name; return whether the server accepted it."""
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
    ("limits", "path", "texts", "expected"),
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
            "nested more than 3 levels deep",
        ),
        (
            ServerLimits(json_depth=3),
            "/spool",
            ['{"type":"hello","config":{"a":{"b":{}}}}'],
            "nested more than 3 levels deep",
        ),
        (ServerLimits(hello_within=0.2), "/signal", [], "No message arrived for 0.2 s."),
        (ServerLimits(hello_within=0.2), "/spool", [], "No message arrived for 0.2 s."),
    ],
)
def test_exceeded_limit_is_named_in_the_error(
    limits: ServerLimits, path: str, texts: Sequence[str], expected: str, tmp_path: Path
) -> None:
    """If a client exceeds a limit, the server sends an error that names the limit, and then disconnects the client."""

    async def strain(server: RoomServer) -> list[dict[str, Any]]:
        async with sockets(server) as wire:
            inside = (await wire.enter("daily", "mallory"))[0] if len(texts) > 1 else await wire.open(path)
            for text in texts:
                await inside.send_str(text)
            return [json.loads(message.data) async for message in inside]

    with RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(limits=limits)) as server:
        answers = asyncio.run(strain(server))

    assert expected in answers[-1]["message"]


@pytest.mark.parametrize("path", ["/signal", "/spool"])
def test_compression_of_sockets_is_declined(path: str, server: RoomServer) -> None:
    """The server declines compression, because a small frame could expand to a large message."""

    async def compression() -> int:
        async with sockets(server) as wire, wire.session.ws_connect(f"{server.url}{path}", compress=15) as socket:
            return socket.compress

    assert 0 == asyncio.run(compression())


def test_a_silent_member_is_removed(tmp_path: Path) -> None:
    """The server removes a member whose page sends nothing for longer than the idle limit."""

    async def keep_quiet(server: RoomServer) -> list[dict[str, Any]]:
        async with sockets(server) as wire:
            quiet, _ = await wire.enter("daily", "mallory")
            return [json.loads(message.data) async for message in quiet]

    with RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(idle=0.3))) as server:
        answers = asyncio.run(keep_quiet(server))

    assert answers[-1]["message"] == "No message arrived for 0.3 s."
