"""Site: a server on loopback for pages with whatever headers a fact is about."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

ISOLATED: Final = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
_PAGE: Final = Path(__file__).with_name("page.html")
_TYPES: Final = {".js": "text/javascript"}
_LARGEST_MESSAGE: Final = 64 * 1024 * 1024


class Site:
    """A server on loopback that serves the page of the facts, what else a test wants, and a socket.

    The page lies at ``url``, isolated; the socket at ``/socket`` answers each message with its first byte as text.
    """

    def __init__(self) -> None:
        self._served: dict[str, tuple[str, Mapping[str, str]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="site", daemon=True)
        self._runner: web.AppRunner
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        self.serve("/", _PAGE.read_text(), ISOLATED)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def serve(self, path: str, text: str, headers: Mapping[str, str]) -> str:
        """Serve a text from now on, a script where the path ends in ``.js``, and return its address."""
        self._served[path] = (text, headers)
        return self.url + path

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/socket", self._socket)
        app.router.add_get("/{path:.*}", self._get)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _get(self, request: web.Request) -> web.Response:
        if request.path not in self._served:
            raise web.HTTPNotFound
        text, headers = self._served[request.path]
        return web.Response(text=text, headers=headers, content_type=_TYPES.get(Path(request.path).suffix, "text/html"))

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=_LARGEST_MESSAGE, compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await socket.send_str(str(message.data[0]))
        return socket
