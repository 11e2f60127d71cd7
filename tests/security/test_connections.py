"""Idle connections, floods and resets do not affect other clients, and the server's log stays short."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import re
import resource
import socket
import ssl
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest
import trustme

from harness.server.access.limits import ServerLimits
from harness.server.room_server import RoomServer
from harness.server.serve_options import ServeOptions
from tests.security.test_bombs import handshake
from tests.security.test_sockets import Witness
from tests.support.program import PROGRAM
from tests.support.sockets import AUDIO_HELLO, CHUNK, receive_answer, sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.goals import Goals

PING = b"\x89\x80\0\0\0\0"
PONG = b"\x8a\x80\0\0\0\0"
EMPTY_TEXT = b"\x81\x80\0\0\0\0"
FEW_DESCRIPTORS = 256
CROWD = 320
pytestmark = pytest.mark.own_thread


def port_of(server: RoomServer) -> int:
    """Return the port on which a server listens."""
    return int(server.url.rpartition(":")[2])


def is_ended(wire: socket.socket) -> bool:
    """Return whether the server closes a connection instead of answering; wait up to 20 s."""
    wire.settimeout(20)
    try:
        return not wire.recv(4096)
    except ConnectionError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_connection_without_a_whole_request_is_closed(
    sent: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The server closes connections that send nothing or only part of a request, and logs a single line about them."""
    limits = ServerLimits(request_within=0.5)
    with (
        RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(limits=limits)) as server,
        contextlib.ExitStack() as wires,
    ):
        crowd = [wires.enter_context(socket.create_connection(("127.0.0.1", port_of(server)))) for _ in range(20)]
        for wire in crowd:
            wire.sendall(sent)
        assert all(is_ended(wire) for wire in crowd)

    assert ["Connections were closed because they sent no request in time."] == caplog.messages


def test_a_slow_request_head_times_out(tmp_path: Path) -> None:
    """The server's time limit applies to all headers of a request together, not to each header."""

    async def dribble(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n")

        async def send() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b"X: y\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.1)

        sending = asyncio.create_task(send())
        try:
            async with asyncio.timeout(20):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            sending.cancel()
            writer.close()

    with RoomServer(
        recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(request_within=0.5))
    ) as server:
        assert asyncio.run(dribble(port_of(server))) == b""


def test_an_unfinished_tls_handshake_times_out(tmp_path: Path) -> None:
    """The server answers other clients even while one client leaves its TLS handshake unfinished."""
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with (
        RoomServer(
            recordings=tmp_path, versions={}, options=ServeOptions(limits=ServerLimits(request_within=1), tls=tls)
        ) as server,
        socket.create_connection(("127.0.0.1", port_of(server))) as wire,
    ):
        connection = http.client.HTTPSConnection("127.0.0.1", port_of(server), context=trusting)
        connection.request("GET", "/healthz")
        assert json.loads(connection.getresponse().read())["ok"]
        connection.close()
        assert is_ended(wire)


