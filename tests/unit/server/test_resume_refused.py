"""Resuming a recording is refused if the token or id is wrong, or if the recording has been deleted."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from harness.server.room_server import RoomServer
from harness.server.spool.active_recording import ActiveRecording
from tests.support.sockets import AUDIO_HELLO, CHUNK, Sockets, receive_answer, sockets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import aiohttp

pytestmark = pytest.mark.parallel

REFUSED = {
    "type": "error",
    "name": "RecordingError",
    "code": 10452,
    "message": "Not admitted: there is no recording to resume.",
}


def serve(tmp_path: Path, play: Callable[[Sockets], Awaitable[None]]) -> None:
    """Run ``play`` against a server."""

    async def run(server: RoomServer) -> None:
        async with sockets(server) as wire:
            await play(wire)

    with RoomServer(recordings=tmp_path, versions={}) as server:
        asyncio.run(run(server))


async def begin(wire: Sockets, name: str) -> tuple[aiohttp.ClientWebSocketResponse, dict[str, str]]:
    """Join a room, and begin a recording.

    Return the recording's WebSocket, and the ids and tokens that the page received.
    """
    _, welcome = await wire.enter("daily", name)
    spool = await wire.open("/spool")
    await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
    ready = await receive_answer(spool, "ready")
    return spool, {
        "member": welcome["id"],
        "recording": ready["recording"],
        "resume": ready["resume"],
        "room resume": welcome["resume"],
        "recorder": welcome["spool_token"],
    }


async def resume(wire: Sockets, recording: str, token: str) -> list[dict[str, Any]]:
    """Try to resume a recording.

    Return the server's first response, or all its responses if it refuses to resume the recording.
    """
    spool = await wire.open("/spool")
    await spool.send_json({**AUDIO_HELLO, "token": token, "recording": recording})
    answers = [await spool.receive_json(timeout=10)]
    if answers[0]["type"] == "error":
        answers += [message.json() async for message in spool]
    return answers


@pytest.mark.parametrize(
    ("recording", "token"),
    [
        pytest.param("alice's recording", "guess", id="unknown token"),
        pytest.param("alice's recording", "alice's recorder", id="token that begins recordings"),
        pytest.param("alice's recording", "alice's room resume", id="token that resumes the membership"),
        pytest.param("alice's member", "alice's room resume", id="membership instead of the recording"),
        pytest.param("alice's recording", "bob's resume", id="token of another recording"),
        pytest.param("bob's recording", "alice's resume", id="id of another recording"),
        pytest.param("nothing", "alice's resume", id="unknown id"),
    ],
)
def test_resume_is_refused_unless_token_and_id_are_those_of_the_recording(
    tmp_path: Path, recording: str, token: str
) -> None:
    """If the server refuses to resume a recording, it closes the connection.

    After a refused attempt to resume a recording, active recordings continue over their own connections.
    """

    async def play(wire: Sockets) -> None:
        alice, alices = await begin(wire, "alice")
        bob, bobs = await begin(wire, "bob")
        known = {f"alice's {key}": value for key, value in alices.items()}
        known |= {f"bob's {key}": value for key, value in bobs.items()}

        (answer,) = await resume(wire, known.get(recording, recording), known.get(token, token))

        assert REFUSED == answer
        for spool in (alice, bob):
            await spool.send_bytes(CHUNK.pack(1, 0, 0) + b"more")
            assert 4 == (await receive_answer(spool, "ack"))["bytes"]
        (ready,) = await resume(wire, alices["recording"], alices["resume"])
        assert ("ready", 4) == (ready["type"], ready["bytes"])

    serve(tmp_path, play)


@pytest.mark.parametrize("cleaned", ["being cleaned", "cleaned"])
def test_resume_of_a_cleaned_recording_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cleaned: str
) -> None:
    """A deleted recording can't be resumed, even while its token is still valid."""
    removed, go_on = threading.Event(), threading.Event()
    clean = ActiveRecording.clean

    def slowly(active: ActiveRecording) -> None:
        clean(active)
        removed.set()
        assert go_on.wait(30)

    monkeypatch.setattr(ActiveRecording, "clean", slowly)

    async def play(wire: Sockets) -> None:
        alice, alices = await begin(wire, "alice")
        await alice.send_json({"type": "clean"})
        await asyncio.to_thread(removed.wait, 30)
        if cleaned == "cleaned":
            go_on.set()
            await receive_answer(alice, "cleaned")

        try:
            (answer,) = await resume(wire, alices["recording"], alices["resume"])
        finally:
            go_on.set()

        assert REFUSED == answer

    serve(tmp_path, play)
