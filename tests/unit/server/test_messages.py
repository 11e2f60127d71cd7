"""Page and server send exactly the messages that the page's types declare, and the server validates its input."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from harness.recording.files.disk import Headroom
from harness.server.library.library import Library
from harness.server.room_server import RoomServer
from harness.server.rooms.messages import SIGNAL, SignalMessage
from harness.server.serve_options import ServeOptions
from harness.server.spool.messages import SPOOL, SpoolMessage
from tests.support.sockets import AUDIO_HELLO, CHUNK, Sockets, receive_answer, sockets

if TYPE_CHECKING:
    from typing import Never

    import aiohttp

pytestmark = pytest.mark.parallel

ROOT = Path(__file__).parents[3]
SERVER = ROOT / "harness" / "server"
TYPES = "\n".join(path.read_text() for path in sorted((ROOT / "web" / "src").rglob("*.d.ts")))

HELLO = {
    "type": "hello",
    "token": "t",
    "recording": None,
    "recorder": "all",
    "config": {},
    "mime_type": "video/webm;codecs=vp8,opus",
    "width": 1280,
    "height": 720,
    "frame_rate": 30,
    "clock": {"offset": -1.5e12, "error": 0.2},
}
TILE = {"participant": "alice", "x": 0, "y": 0, "width": 640, "height": 360}


def declared(union: str) -> dict[str, set[str]]:
    """Return the fields of each message type in one of the page's TypeScript unions."""
    body = TYPES.split(f"type {union} =")[1].split(";\n\n")[0]
    found = {}
    for message in re.split(r"\n  \| ", re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL))[1:]:
        shared = [declared_interface(name) for name in re.findall(r"& (\w+)", message)]
        (kind,) = re.findall(r"type: '([\w-]+)'", message)
        found[kind] = fields(message).union(*shared)
    return found


def declared_interface(name: str) -> set[str]:
    """Return the fields of one of the page's TypeScript interfaces."""
    return fields(TYPES.split(f"interface {name} ")[1].split("\n}")[0])