def test_idle_connections_are_closed_for_new_requests(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When an address has too many connections, the server closes idle ones, but never WebSockets."""

    async def crowd(server: RoomServer) -> tuple[int, str]:
        async with sockets(server) as wire:
            inside, _ = await wire.enter("daily", "alice")
            idle = [await asyncio.open_connection("127.0.0.1", port_of(server)) for _ in range(200)]
            async with aiohttp.ClientSession() as session, session.get(f"{server.url}/healthz") as response:
                status = response.status
            await inside.send_json({"type": "ping", "sent": 1})
            pong = await receive_answer(inside, "pong")
            for _, writer in idle:
                writer.close()
            return status, pong["type"]

    limits = ServerLimits(request_within=600, connections=10)
    with RoomServer(recordings=tmp_path, versions={}, options=ServeOptions(limits=limits)) as server:
        assert asyncio.run(crowd(server)) == (200, "pong")
    assert [] == caplog.messages


@pytest.mark.parametrize("path", ["/signal", "/spool"])
@pytest.mark.parametrize(
    ("frame", "expected"), [(PING, "pings"), (PONG, "pings"), (EMPTY_TEXT, "Malformed|hello|messages")]
)
def test_a_flood_of_frames_is_disconnected(path: str, frame: bytes, expected: str, tmp_path: Path) -> None:
    """The server answers a flood of pings, pongs or empty messages with an error, and disconnects the client."""
    with (
        RoomServer(recordings=tmp_path, versions={}) as server,
        socket.create_connection(("127.0.0.1", port_of(server)), timeout=20) as wire,
    ):
        wire.sendall(handshake(port_of(server), path))
        received = b""
        with contextlib.suppress(ConnectionError):
            wire.sendall(frame * 10_000)
        with contextlib.suppress(ConnectionError):
            while data := wire.recv(65_536):
                received += data

    assert re.search(expected.encode(), received), received[-200:]


def test_a_flood_of_pings_delays_no_other_client(tmp_path: Path, audio_bytes: bytes, goals: Goals) -> None:
    """During a flood of pings, a call and a recording continue, and other requests are answered within a second."""

    async def attack(server: RoomServer) -> float:
        async with sockets(server) as wire, Witness(wire, audio_bytes):
            longest = 0.0
            flooding = asyncio.create_task(asyncio.to_thread(flood, port_of(server)))
            while not flooding.done():
                began = time.monotonic()
                async with wire.session.get(f"{server.url}/healthz") as response:
                    assert response.status == 200
                longest = max(longest, time.monotonic() - began)
            await flooding
            return longest

    with RoomServer(recordings=tmp_path / "recordings", versions={}) as server:
        longest = asyncio.run(attack(server))
        (recording,) = server.publish(tmp_path / "kept")

    goals.measured(
        "slowest response during floods of pings",
        bar="<= 1000 ms",
        figure=f"{longest * 1000:.0f} ms",
        met=longest <= 1,
    )
    assert recording.duration > 1.9


def flood(port: int) -> None:
    """Send pings on three connections in succession, until the server closes each one."""
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as wire, contextlib.suppress(OSError):
            wire.sendall(handshake(port, "/signal"))
            for _ in range(20):
                wire.sendall(PING * 40_000)


@pytest.mark.parametrize("path", ["/signal", "/spool"])
def test_reset_connections_are_not_logged(path: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Resetting a connection before, during or after its handshake causes no warnings, even if pings are unanswered."""
    with RoomServer(recordings=tmp_path, versions={}) as server:
        for number in range(60):
            with socket.create_connection(("127.0.0.1", port_of(server)), timeout=20) as wire:
                # Because SO_LINGER is 0 s, closing the connection resets it.
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                wire.sendall(handshake(port_of(server), path)[: 100 if number % 4 == 3 else None])
                if number % 2:
                    wire.settimeout(0.01)
                    with contextlib.suppress(TimeoutError):
                        wire.recv(4096)
                wire.sendall(PING * (number % 5))
        asyncio.run(_is_answered(server))

    assert [] == [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def _is_answered(server: RoomServer) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/healthz") as response:
        assert response.status == 200


def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one() -> None:
    """The soft limit on file descriptors, which is usually only 1024, is raised to the much higher hard limit."""
    program = """
import resource
from harness.server.access.descriptors import raise_soft_limit
from harness.server.serve_options import ServeOptions
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1000))
raise_soft_limit()
raise_soft_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert ran.stdout == "(1000, 1000)\n"


def test_recording_is_refused_if_descriptors_are_nearly_used_up(tmp_path: Path) -> None:
    """If few file descriptors are free, the error suggests raising the descriptor limit.

    A recording can begin once enough descriptors are free.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def begin(server: RoomServer) -> tuple[dict[str, object], dict[str, object]]:
        async with sockets(server) as wire:
            _, welcome = await wire.enter("daily", "alice")
            hello = {**AUDIO_HELLO, "token": welcome["spool_token"]}
            first, second = await wire.open("/spool"), await wire.open("/spool")
            with socket.socket() as lowest:
                number = lowest.fileno()
            resource.setrlimit(resource.RLIMIT_NOFILE, (number + 3, hard))
            try:
                await first.send_json(hello)
                refused = await first.receive_json(timeout=10)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await second.send_json(hello)
            return refused, await second.receive_json(timeout=10)

    with RoomServer(recordings=tmp_path, versions={}) as server:
        refused, begun = asyncio.run(begin(server))

    assert refused["message"] == (
        "The server has too few file descriptors for another recording; raise its limit (ulimit -n)."
    )
    assert begun["type"] == "ready"


@pytest.fixture
def served_with_few_descriptors(tmp_path: Path) -> Iterator[tuple[int, Callable[[], str]]]:
    """Run ``harness serve`` with 256 file descriptors; return its port, and a function that returns its log."""
    log = tmp_path / "log"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, FEW_DESCRIPTORS))

    with log.open("wb") as file:
        process = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0"],
            cwd=tmp_path,
            stderr=file,
            start_new_session=True,
            preexec_fn=limit,  # noqa: PLW1509 - the child only sets its limit
        )
    try:
        while (found := re.search(r"The room is at .*:(\d+)", log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield int(found[1]), log.read_text
    finally:
        process.terminate()
        process.wait(30)


def test_recording_is_finished_despite_many_idle_connections(
    served_with_few_descriptors: tuple[int, Callable[[], str]], audio_bytes: bytes, goals: Goals
) -> None:
    """Even with more connections than descriptors, the recording is finished and the log stays short."""
    port, log = served_with_few_descriptors
    before = log().count("\n")

    async def record(url: str) -> dict[str, object]:
        async with aiohttp.ClientSession(headers={"Origin": url}) as session:
            inside = await session.ws_connect(f"{url}/signal")
            await inside.send_json({"type": "hello", "name": "alice", "media": "camera"})
            welcome = await inside.receive_json(timeout=10)
            spool = await session.ws_connect(f"{url}/spool")
            await spool.send_json({**AUDIO_HELLO, "token": welcome["spool_token"]})
            await spool.send_bytes(CHUNK.pack(1, 0, 0) + audio_bytes)
            await receive_answer(spool, "ack")
            with contextlib.ExitStack() as crowd:
                for _ in range(CROWD):
                    wire = crowd.enter_context(socket.socket())
                    wire.settimeout(0)
                    with contextlib.suppress(BlockingIOError):
                        wire.connect(("127.0.0.1", port))
                await _is_open(session, url)
                await spool.send_json({"type": "end", "chunks": 1, "bytes": len(audio_bytes)})
                return await receive_answer(spool, "finished")

    finished = asyncio.run(record(f"http://127.0.0.1:{port}"))
    lines = log().count("\n") - before

    goals.measured(
        f"{CROWD} idle connections at {FEW_DESCRIPTORS} file descriptors",
        bar="recording finished, <= 5 log lines",
        figure=f"finished, {lines} log lines",
        met=lines <= 5,
    )
    assert finished["type"] == "finished"
    assert lines <= 5, log()


async def _is_open(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until the server has answered another client's request, despite the many open connections."""
    async with session.get(f"{url}/healthz") as response:
        assert response.status == 200
