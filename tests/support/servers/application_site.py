"""Serve applications that are independent of the harness, with HTTPS, strict security policies and a message relay."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Final

import trustme
from aiohttp import WSMsgType, web

from tests.support.servers.livekit import LiveKit
from tests.support.servers.web_server import Served

_ROOT: Final = Path(__file__).parents[3]
NODE_MODULES: Final = _ROOT / "node_modules"
APPLICATIONS: Final = _ROOT / "tests/applications"
# Response headers of a strict application.
STRICT: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self'; "
        "worker-src 'none'; frame-src 'self' https://127.0.0.1:*; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    # One of the applications is embedded by another site.
    "Cross-Origin-Resource-Policy": "cross-origin",
}


class Site(Served):
    """The applications' site on localhost, which serves the folder ``sdk`` at /sdk.

    If ``strict`` is true, the responses have the security headers of a strict application. If ``tls`` is false, the
    site is served over plain HTTP.
    """

    def __init__(self, *, sdk: Path | None = None, strict: bool = True, tls: bool = True) -> None:
        super().__init__(host="localhost", certificate=_certificate() if tls else None)
        self._sdk = sdk
        self._strict = strict
        # The participants' sockets, by room.
        self._rooms: dict[str, set[web.WebSocketResponse]] = {}

    def build(self) -> web.Application:
        """Return a web application with the pages, their libraries, and the relay between pages."""
        app = web.Application()
        app.router.add_get("/relay/{room}", self._relay)
        app.router.add_get("/livekit/rtc", LiveKit().handle)
        app.router.add_static("/lib", NODE_MODULES, follow_symlinks=True)
        if self._sdk:
            app.router.add_static("/sdk", self._sdk)
        app.router.add_static("/", APPLICATIONS)
        if self._strict:
            app.on_response_prepare.append(_strictly)
        return app

    async def _stop(self) -> None:
        for socket in [socket for room in self._rooms.values() for socket in room]:
            await socket.close()
        await super()._stop()
        # The shutdown of TLS connections needs a few more iterations of the event loop.
        await asyncio.sleep(0.25)

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        """Forward a participant's messages to all other participants in the room."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        others = self._rooms.setdefault(request.match_info["room"], set())
        others.add(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    for other in others - {socket}:
                        await other.send_str(message.data)
        finally:
            others.discard(socket)
        return socket


async def _strictly(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(STRICT)


def _certificate() -> ssl.SSLContext:
    """Return a context with a self-signed certificate for localhost, which browsers accept in tests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context
