"""Huge or compressed messages hardly increase the server's memory usage."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import zlib
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.goals import FULL
from tests.support.processes import peak_memory
from tests.support.program import running_harness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.goals import Goals

MORE_AT_MOST: Final = 64
PUSHED: Final = 256 if FULL else 96
_MB: Final = b"\0" * 1_000_000
_SQUEEZED: Final = zlib.compress(b"\0" * 100_000_000)


def handshake(port: int, path: str) -> bytes:
    """Return a request that opens a WebSocket and offers compression."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    ).encode()


def frame(opcode: int, size: int, *, final: bool = True, squeezed: bool = False) -> bytes:
    """Return the header of a WebSocket frame (RFC 6455) with a zero mask, so that the content is sent unchanged."""
    first = (0x80 if final else 0) | (0x40 if squeezed else 0) | opcode
    return bytes((first, 0xFF)) + size.to_bytes(8, "big") + b"\0\0\0\0"


def one_frame(port: int, path: str) -> Iterator[bytes]:
    """Send one frame whose header announces a terabyte of data."""
    yield handshake(port, path)
    yield frame(2, 1 << 40)
    yield from [_MB] * PUSHED


def pieces(port: int, path: str) -> Iterator[bytes]:
    """Send one message as an endless series of fragments."""
    yield handshake(port, path)
    for number in range(PUSHED):
        yield frame(0 if number else 1, len(_MB), final=False) + _MB


def compressed(port: int, path: str) -> Iterator[bytes]:
    """Send small compressed frames that would expand to an enormous size, although compression was not negotiated."""
    yield handshake(port, path)
    for _ in range(PUSHED // 4):
        yield frame(1, len(_SQUEEZED), squeezed=True) + _SQUEEZED


def body(port: int, _: str) -> Iterator[bytes]:
    """Send a compressed request body to a path that accepts no body."""
    yield (
        f"POST /library/x/verify HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
        "Content-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    for _chunk in range(PUSHED // 4):
        yield f"{len(_SQUEEZED):x}\r\n".encode() + _SQUEEZED + b"\r\n"


def headers(port: int, _: str) -> Iterator[bytes]:
    """Send a request whose headers never end."""
    yield f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode()
    for number in range(PUSHED * 10):
        yield f"X-{number}: ".encode() + b"a" * 100_000 + b"\r\n"


CROWD: Final = 200 if FULL else 60


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Run ``harness serve``; return its process id and port."""
    with running_harness("serve", "--port", "0", folder=tmp_path) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "The room is at" in line)
        yield process.pid, int(line.rpartition(":")[2])


@pytest.mark.parametrize(
    ("bomb", "path"),
    [
        *((bomb, path) for bomb in (one_frame, pieces, compressed) for path in ("/signal", "/spool")),
        (body, "/library"),
        (headers, "/"),
    ],
)
def test_a_huge_message_costs_little_memory(
    bomb: Callable[[int, str], Iterator[bytes]], path: str, served: tuple[int, int], goals: Goals
) -> None:
    """The server uses little memory for a huge message, and still answers other clients."""
    process, port = served
    before = peak_memory(process)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire, contextlib.suppress(OSError):
        for data in bomb(port, path):
            wire.sendall(data)
    more = peak_memory(process) - before

    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(f"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: wire.recv(4096), b""))
    assert json.loads(answer.rpartition(b"\r\n")[2]) == {"ok": True, "code": False}
    what = (bomb.__doc__ or "").rstrip(".")
    goals.measured(
        f"{what} ({path})", bar=f"<= {MORE_AT_MOST} MB more", figure=f"{more:.0f} MB", met=more <= MORE_AT_MOST
    )
    assert more <= MORE_AT_MOST


def test_many_incomplete_messages_cost_little_memory(served: tuple[int, int], goals: Goals) -> None:
    """The server needs little memory for many incomplete messages of the maximum size from unidentified clients."""
    process, port = served
    before = peak_memory(process)
    with contextlib.ExitStack() as crowd:
        wires = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(CROWD)]
        for wire in wires:
            crowd.enter_context(wire)
            wire.sendall(handshake(port, "/spool"))
            wire.settimeout(0.05)
        half = frame(2, 4_000_000) + _MB * 3
        for wire in wires:
            with contextlib.suppress(OSError):
                wire.sendall(half)
        more = peak_memory(process) - before

    goals.measured(
        f"{CROWD} unidentified clients with incomplete messages of 4 MB",
        bar=f"<= {MORE_AT_MOST} MB more",
        figure=f"{more:.0f} MB",
        met=more <= MORE_AT_MOST,
    )
    assert more <= MORE_AT_MOST
