"""Serves applications that know nothing of the harness, over https and as strictly as one can, with a relay."""

from __future__ import annotations

import asyncio
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trustme
from aiohttp import WSMsgType, web

from tests.apps.livekit_server import LiveKit

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

HERE: Final = Path(__file__).parent
NODE_MODULES: Final = Path(__file__).parents[2] / "node_modules"
# What a careful application answers with.
STRICT: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self'; "
        "worker-src 'none'; frame-src 'self' https://127.0.0.1:*; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    # One application is embedded into another site.
    "Cross-Origin-Resource-Policy": "cross-origin",
}


class Site:
    """A site in a thread of its own; ``url`` is its address. ``sdk`` is a folder with more packages, at /sdk."""

    def __init__(self, *, sdk: Path | None = None, strict: bool = True) -> None:
        self._sdk = sdk
        self._strict = strict
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="application", daemon=True)
        # By room: the sockets of those who are in it.
        self._rooms: dict[str, set[web.WebSocketResponse]] = {}
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/relay/{room}", self._relay)
        app.router.add_get("/livekit/rtc", LiveKit().handle)
        app.router.add_static("/lib", NODE_MODULES, follow_symlinks=True)
        if self._sdk:
            app.router.add_static("/sdk", self._sdk)
        app.router.add_static("/", HERE)
        if self._strict:
            app.on_response_prepare.append(_strictly)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=_certificate())
        await site.start()
        self.url = f"https://localhost:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        for socket in [socket for room in self._rooms.values() for socket in room]:
            await socket.close()
        await self._runner.cleanup()
        # What TLS still has to say when it hangs up takes a turn or two of the loop.
        await asyncio.sleep(0.25)

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        """Pass on what somebody says to everybody else in the room."""
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
    """Return a context with a certificate for localhost that nobody trusts: browsers are told not to mind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context
