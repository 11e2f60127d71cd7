"""The aiohttp application: the page and its modules, signalling, the spool, downloads; who is let in at all."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSMsgType, web

from harness.server.access.hello_queue import HelloQueue
from harness.server.access.limits import Limits, Rate
from harness.server.access.network import client_of
from harness.server.access.page_socket import LimitError, PageSocket
from harness.server.access.rare_log import RareLog
from harness.server.clock import room_time
from harness.server.rooms.outgoing import refusal
from harness.server.rooms.send_queue import Line
from harness.server.rooms.signaling import Signaling
from harness.server.spool.downloads import Downloads
from harness.server.spool.spool_socket import WENT_AWAY, SpoolSockets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from harness.server.access.tokens import Admission
    from harness.server.library.library import Library
    from harness.server.rooms.outgoing import Send
    from harness.server.rooms.routes import Routes
    from harness.server.rooms.signaling import Member
    from harness.server.spool.spool import Spool

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)

_HEADERS: Final = {
    # No eval, not even for Playwright: wait_for_function fails on the page (Chrome fact 28).
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; connect-src 'self'{sfu}; "
        "img-src 'self' data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # Isolation gives the workers shared memory, and with it a timer good to half a millisecond (Chrome fact 32).
    # An isolated page takes isolated workers only, so every answer carries these (Chrome fact 29).
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

_SOCKETS: Final = frozenset({"/signal", "/spool"})
# How often, in seconds, the machine's addresses are read again when a request is for an unknown one.
_READ_EVERY: Final = 5.0

_FOR_APPS: Final = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}


def web_folder() -> Path:
    """Return where the page lies: in the installed package, else in the checkout."""
    package = Path(__file__).resolve().parent.parent
    packed = package / "_web"
    return packed if packed.is_dir() else package.parent / "web"


@dataclass
class App:
    """What the handlers share: who may come in, the rooms, the spool."""

    admission: Admission
    spool: Spool
    limits: Limits = field(default_factory=Limits)
    library: Library | None = None
    routes: Routes | None = None
    # Returns the base addresses by which the server is reached by now, where they can change.
    addresses: Callable[[], Iterable[str]] | None = None

    def __post_init__(self) -> None:
        self.signaling = Signaling(
            self.admission, self.limits, room_time, self.spool.happened, self._recordings, routes=self.routes
        )
        sfu = f" {self.routes.sfu.origin}" if self.routes and self.routes.sfu else ""
        self._headers = {name: value.replace("{sfu}", sfu) for name, value in _HEADERS.items()}
        self._lines: dict[int, Line] = {}
        self._numbers = itertools.count(1)
        self._sockets: Counter[str] = Counter()
        # By address: wrong codes; and the addresses of which it was told that they guess.
        self._guesses: dict[str, Rate] = {}
        self._guessers: set[str] = set()
        self._closing = asyncio.Event()
        self.rare_log = RareLog(_log)
        self._hellos = HelloQueue(self.limits, self.rare_log)
        self._read_again_at = 0.0
        self.downloads = Downloads()
        self._spool_sockets = SpoolSockets(
            self.spool,
            signaling=self.signaling,
            admission=self.admission,
            downloads=self.downloads,
            limits=self.limits,
            library=self.library,
            log=self.rare_log,
        )

    def build(self) -> web.Application:
        """Return the application, ready to be run."""
        app = web.Application(middlewares=[self._guard], client_max_size=self.limits.signal_message)
        app.on_shutdown.append(self._hang_up)
        app.on_response_prepare.append(self._add_headers)
        page = web_folder()
        app.router.add_get("/", _file(page / "index.html"))
        app.router.add_get("/style.css", _file(page / "style.css"))
        app.router.add_static("/src", page / "src", follow_symlinks=False)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/signal", self._signal)
        app.router.add_get("/spool", self._spool_sockets.handle)
        app.router.add_get("/recordings/{key}/{name}", self.downloads.handle)
        app.router.add_get("/films/{key}/{name}", self.downloads.play)
        if self.library:
            app.add_routes(self.library.open(self.admission, self.downloads, self._announce_recordings))
        return app

    async def _healthz(self, _: web.Request) -> web.StreamResponse:
        """Say that the server is there, and whether people need a code."""
        return web.json_response({"ok": True, "code": self.admission.join_code is not None})

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        if self.admission.app_key and request.path.startswith("/src/"):
            # Pages of other origins import our modules, which hold nothing secret.
            response.headers.update(_FOR_APPS)
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse foreign hosts, sockets that foreign pages opened, and more of them than one address may have."""
        socket = request.path in _SOCKETS
        host = request.headers.get("Host")
        if not self.admission.host_allowed(host) and not await self._answers_by_now(host):
            raise web.HTTPMisdirectedRequest(text="This server does not answer to that name.\n")
        prepared = self.admission.key_fits(request.headers.get("Sec-WebSocket-Protocol"))
        changes = request.method not in {"GET", "HEAD"}
        if (socket or changes) and not prepared and not self.admission.origin_allowed(request.headers.get("Origin")):
            raise web.HTTPForbidden(text="This server takes sockets and changes from its own pages only.\n")
        if not socket:
            try:
                return await handler(request)
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                raise web.HTTPNotFound(text="There is nothing here.\n") from error
        client = client_of(request.remote)
        if self._sockets[client] >= self.limits.connections:
            most = self.limits.connections
            raise web.HTTPTooManyRequests(text=f"Too many connections from your address: {most} at most.\n")
        self._sockets[client] += 1
        try:
            return await handler(request)
        finally:
            self._sockets[client] -= 1
            self._sockets += Counter()

    async def _answers_by_now(self, host: str | None) -> bool:
        """Read the machine's addresses again, now and then: a network may have given it another one meanwhile."""
        now = asyncio.get_running_loop().time()
        if self.addresses is None or now < self._read_again_at:
            return False
        self._read_again_at = now + _READ_EVERY
        self.admission.allow_current(*await asyncio.to_thread(self.addresses))
        return self.admission.host_allowed(host)

    async def _hang_up(self, _: web.Application) -> None:
        self._closing.set()
        await asyncio.gather(
            self._hellos.close(), self._spool_sockets.close(), *(line.end() for line in self._lines.values())
        )
        if self.library:
            self.library.close()

    # ---- signalling ---------------------------------------------------------------------------------------------

    async def _signal(self, request: web.Request) -> web.StreamResponse:
        socket = PageSocket(request, self.limits, max_msg_size=self.limits.signal_message)
        number = next(self._numbers)
        line = self._lines[number] = Line(socket, most=self.limits.unsent)
        try:
            await self._listen(socket, number, request)
        except LimitError as error:
            self._deliver([refusal(number, str(error))])
        finally:
            del self._lines[number]
            await line.end()
            if socket.close_code in WENT_AWAY or self._closing.is_set():
                self._deliver(self.signaling.disconnect(number, "left"))
            else:
                await self._wait_for(self.signaling.lose(number))
        return socket

    async def _listen(self, socket: PageSocket, number: int, request: web.Request) -> None:
        """Handle what a connection says until it ends; raises LimitError for too much, and for nothing for long."""
        client = client_of(request.remote)
        loop = asyncio.get_running_loop()
        message = await self._hellos.first_message(socket, request)
        while message.type is WSMsgType.TEXT:
            guesses = self._guesses.get(client)
            may_guess = guesses is None or guesses.has_one
            sends = self.signaling.receive(number, message.data, may_guess=may_guess, client=client)
            self._deliver(sends)
            if any(send.guess for send in sends):
                self._count_guess(client)
            if any(send.close for send in sends if send.connection == number):
                return
            try:
                message = await socket.next(loop.time() + self.limits.idle)
            except TimeoutError as error:
                problem = f"Nothing was said for {self.limits.idle:g} s."
                raise LimitError(problem) from error

    def _count_guess(self, client: str) -> None:
        """Count a wrong code: whoever tries many has to wait."""
        self._guesses = {one: rate for one, rate in self._guesses.items() if not rate.full}
        self._guessers &= self._guesses.keys()
        guesses = self._guesses.setdefault(client, Rate(self.limits.wrong_codes))
        guesses.takes_one()
        if not guesses.has_one and client not in self._guessers:
            self._guessers.add(client)
            _log.warning("Somebody guesses codes: from their address %g a second count now.", self.limits.wrong_codes)

    async def _wait_for(self, member: Member | None) -> None:
        """Give somebody whose connection was lost a while to come back."""
        if member is None:
            return
        lost_at = member.lost_at
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), self.limits.comes_back)
        self._deliver(self.signaling.give_up(member, lost_at))

    async def expel(self, room: str, member: str) -> None:
        """Take somebody out whose page is known to be gone, by id."""
        self._deliver(self.signaling.expel(room, member))

    def _recordings(self, room: str) -> list[dict[str, Any]] | None:
        return self.library.listed() if self.library and self.library.room == room else None

    async def _announce_recordings(self, recordings: list[dict[str, Any]]) -> None:
        if self.library:
            message = {"type": "recordings", "recordings": recordings}
            self._deliver(self.signaling.announce(self.library.room, message))

    def _deliver(self, sends: list[Send]) -> None:
        """Put into everybody's line what they are told, in the order in which it was said."""
        for send in sends:
            if line := self._lines.get(send.connection):
                line.say(send)


def _file(path: Path) -> Handler:
    async def serve(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path)

    return serve