def fields(text: str) -> set[str]:
    """Return the field names in the outermost braces of a TypeScript type."""
    depth = 0
    found = set()
    for token in re.finditer(r"[{}]|(\w+)\??:", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if token[1] and depth == 1:
            found.add(token[1])
    return found


@pytest.mark.parametrize(("union", "name"), [(SignalMessage, "ToServer"), (SpoolMessage, "ToSpool")])
def test_page_and_server_declare_the_same_messages(union: Any, name: str) -> None:
    """The page and the server declare the same message types with the same fields."""
    models: list[type[BaseModel]] = list(get_args(union))

    ours = {get_args(model.model_fields["type"].annotation)[0]: set(model.model_fields) for model in models}

    assert declared(name) == ours


def test_server_sends_the_messages_that_the_page_declares(
    tmp_path: Path, audio_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a session that uses the whole protocol, the server sends every message type with its declared fields."""
    # Make the server report each hash in a message of its own, and treat every disk as nearly full.
    monkeypatch.setattr("harness.server.spool.spool_socket.HASHED_AT_ONCE", 0)
    library = Library("daily", tmp_path, never_verify, lambda _: None)
    options = ServeOptions(public_room="daily")
    with RoomServer(recordings=tmp_path, versions={}, options=options, library=library) as server:
        server._spool.headroom = Headroom(low=1 << 60, least=0)
        signal, spool = asyncio.run(play_session(server, audio_bytes))

    for union, messages in (("FromServer", signal), ("FromSpool", spool)):
        expected = declared(union)
        assert expected.keys() == {message["type"] for message in messages}
        for message in messages:
            assert expected[message["type"]] == message.keys(), message["type"]
    welcome = next(message for message in signal if message["type"] == "welcome" and message["members"])
    joined = next(message for message in signal if message["type"] == "joined")
    for member in (*welcome["members"], joined["member"]):
        assert declared_interface("MemberInfo") == member.keys()
    listed = next(message for message in signal if message["type"] == "recordings" and message["recordings"])
    assert declared_interface("LibraryItem") == listed["recordings"][0].keys()
    finished = next(message for message in spool if message["type"] == "finished")
    assert declared_interface("FinishedRecording") == finished["recording"].keys()


def test_server_has_no_message_that_the_page_does_not_declare() -> None:
    """The page declares every message type in the server's source code, even types that no test session uses."""
    known = declared("FromServer").keys() | declared("FromSpool").keys()

    written = {kind for path in SERVER.rglob("*.py") for kind in re.findall(r'"type": "(\w+)"', path.read_text())}

    assert written
    assert written <= known


async def play_session(server: RoomServer, audio_bytes: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Run a session that uses the whole protocol, and return the server's ``/signal`` and ``/spool`` messages."""
    async with sockets(server) as wire:
        alice, welcome = await wire.enter("daily", "alice")
        spool = await play_recording(wire, welcome["spool_token"], audio_bytes)
        viewer = await wire.open("/signal")
        await viewer.send_json({"type": "hello", "role": "viewer"})
        await viewer.send_json({"type": "ping", "sent": 1})
        bob, bobs = await wire.enter("daily", "bob")
        await bob.send_json({"type": "state", "audio": False, "video": True})
        await bob.send_json({"type": "subscribe", "subscriptions": {"*": {"width": 1, "height": 1, "frameRate": 1}}})
        await bob.send_json({"type": "signal", "to": welcome["id"], "data": {}})
        await bob.send_json({"type": "received", "member": welcome["id"]})
        back = await wire.open("/signal")
        await back.send_json({"type": "hello", "resume": bobs["resume"]})
        resumed = await back.receive_json(timeout=10)
        await back.send_json({"type": "ping", "sent": 1})
        pong = await receive_answer(back, "pong")
        await back.send_json({"type": "bye"})
        signal = [welcome, bobs, *await receive_until(viewer, "pong"), resumed, pong]
        signal += await receive_until(alice, "left")
        await alice.send_json({"type": "hello"})
        return [*signal, *await receive_until(alice, "error")], spool


async def play_recording(wire: Sockets, token: str, audio_bytes: bytes) -> list[dict[str, Any]]:
    """Make a recording, download it, and delete it. Return the server's ``/spool`` messages."""
    spool = await wire.open("/spool")
    await spool.send_json({**AUDIO_HELLO, "token": token})
    await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
    await spool.send_json({"type": "outstanding"})
    await spool.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
    messages = await receive_until(spool, "hashed")
    await spool.send_json({"type": "download"})
    messages += await receive_until(spool, "address")
    async with wire.session.get(f"{wire.server.url}/{messages[-1]['url'].lstrip('/')}") as download:
        assert await download.read()
    await spool.send_json({"type": "delivery"})
    messages += await receive_until(spool, "delivery")
    await spool.send_json({"type": "clean"})
    messages += await receive_until(spool, "cleaned")
    await spool.send_json({"type": "nothing"})
    return messages + await receive_until(spool, "error")


async def receive_until(socket: aiohttp.ClientWebSocketResponse, kind: str) -> list[dict[str, Any]]:
    """Return all messages up to and including the next message of the given type."""
    messages = [await socket.receive_json(timeout=10)]
    while messages[-1]["type"] != kind:
        messages.append(await socket.receive_json(timeout=10))
    return messages


def never_verify(_: Path) -> Never:
    """Fail if called: no recording is verified in these tests."""
    raise NotImplementedError


@pytest.mark.parametrize(
    "message",
    [
        HELLO,
        HELLO | {"width": None, "height": None, "frame_rate": None},
        HELLO | {"fallbacks": ["shared-memory", "gc", "user-activation"]},
        {"type": "recorder", "state": "started", "time": 1.7e12},
        {"type": "recorder", "state": "paused", "time": 1.7e12},
        {"type": "ticks", "first": 0, "written": [1.5, None, 2.5]},
        {"type": "event", "event": {"time": 1, "event": "layout", "tiles": [TILE]}},
        {"type": "event", "event": {"time": 1, "event": "video", "participant": "alice", "on": False}},
        {"type": "event", "event": {"time": 1, "event": "alarm", "message": "It stalled."}},
        {"type": "end", "chunks": 4, "bytes": 100_000},
        {"type": "download"},
        {"type": "clean"},
    ],
)
def test_messages_of_a_recorder_are_parsed(message: dict[str, Any]) -> None:
    """The server parses every field of the messages that a recorder sends."""
    read = SPOOL.validate_json(json.dumps(message))

    assert message["type"] == read.type
    assert json.loads(read.model_dump_json(exclude_unset=True)) == message


@pytest.mark.parametrize(
    "change",
    [
        {"recorder": "everybody"},
        {"width": 0},
        {"width": 1e9},
        {"frame_rate": 24},
        {"token": "x" * 129},
        {"mime_type": "x" * 129},
        {"config": {str(number): 1 for number in range(17)}},
        {"clock": {"offset": 1e14, "error": 0}},
        {"clock": {"offset": None, "error": 0}},
        {"path": "/etc/passwd"},
        {"fallbacks": ["everything"]},
        {"fallbacks": ["gc"] * 9},
    ],
)
def test_an_invalid_hello_is_refused(change: dict[str, Any]) -> None:
    """A ``hello`` message with an unknown field, or with a value that is out of range, is refused."""
    with pytest.raises(ValidationError):
        SPOOL.validate_json(json.dumps(HELLO | change))


@pytest.mark.parametrize(
    "message",
    [
        {"type": "ticks", "first": -1, "written": []},
        {"type": "ticks", "first": 0, "written": [0] * 4097},
        {"type": "recorder", "state": "started", "time": "now"},
        {"type": "recorder", "state": "started", "time": 1e14},
        {"type": "recorder", "state": "broken", "time": 1},
        {"type": "end", "chunks": -1, "bytes": 0},
        {"type": "event", "event": {"time": 1, "event": "pause", "participant": "mallory"}},
        {"type": "event", "event": {"time": 1, "event": "audio", "participant": "x" * 201, "on": True}},
        {"type": "event", "event": {"time": 1, "event": "layout", "tiles": [TILE] * 65}},
        {"type": "event", "event": {"time": 1, "event": "alarm", "message": "x" * 2001}},
    ],
)
def test_messages_that_no_recorder_sends_are_refused(message: dict[str, Any]) -> None:
    """A ``pause`` event from a page is refused, since the server itself cuts pauses out of the recording.

    Lists and strings in a page's messages have a maximum length.
    """
    with pytest.raises(ValidationError):
        SPOOL.validate_json(json.dumps(message))


def test_a_hello_in_a_room_needs_only_its_type() -> None:
    """If a ``hello`` message contains only its type, the member has synthetic media and no subscriptions."""
    hello = SIGNAL.validate_json('{"type": "hello"}')

    expected = {"token": None, "room": None, "name": None, "code": None, "media": "synthetic", "subscriptions": None}
    assert {"type": "hello", "role": "participant", "resume": None, "received_seq": 0, **expected} == hello.model_dump()


@pytest.mark.parametrize(
    "size",
    [
        {"width": 0, "height": 1, "frameRate": 1},
        {"width": 1, "height": 8193, "frameRate": 1},
        {"width": 1, "height": 1, "frameRate": 241},
        {"width": 1, "height": 1},
    ],
)
def test_a_subscription_to_an_impossible_video_is_refused(size: dict[str, Any]) -> None:
    """A subscription to an impossible video size or frame rate is refused."""
    with pytest.raises(ValidationError):
        SIGNAL.validate_json(json.dumps({"type": "subscribe", "subscriptions": {"*": size}}))
