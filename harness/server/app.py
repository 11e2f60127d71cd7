"""The aiohttp application: the page and its modules, the two sockets, downloads; thin shells over what decides."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import secrets
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from aiohttp import WSMsgType, web
from pydantic import ValidationError

from harness.errors import HarnessError, PageError, RecordingError
from harness.server.admission import DOWNLOAD_WITHIN, Admission, Limits
from harness.server.messages import (
    SPOOL,
    Clean,
    Download,
    End,
    EventMessage,
    RecorderState,
    SpoolHello,
    Ticks,
)
from harness.server.signaling import Send, Signaling
from harness.server.spool import GONE, Spool, Take

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.abc import AbstractStreamWriter

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)

_CHUNK: Final = struct.Struct("<B3xIQ")
_PAGE: Final = ("index.html", "style.css")
_HEADERS: Final = {
    # No eval, not even for Playwright: wait_for_function fails on the page (Chrome fact 28).
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; connect-src 'self'; "
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


def web_folder() -> Path:
    """Return where the page lies: in the installed package, else in the checkout."""
    package = Path(__file__).resolve().parent.parent
    packed = package / "_web"
    return packed if packed.is_dir() else package.parent / "web"


def room_time() -> float:
    """Return the room's time: the server's monotonic clock, in ms."""
    return time.monotonic() * 1000


@dataclass(frozen=True)
class _Address:
    """A download's random address."""

    take: Take
    until: float
    sent: Callable[[int], Awaitable[None]]


