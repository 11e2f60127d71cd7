"""The server accepts its host names in every spelling, even after the machine's addresses have changed."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from harness.server.access.listener import _bind
from harness.server.room_server import RoomServer
from tests.security.test_bombs import handshake
from tests.support.program import run_harness

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.own_thread


def status_for(server: RoomServer, host: str) -> int:
    """Return the HTTP status of the response to a request with this Host header."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=20)
    connection.request("GET", "/healthz", headers={"Host": host})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("host", ["LOCALHOST", "Localhost.", "127.0.0.1", "[::ffff:127.0.0.1]"])
def test_a_page_is_served_for_every_spelling_of_its_host(host: str, tmp_path: Path) -> None:
    """The server accepts requests and WebSockets with any spelling of its host name."""
    with RoomServer(recordings=tmp_path, versions={}) as server:
        port = int(server.url.rpartition(":")[2])
        upgrade = handshake(port, "/signal").replace(b"127.0.0.1", host.encode())
        with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
            wire.sendall(upgrade)
            answer = wire.recv(4096)

        assert status_for(server, f"{host}:{port}") == 200
        assert answer.startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--host", "a..b"), "'a..b' is not an address: each part between dots"),
        (("--host", ""), "'' is not an address: it is empty"),
        (("--host", "a" * 300), "is not an address: the name is longer than 253 characters"),
        (("--host", "999.1.1.1"), "this is not a valid IPv4 address"),
        (("--host", "fe80::1%eth0"), "browsers can't open an IPv6 address with a zone ID"),
        (("--host", "räume.example"), "write the name in its ASCII form, which begins with xn--"),
        (("--host", "[::1"), "a bracket is missing"),
        (("--origin", "https://a..b"), "--origin: 'https://a..b' is not the address of a server"),
        (("--origin", "https://rooms.example.com:99999"), "is not the address of a server"),
        (("--origin", f"https://{'a' * 300}"), "is not the address of a server"),
    ],
)
def test_an_impossible_address_is_refused_in_one_line(
    arguments: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    """If an address is invalid, the command exits before it opens any port, and prints no traceback."""
    ran = run_harness("serve", "--port", "0", "--insecure", *arguments, folder=tmp_path)

    assert ran.returncode == 2
    assert expected in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(("host", "one_version"), [("::", 0), ("::1", 1)])
def test_wildcard_address_accepts_both_ip_versions(host: str, one_version: int) -> None:
    """A server on ``::`` also accepts IPv4 connections, while a server on ``::1`` accepts only IPv6."""
    bound = _bind(socket.AF_INET6, socket.SOCK_STREAM, 0, (host, 0, 0, 0))
    if bound is None:
        pytest.skip("This machine has no IPv6.")
    with bound:
        assert bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == one_version


def test_a_new_address_of_the_machine_is_served(tmp_path: Path) -> None:
    """Requests for unknown hosts make the server read its addresses again, but only once every few seconds."""
    reads = 0

    def addresses() -> list[str]:
        nonlocal reads
        reads += 1
        return [server.url, "http://192.0.2.7:8080"]

    with RoomServer(recordings=tmp_path, versions={}) as server:
        before = status_for(server, "192.0.2.7:8080")
        server._web_app._guard._read_addresses = addresses
        after = status_for(server, "192.0.2.7:8080")
        others = {status_for(server, f"192.0.2.{number}:8080") for number in range(8, 30)}

    assert (421, 200, {421}) == (before, after, others)
    assert reads == 1


def test_a_detached_page_is_not_admitted_again(tmp_path: Path) -> None:
    """A detached page's script can't be used to join again, but other pages can still join under the same name."""

    async def join(server: RoomServer, options: dict[str, Any]) -> str:
        headers = {"Origin": "https://app.example", "Sec-WebSocket-Protocol": f"recording-harness, {options['key']}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            try:
                async with session.ws_connect(f"{server.url}/signal") as socket:
                    await socket.send_json({"type": "hello", "token": options["token"], "name": "alice"})
                    return str((await socket.receive_json(timeout=10))["type"])
            except aiohttp.WSServerHandshakeError as refused:
                return str(refused.status)

    with RoomServer(recordings=tmp_path, versions={}) as server:
        first, second, other = (options_of(server.attach("daily", name, "own")) for name in ("alice", "alice", "bob"))
        attached = [asyncio.run(join(server, one)) for one in (first, second, other)]
        server.detach("daily", "alice")
        one_detached = asyncio.run(join(server, second))
        server.detach("daily", "alice")
        server.detach("daily", "alice")
        both_detached = [asyncio.run(join(server, one)) for one in (first, other)]
        server.detach("daily", "bob")
        all_detached = asyncio.run(join(server, other))

    assert ["welcome"] * 3 == attached
    assert one_detached == "welcome"
    assert ["error", "welcome"] == both_detached
    assert all_detached == "403"


def options_of(script: str) -> dict[str, Any]:
    """Return the options that an attached page's script contains."""
    found = re.search(r"const HARNESS = (\{.*?\});", script)
    assert found is not None
    return dict(json.loads(found[1]))
