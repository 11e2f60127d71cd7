"""Test that ``harness serve`` requires a join code if other machines can reach the room."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.support.program import running_harness

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

pytestmark = pytest.mark.parallel

PROXIED = "https://rooms.example.com"


def invitation(program: Popen[str]) -> str:
    """Start ``harness serve``, and return all lines that it prints until participants can join."""
    assert program.stderr is not None
    lines: list[str] = []
    while not (lines and "to stop" in lines[-1]):
        line = program.stderr.readline()
        assert line, "".join(lines)
        lines.append(line)
    return "".join(lines)


async def join(url: str, code: str | None, origin: str) -> dict[str, Any]:
    """Try to join the room with the given join code, and return the server's response."""
    async with (
        aiohttp.ClientSession(headers={"Origin": origin}) as session,
        session.ws_connect(f"{url}/signal") as socket,
    ):
        hello = {"type": "hello", "token": None, "room": None, "name": "alice", "code": code, "media": "camera"}
        await socket.send_json(hello)
        return dict(await socket.receive_json(timeout=10))


def test_room_behind_a_proxy_gets_a_generated_join_code(tmp_path: Path) -> None:
    """The program prints the join code, and a participant can't join without it."""
    with running_harness("serve", "--port", "0", "--origin", PROXIED, folder=tmp_path) as program:
        text = invitation(program)
        found = re.search(r"code for joining: +([A-Z2-9]{4}(?:-[A-Z2-9]{4}){2})$", text, re.MULTILINE)
        assert found, text
        url = re.findall(r"http://localhost:\d+|http://127\.0\.0\.1:\d+", text)[0]

        refused = asyncio.run(join(url, None, url))
        welcome = asyncio.run(join(url, found[1], url))

    assert "error" == refused["type"]
    assert "Not admitted" in refused["message"]
    assert "welcome" == welcome["type"]


def test_room_that_only_this_machine_can_reach_needs_no_code(tmp_path: Path) -> None:
    """Without --host and --origin, everybody on the machine can join the room without a code."""
    with running_harness("serve", "--port", "0", folder=tmp_path) as program:
        text = invitation(program)
        url = re.findall(r"http://localhost:\d+|http://127\.0\.0\.1:\d+", text)[0]
        welcome = asyncio.run(join(url, None, url))

    assert "code for joining" not in text
    assert "welcome" == welcome["type"]
