"""Site: a loopback server that serves pages with the headers that a test specifies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType, web

from tests.support.servers.web_server import Served

if TYPE_CHECKING:
    from collections.abc import Mapping

ISOLATED: Final = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
_PAGE: Final = Path(__file__).with_name("page.html")
_TYPES: Final = {".js": "text/javascript"}
_LARGEST_MESSAGE: Final = 64 * 1024 * 1024


class Site(Served):
    """A loopback server for the test page, a WebSocket, and any pages or scripts that a test adds.

    The test page is at ``url`` and is cross-origin isolated. The WebSocket at ``/socket`` replies to each binary
    message with that message's first byte, as a decimal number.
    """

    def __init__(self) -> None:
        super().__init__()
        self._served: dict[str, tuple[str, Mapping[str, str]]] = {}
        self.serve("/", _PAGE.read_text(), ISOLATED)

    def serve(self, path: str, text: str, headers: Mapping[str, str]) -> str:
        """Start serving a string as a script (if the path ends in ``.js``) or as HTML, and return its URL."""
        self._served[path] = (text, headers)
        return self.url + path

    def build(self) -> web.Application:
        """Return the web application, which serves the strings and the WebSocket."""
        web_app = web.Application()
        web_app.router.add_get("/socket", self._socket)
        web_app.router.add_get("/{path:.*}", self._get)
        return web_app

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
