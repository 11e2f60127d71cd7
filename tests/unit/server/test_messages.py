"""The messages of pages: exactly those that the page declares, each with its limits."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from harness.server.rooms.messages import SIGNAL, SignalMessage
from harness.server.spool.messages import SPOOL, SpoolMessage

pytestmark = pytest.mark.parallel

TYPES = "\n".join(path.read_text() for path in sorted((Path(__file__).parents[3] / "web" / "src").rglob("*.d.ts")))

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
    """Return the messages of a union in the page's types: the fields of each, by its type."""
    body = TYPES.split(f"type {union} =")[1].split(";\n\n")[0]
    found = {}
    for message in re.split(r"\n  \| ", re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL))[1:]:
        shared = [TYPES.split(f"interface {name} ")[1].split("\n}")[0] for name in re.findall(r"& (\w+)", message)]
        (kind,) = re.findall(r"type: '(\w+)'", message)
        found[kind] = set().union(*map(fields, [message, *shared]))
    return found


def fields(text: str) -> set[str]:
    """Return the names in the outermost braces of a TypeScript type."""
    depth = 0
    found = set()
    for token in re.finditer(r"[{}]|(\w+)\??:", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if token[1] and depth == 1:
            found.add(token[1])
    return found


@pytest.mark.parametrize(("union", "name"), [(SignalMessage, "ToServer"), (SpoolMessage, "ToSpool")])
def test_page_and_server_declare_the_same_messages(union: Any, name: str) -> None:
    """Both have the same message types with the same fields."""
    models: list[type[BaseModel]] = list(get_args(union))

    ours = {get_args(model.model_fields["type"].annotation)[0]: set(model.model_fields) for model in models}

    assert declared(name) == ours


@pytest.mark.parametrize(
    "message",
    [
        HELLO,
        HELLO | {"width": None, "height": None, "frame_rate": None},
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
    """All fields arrive."""
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
    ],
)
def test_an_invalid_hello_is_refused(change: dict[str, Any]) -> None:
    """Fields have limits, and unknown fields are refused."""
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
    """The server cuts out pauses itself, and lists and texts have limits."""
    with pytest.raises(ValidationError):
        SPOOL.validate_json(json.dumps(message))


def test_a_hello_in_a_room_needs_only_its_type() -> None:
    """By default it announces synthetic media and subscribes to nobody."""
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
    """Sizes and rates have limits."""
    with pytest.raises(ValidationError):
        SIGNAL.validate_json(json.dumps({"type": "subscribe", "subscriptions": {"*": size}}))
