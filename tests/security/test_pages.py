"""A page from another origin in the same browser can neither read from the server nor change anything on it."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from harness.launch import serve_public_room
from harness.server.access.tokens import Token
from harness.server.serve_options import ServeOptions
from tests.support.servers.web_server import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from harness.server.room_server import RoomServer

pytestmark = pytest.mark.parallel

# JavaScript that tries every kind of request from another origin's page, and returns the result of each attempt.
_TRY = """async (url) => {
    const outcome = (promise) => promise.then((value) => String(value), (error) => error.name);
    const socket = (path) => new Promise((resolve) => {
        const opened = new WebSocket(url.replace('http', 'ws') + path);
        opened.onopen = () => resolve('open');
        opened.onerror = () => resolve('refused');
    });
    const frame = () => new Promise((resolve) => {
        const opened = document.createElement('iframe');
        opened.onload = () => {
            try { resolve(opened.contentDocument ? 'blank' : 'shut'); } catch { resolve('shut'); }
        };
        opened.src = url;
        document.body.append(opened);
    });
    const load = (tag, path) => new Promise((resolve) => {
        const loaded = document.createElement(tag);
        loaded.onload = () => resolve('loaded');
        loaded.onerror = () => resolve('refused');
        loaded.src = url + path;
        document.body.append(loaded);
    });
    return {
        signal: await socket('/signal'),
        spool: await socket('/spool'),
        read: await outcome(fetch(url + '/')),
        delete: await outcome(fetch(url + '/library/x', { method: 'DELETE' })),
        verify: await outcome(fetch(url + '/library/x/verify', { method: 'POST', mode: 'no-cors' })),
        script: await load('script', '/src/main.js'),
        frame: await frame(),
    };
}"""


@pytest.fixture
def public_server(tmp_path: Path) -> Iterator[RoomServer]:
    """Serve a public room on this machine."""
    with serve_public_room(ServeOptions(), recordings=tmp_path, on_published=lambda _: None) as server:
        yield server


class Foreign(Served):
    """A server on another port of this machine, so that its page has a different origin."""

    def build(self) -> web.Application:
        """Return the web application that serves the page."""
        app = web.Application()

        async def page(_: web.Request) -> web.Response:
            return web.Response(text="<!doctype html><body>theirs</body>", content_type="text/html")

        app.router.add_get("/", page)
        return app


def test_a_page_of_another_origin_reads_nothing(public_server: RoomServer, page: Page) -> None:
    """Another origin's page can't open the server's sockets, read its responses, or embed its scripts or frames."""
    with Foreign() as foreign:
        page.goto(foreign.url)

        assert page.evaluate(_TRY, public_server.url) == {
            "signal": "refused",
            "spool": "refused",
            "read": "TypeError",
            "delete": "TypeError",
            # The server refuses the request, but Chrome hides the refusal from the page.
            "verify": "TypeError",
            "script": "refused",
            "frame": "shut",
        }
        assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"]


def test_a_page_of_another_origin_changes_nothing_even_with_a_token(public_server: RoomServer) -> None:
    """A request from another origin is refused before the server looks for the recording."""
    token = public_server._admission.issue(Token(role="recorder", room="public room"), single_use=False)

    def delete(origin: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(urlsplit(public_server.url).netloc)
        connection.request("DELETE", "/library/x", headers={"Origin": origin, "Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        result = answer.status, answer.read().decode()
        connection.close()
        return result

    assert (404, "This recording does not exist, or it has been deleted.\n") == delete(public_server.url)
    refusal = "This server accepts WebSocket connections and write requests only from its own pages.\n"
    assert (403, refusal) == delete("https://evil.example")
    assert delete("null") == delete("https://evil.example")


def test_origin_of_sockets_is_checked_for_every_spelling_of_the_upgrade(public_server: RoomServer) -> None:
    """The server checks the origin of all requests to WebSocket paths, however the Upgrade header is spelled."""
    connection = http.client.HTTPConnection(urlsplit(public_server.url).netloc)
    upgrade = {"Upgrade": "\xa0websocket".encode().decode("latin-1"), "Connection": "Upgrade"}
    keys = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    connection.request("GET", "/signal", headers={**upgrade, **keys, "Origin": "http://evil.example"})
    status = connection.getresponse().status
    connection.close()

    assert status == 403


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 200),
        ("GET", "/", {"Host": "evil.example"}, 421),
        ("GET", "/src/main.js", {"Host": "evil.example"}, 421),
        ("GET", "/recordings/x/y.webm", {}, 404),
        ("GET", "/src/../../pyproject.toml", {}, 404),
        ("GET", "/src/%2e%2e/%2e%2e/pyproject.toml", {}, 404),
        ("GET", "/src/..%2f..%2fpyproject.toml", {}, 404),
        ("GET", "/src/", {}, 404),
        ("GET", f"/src/{'a' * 300}", {}, 404),
        ("GET", "/signal", {"Sec-WebSocket-Protocol": "\xff\xe9"}, 403),
        ("POST", "/library/x/address", {"Origin": "{url}", "Authorization": "Bearer \xff\xe9"}, 403),
        ("GET", "/library", {}, 404),
        ("POST", "/library/x/verify", {}, 403),
        ("POST", "/library/x/verify", {"Origin": "https://evil.example"}, 403),
        ("POST", "/library/x/verify", {"Origin": "{url}"}, 403),
        ("POST", "/library/x/verify", {"Origin": "{url}", "Authorization": "Bearer made-up"}, 403),
        ("DELETE", "/library/x", {"Origin": "null"}, 403),
        ("PUT", "/", {"Origin": "{url}"}, 405),
        ("TRACE", "/", {"Origin": "{url}"}, 405),
    ],
)
def test_all_responses_have_security_headers(
    method: str, path: str, headers: dict[str, str], status: int, public_server: RoomServer
) -> None:
    """All responses, including refusals, have strict security headers and reveal no folder paths."""
    connection = http.client.HTTPConnection(urlsplit(public_server.url).netloc)
    connection.request(
        method, path, headers={name: value.format(url=public_server.url) for name, value in headers.items()}
    )
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()

    policy = answer.headers["Content-Security-Policy"]
    assert answer.status == status, body
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert str(public_server.recordings) not in body
    assert "Traceback" not in body