@dataclass
class App:
    """What the handlers share: who may come in, the rooms, the spool."""

    admission: Admission
    spool: Spool
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.signaling = Signaling(self.admission, self.limits, room_time, self.spool.happened)
        self._connections: dict[int, web.WebSocketResponse] = {}
        self._numbers = itertools.count(1)
        self._addresses: dict[str, _Address] = {}

    def build(self) -> web.Application:
        """Return the application, ready to be run."""
        app = web.Application(middlewares=[self._guard], client_max_size=self.limits.signal_message)
        app.on_shutdown.append(self._hang_up)
        app.on_response_prepare.append(_add_headers)
        page = web_folder()
        app.router.add_get("/", _file(page / "index.html"))
        app.router.add_get("/style.css", _file(page / "style.css"))
        app.router.add_static("/src", page / "src", follow_symlinks=False)
        app.router.add_get("/healthz", _healthz)
        app.router.add_get("/signal", self._signal)
        app.router.add_get("/spool", self._spool)
        app.router.add_get("/recordings/{key}/{name}", self._download)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse foreign hosts, and sockets that foreign pages opened."""
        socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if not self.admission.host_allowed(request.headers.get("Host")):
            raise web.HTTPMisdirectedRequest(text="This server does not answer to that name.\n")
        if socket and not self.admission.origin_allowed(request.headers.get("Origin")):
            raise web.HTTPForbidden(text="This server takes sockets from its own pages only.\n")
        return await handler(request)

    async def _hang_up(self, _: web.Application) -> None:
        for socket in list(self._connections.values()):
            await socket.close()

    # ---- signalling ---------------------------------------------------------------------------------------------

    async def _signal(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=self.limits.signal_message, compress=False, heartbeat=20)
        await socket.prepare(request)
        number = next(self._numbers)
        self._connections[number] = socket
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._deliver(self.signaling.receive(number, message.data))
                else:
                    break
        finally:
            del self._connections[number]
            await self._deliver(self.signaling.disconnect(number, "connection lost"))
        return socket

    async def _deliver(self, sends: list[Send]) -> None:
        for send in sends:
            socket = self._connections.get(send.connection)
            if socket is None or socket.closed:
                continue
            try:
                await socket.send_json(send.message)
                if send.close:
                    await socket.close()
            except ConnectionError:
                # Its own handler notices and tells the others.
                continue

    # ---- the spool ----------------------------------------------------------------------------------------------

    async def _spool(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=self.limits.spool_message, compress=False, heartbeat=20)
        await socket.prepare(request)
        number = next(self._numbers)
        self._connections[number] = socket
        take: Take | None = None
        try:
            async for message in socket:
                if message.type is WSMsgType.BINARY and take is not None:
                    await self._chunk(socket, take, message.data)
                elif message.type is WSMsgType.TEXT:
                    take = await self._spool_message(socket, take, message.data)
                else:
                    break
        except (HarnessError, OSError) as error:
            await _send(socket, _failure(error))
        finally:
            del self._connections[number]
            if take is not None and take.state == "recording":
                await self._rescue(take)
            await socket.close()
        return socket

    async def _chunk(self, socket: web.WebSocketResponse, take: Take, data: bytes) -> None:
        if len(data) < _CHUNK.size:
            message = f"A chunk of {len(data)} bytes is too short for its header."
            raise RecordingError(message, code=10452)
        _, number, offset = _CHUNK.unpack_from(data)
        take.chunk(number, offset, memoryview(data)[_CHUNK.size :])
        await _send(socket, {"type": "ack", "bytes": take.bytes, "tracks": sorted(take.progress.tracks)})

    async def _spool_message(self, socket: web.WebSocketResponse, take: Take | None, text: str) -> Take | None:
        try:
            message = SPOOL.validate_json(text)
        except ValidationError as malformed:
            problem = f"Malformed message: {_first(malformed)}."
            raise RecordingError(problem, code=10452) from malformed
        if isinstance(message, SpoolHello):
            begun = self._begin(message)
            await _send(socket, {"type": "ready", "recording": begun.id, "bytes": begun.bytes})
            return begun
        if take is None:
            error = "Say hello first."
            raise RecordingError(error, code=10452)
        match message:
            case RecorderState(state=state, time=at):
                take.recorder(state, at)
            case Ticks(first=first, written=written):
                take.log({"first": first, "written": written})
                take.growth.grew()
            case EventMessage(event=event):
                take.event(event)
            case End(bytes=total):
                await self._end(socket, take, total)
            case Download():
                await _send(socket, self._address(socket, take))
            case Clean():
                await asyncio.to_thread(take.clean)
                await _send(socket, {"type": "cleaned"})
        return take

    def _begin(self, hello: SpoolHello) -> Take:
        grant = self.admission.redeem(hello.token, "recorder")
        if grant is None:
            message = "Not admitted: the spool's token is wrong or too old."
            raise RecordingError(message, code=10452)
        room = self.signaling.rooms.get(grant.room)
        happened = room.record if room else []
        return self.spool.begin(hello, participant=grant.name, room=grant.room, happened=happened)

    async def _end(self, socket: web.WebSocketResponse, take: Take, total: int) -> None:
        recovered = None
        if total != take.bytes:
            recovered = f"{total - take.bytes} of {total} bytes never came"
        manifest = await asyncio.to_thread(take.end, recovered)
        recording = manifest.recording
        finished = {
            "id": recording.id,
            "name": take.path.name,
            "size": recording.size,
            "sha256": recording.sha256,
            "duration": recording.duration,
        }
        await _send(socket, {"type": "finished", "recording": finished})

    async def _rescue(self, take: Take) -> None:
        """Finish a recording whose page is gone."""
        try:
            await asyncio.to_thread(take.end, GONE)
        except HarnessError as error:
            log.warning("%s", error)

    # ---- downloads ----------------------------------------------------------------------------------------------

    def _address(self, socket: web.WebSocketResponse, take: Take) -> dict[str, Any]:
        if take.state != "finished":
            message = f"The recording {take.id} can't be downloaded; it is {take.state}."
            raise RecordingError(message, code=10452)
        now = time.monotonic()
        self._addresses = {key: address for key, address in self._addresses.items() if address.until > now}

        async def sent(size: int) -> None:
            await _send(socket, {"type": "sent", "bytes": size})

        key = secrets.token_urlsafe(24)
        self._addresses[key] = _Address(take, now + DOWNLOAD_WITHIN, sent)
        return {"type": "address", "url": f"/recordings/{key}/{quote(take.path.name)}", "name": take.path.name}

    def take_at(self, key: str) -> Take | None:
        """Return the recording that a download address names."""
        address = self._addresses.get(key)
        return address.take if address else None

    async def _download(self, request: web.Request) -> web.StreamResponse:
        address = self._addresses.get(request.match_info["key"])
        if address is None or address.until <= time.monotonic() or address.take.state != "finished":
            raise web.HTTPNotFound(text="There is nothing here, or not any more.\n")
        path = address.take.path
        disposition = f"attachment; filename*=UTF-8''{quote(path.name)}"
        mime_type = address.take.facts.mime_type.split(";")[0]
        headers = {"Content-Disposition": disposition, "Content-Type": mime_type}
        return _Sent(path, headers=headers, sent=address.sent)


class _Sent(web.FileResponse):
    """A file that tells when its last byte is sent."""

    def __init__(self, path: Path, *, headers: dict[str, str], sent: Callable[[int], Awaitable[None]]) -> None:
        super().__init__(path, headers=headers)
        self._tell = sent

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        writer = await super().prepare(request)
        await self._tell(self.content_length or 0)
        return writer


def _file(path: Path) -> Handler:
    async def serve(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path)

    return serve


async def _healthz(_: web.Request) -> web.StreamResponse:
    return web.json_response({"ok": True})


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


async def _send(socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
    if not socket.closed:
        try:
            await socket.send_str(json.dumps(message))
        except ConnectionError:
            return


def _failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, PageError):
        return {"type": "error", "name": error.name, "code": error.code, "message": str(error)}
    if isinstance(error, HarnessError):
        return {"type": "error", "name": "ConfigError", "code": None, "message": str(error)}
    return {"type": "error", "name": "RecordingError", "code": 10452, "message": f"The spool failed: {error}."}


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
