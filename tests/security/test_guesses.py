"""Responses do not reveal whether a guessed token, room or recording exists, and the tests print response times."""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import time
from statistics import median
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

from harness.server.access.limits import ServerLimits
from harness.server.access.tokens import Admission, Token
from harness.server.rooms.signaling import Signaling
from tests.support.goals import FULL
from tests.support.sockets import AUDIO_HELLO, CHUNK, sockets

if TYPE_CHECKING:
    from harness.server.room_server import RoomServer
    from tests.support.goals import Goals

ROOMS: Final = 50_000 if FULL else 2_000
RECORDINGS: Final = 50_000 if FULL else 1_000
pytestmark = pytest.mark.own_thread


def test_every_guess_at_a_room_gets_the_same_answer(goals: Goals) -> None:
    """Unknown, used and expired tokens, and tokens for other roles or of former members, all get the same response."""
    now = [0.0]
    admission = Admission(clock=lambda: now[0])
    signaling = Signaling(admission, ServerLimits(), lambda: 0.0)
    participant = Token(role="participant", room="secret", name="alice", subject="m")
    used = admission.issue(participant)
    admission.redeem(used, "participant")
    left = admission.issue(Token(role="participant", room="secret", subject="left"), single_use=False)
    admission.revoke("secret", "left")
    known = {
        "used": used,
        "another role": admission.issue(Token(role="recorder", room="secret", subject="m"), seconds=1e6),
        "of a member who left": left,
        "expired": admission.issue(participant, single_use=False),
    }
    now[0] = 301.0
    answers, durations = set(), dict[str, list[float]]()
    for number in range(ROOMS):
        kind = ("unknown", *known)[number % 5]
        hello = {"type": "hello", "room": "secret", "token": known.get(kind) or secrets.token_urlsafe(24)}
        text = json.dumps(hello)
        began = time.perf_counter()
        (answer,) = signaling.receive(number, text)
        durations.setdefault(kind, []).append(time.perf_counter() - began)
        answers.add((answer.text, answer.close))

    goals.measured(
        f"{ROOMS} guesses at a room: distinct answers; time",
        bar="1",
        figure=f"{len(answers)}; {spread(durations)}",
        met=len(answers) == 1,
    )
    assert len(answers) == 1
    assert not signaling.rooms


def test_every_guess_at_a_recording_gets_the_same_answer(server: RoomServer, audio_bytes: bytes, goals: Goals) -> None:
    """URLs with a wrong key, name or route, and URLs of deleted recordings, all get the same response."""
    address, cleaned = asyncio.run(record(server, audio_bytes))
    _, _, key, name = address.split("/")
    wrong = {
        "unknown": lambda: f"/recordings/{secrets.token_urlsafe(24)}/{name}",
        "another name": lambda: f"/recordings/{key}/{secrets.token_hex(4)}.webm",
        "another route": lambda: f"/video-files/{key}/{name}",
        "cleaned": lambda: cleaned,
    }
    kinds = list(wrong)
    answers, durations = set(), dict[str, list[float]]()
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    for number in range(RECORDINGS):
        kind = kinds[number % len(kinds)]
        path = wrong[kind]()
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        durations.setdefault(kind, []).append(time.perf_counter() - began)
        headers = tuple(sorted((key, value) for key, value in answer.getheaders() if key != "Date"))
        answers.add((answer.status, body, headers))
    connection.request("GET", address)
    found = connection.getresponse()
    assert (found.status, len(found.read()) > 1_000) == (200, True)
    connection.close()

    goals.measured(
        f"{RECORDINGS} guesses at a recording: distinct answers; time",
        bar="1",
        figure=f"{len(answers)}; {spread(durations)}",
        met=len(answers) == 1,
    )
    assert {status for status, *_ in answers} == {404}
    assert len(answers) == 1


async def record(server: RoomServer, audio_bytes: bytes) -> tuple[str, str]:
    """Return the URL of an existing recording and the URL of a deleted recording."""
    addresses = []
    async with sockets(server) as wire:
        inside, welcome = await wire.enter("daily", "alice")
        for clean in (False, True):
            spool = await wire.open("/spool")
            await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
            await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
            await spool.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
            await spool.send_json({"type": "download"})
            while (answer := await spool.receive_json(timeout=10))["type"] != "address":
                pass
            addresses.append(answer["url"])
            if clean:
                await spool.send_json({"type": "clean"})
                while (await spool.receive_json(timeout=10))["type"] != "cleaned":
                    pass
            await spool.close()
        await inside.close()
    return addresses[0], addresses[1]


def spread(durations: dict[str, list[float]]) -> str:
    """Compute the median response time of each kind of guess; return the smallest and the largest of these as text."""
    medians = [median(times) for times in durations.values()]
    return f"{min(medians) * 1e6:.0f} to {max(medians) * 1e6:.0f} us"
