"""WebApp creates all parts of the server and routes requests to them."""

from __future__ import annotations

import asyncio
import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from harness.server.access.guard import RequestGuard
from harness.server.access.rare_log import RareLog
from harness.server.bundle import bundle_with_workers
from harness.server.clock import room_time
from harness.server.library.routes import LibraryRoutes
from harness.server.rooms.signal_socket import SignalSockets
from harness.server.rooms.signaling import Signaling
from harness.server.spool.connections import Connections
from harness.server.spool.downloads import Downloads
from harness.server.spool.spool_socket import SpoolSockets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from harness.server.access.tokens import Admission
    from harness.server.library.library import Library
    from harness.server.serve_options import ServeOptions
    from harness.server.spool.spool import Spool

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)

_HEADERS: Final = {
    # This policy forbids eval, so Playwright's wait_for_function does not work in the page (Chrome fact 28).
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; connect-src 'self'{sfu}; "
        "img-src 'self' data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # Cross-origin isolation gives the workers shared memory (Chrome fact 32), and therefore a timer that is accurate to
    # half a millisecond. An isolated page accepts only isolated workers, so every response has these headers (Chrome
    # fact 29).
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_TYPES: Final = {".html": "text/html", ".css": "text/css"}
_MAIN: Final = "main.js"


def web_folder() -> Path:
    """Return the folder with the page's files, in the installed package or in the source checkout."""
    package = Path(__file__).resolve().parent.parent
    packed = package / "_web"
    return packed if packed.is_dir() else package.parent / "web"


class WebApp:
    """The server's parts, and the aiohttp application that routes requests to them.

    ``read_addresses`` returns the server's current base addresses; it is None if the base addresses can't change.
    """

    def __init__(
        self,
        options: ServeOptions,
        admission: Admission,
        spool: Spool,
        library: Library | None,
        read_addresses: Callable[[], Iterable[str]] | None,
    ) -> None:
        limits = options.limits
        self.limits = limits
        self.rare_log = RareLog(_log)
        self.downloads = Downloads()
        self.signaling = Signaling(
            admission,
            limits,
            room_time,
            spool.add_member_event,
            library.listed_in if library else lambda _: None,
            routes=options.routes,
        )
        self.signal_sockets = SignalSockets(self.signaling, limits, self.rare_log, library)
        self.connections = Connections(spool, self.signaling, admission, limits, library)
        self.spool_sockets = SpoolSockets(self.connections, self.downloads, limits, self.rare_log)
        self.application = web.Application(middlewares=[self._guard_request], client_max_size=limits.signal_message)
        self._guard = RequestGuard(admission, limits, read_addresses)
        self._admission = admission
        self._library = library
        sfu = f" {options.routes.sfu.origin}" if options.routes and options.routes.sfu else ""
        self._headers = {name: value.replace("{sfu}", sfu) for name, value in _HEADERS.items()}
        self._add_routes(LibraryRoutes(library, admission, self.downloads).routes() if library else [])

    def _add_routes(self, library_routes: list[web.RouteDef]) -> None:
        application = self.application
        application.on_shutdown.append(self._close)
        application.on_response_prepare.append(self._add_headers)
        page = web_folder()
        application.router.add_get("/", _serve_file(page / "index.html"))
        application.router.add_get("/style.css", _serve_file(page / "style.css"))
        application.router.add_get("/src/{path:.+}", _serve_script)
        application.router.add_get("/healthz", self._report_health)
        application.router.add_get("/signal", self.signal_sockets.handle)
        application.router.add_get("/spool", self.spool_sockets.handle)
        application.router.add_get("/recordings/{key}/{name}", self.downloads.handle_recording)
        application.router.add_get("/video-files/{key}/{name}", self.downloads.handle_video_file)
        application.add_routes(library_routes)

    @web.middleware
    async def _guard_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await self._guard.handle(request, handler)

    async def _report_health(self, _: web.Request) -> web.StreamResponse:
        """Report that the server is running, and whether participants need a code."""
        return web.json_response({"ok": True, "code": self._admission.join_code is not None})

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)

    async def _close(self, _: web.Application) -> None:
        await asyncio.gather(self.signal_sockets.close(), self.spool_sockets.close())
        if self._library:
            self._library.close()


def _serve_file(path: Path) -> Handler:
    """Return a handler that serves a file of the page from memory."""
    body = path.read_bytes()

    async def serve(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=_TYPES[path.suffix], charset="utf-8")

    return serve


async def _serve_script(request: web.Request) -> web.StreamResponse:
    script = page_scripts().get(request.match_info["path"])
    if script is None:
        raise web.HTTPNotFound
    return web.Response(body=script, content_type="text/javascript", charset="utf-8")


@functools.cache
def page_scripts() -> dict[str, bytes]:
    """Return the bundle of the page's main module, and of each worker that it starts, by path.

    A room of another application does not need them, so they are bundled when a page first requests one.
    """
    texts = bundle_with_workers(web_folder() / "src", _MAIN, "/src/{}".format)
    return {path: text.encode() for path, text in texts.items()}
