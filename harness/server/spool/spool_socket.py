"""The spool's WebSocket: a thin shell over the spool, with reconnects."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import struct
import time
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSMessage, WSMsgType, web
from pydantic import ValidationError

from harness.errors import HarnessError, PageError, spool_error
from harness.server.access.descriptors import enough_for_recording
from harness.server.access.hello_queue import HelloQueue
from harness.server.access.limits import Rates, too_deep
from harness.server.access.page_socket import LimitError, PageSocket
from harness.server.access.tokens import WHILE_IN, Grant
from harness.server.clock import room_time
from harness.server.rooms.messages import (
    SPOOL,
    Clean,
    Download,
    End,
    EventMessage,
    Outstanding,
    RecorderState,
    SpoolHello,
    SpoolMessage,
    Statistics,
    Ticks,
)
from harness.server.rooms.outgoing import without_places
from harness.server.spool.active_recording import GONE, ActiveRecording

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.server.access.limits import Limits
    from harness.server.access.rare_log import RareLog
    from harness.server.access.tokens import Admission
    from harness.server.library.library import Library
    from harness.server.rooms.signaling import Signaling
    from harness.server.spool.downloads import Downloads
    from harness.server.spool.spool import Spool

_log = logging.getLogger(__name__)

_CHUNK: Final = struct.Struct("<B3xIQ")
# Close codes of a page that went away by itself (RFC 6455); anything else may be a lost connection.
WENT_AWAY: Final = (1000, 1001)
# How long, in seconds, a lost connection may take to come back.
_GRACE: Final = 30.0
# How long, in seconds, the finaliser has to look at what came; it needs milliseconds.
_LOOKS_WITHIN: Final = 2.0
# How long, in seconds, a page that records may send nothing before it is an alarm; ticks come twice a second.
STILL: Final = 1.5
# How many ticks a page may report for each frame that there was time for, and for how many seconds more.
_TICKS_A_FRAME: Final = 2
_TICKS_AHEAD: Final = 600.0
# The highest frame rate, for a recording of sound alone.
_MOST_FRAMES: Final = 30
# The largest file, in bytes, whose hash is part of the answer to the end; a gigabyte takes about a second.
HASHED_AT_ONCE: Final = 32_000_000


class SpoolSockets:
    """Takes the pages' recordings in; one connection a recording, which may be lost and come back."""

    def __init__(
        self,
        spool: Spool,
        *,
        signaling: Signaling,
        admission: Admission,
        downloads: Downloads,
        limits: Limits,
        library: Library | None,
        log: RareLog,
    ) -> None:
        self._spool = spool
        self._signaling = signaling
        self._admission = admission
        self._downloads = downloads
        self._limits = limits
        self._library = library
        self._open: set[PageSocket] = set()
        # By recording: the connection that it comes over, and the token with which a lost one is taken up again.
        self._current: dict[str, PageSocket] = {}
        self._resumes: dict[str, str] = {}
        # Who waits for a lost connection to come back.
        self._back: dict[str, asyncio.Event] = {}
        self._telling: set[asyncio.Future[None]] = set()
        self._closing = False
        self._hellos = HelloQueue(limits, log)
        # By room and participant.
        self._begins = Rates(limits.begins)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        socket = PageSocket(request, self._limits, max_msg_size=self._limits.spool_message)
        take: ActiveRecording | None = None
        failed = False
        try:
            message = await self._hellos.first_message(socket, request)
            self._open.add(socket)
            if message.type is WSMsgType.TEXT:
                take = await self._text(socket, None, message.data)
                await self._go_on(socket, take)
        except web.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - whatever fails here, the page must hear of it, or it waits for ever
            # A page that did not get the error may come back for it.
            failed = request.transport is not None and not request.transport.is_closing()
            if not isinstance(error, HarnessError | LimitError | OSError):
                _log.exception("The spool failed.")
            await send(socket, self._failure(error))
        finally:
            self._open.discard(socket)
            if take is not None and self._current.get(take.id) is socket:
                del self._current[take.id]
                await self._abandoned(take, over=failed or socket.close_code in WENT_AWAY)
            await socket.hang_up()
        return socket

    async def _go_on(self, socket: PageSocket, take: ActiveRecording) -> None:
        """Take a recording in, until its connection ends or the page has come back on another one."""
        if not take.takes_more:
            # It ended while its connection was lost; the page still waits for the file.
            await self._tell_finished(socket, take)
        while not socket.closed:
            message = await self._next(socket, take)
            if self._current.get(take.id) is not socket:
                return
            if message.type is WSMsgType.BINARY:
                _chunk(take, message.data, most=self._limits.recording_bytes)
                await send(socket, _ack(take))
            elif message.type is WSMsgType.TEXT:
                await self._text(socket, take, message.data)
            else:
                return
            await self._watch(socket, take)

    async def _next(self, socket: PageSocket, take: ActiveRecording) -> WSMessage:
        """Return the next message. A recording from which nothing comes is an alarm, and is given up after a while."""
        now = asyncio.get_running_loop().time()
        if take.flows:
            try:
                return await socket.next(now + STILL)
            except TimeoutError:
                if take.flows:
                    take.alarm(room_time(), "Nothing comes from the page.")
                    _log.warning("%s: nothing comes from the page that records it.", take.facts.stem)
        while True:
            try:
                return await socket.next(self._given_up_at(take, now))
            except TimeoutError as error:
                if take.paused and self._is_in_room(take):
                    # A paused page has nothing to send; if it is frozen, it is put out of the room for its silence.
                    now = asyncio.get_running_loop().time()
                elif take.state == "recording":
                    raise take.silent(self._patience(take)) from error

    def _is_in_room(self, take: ActiveRecording) -> bool:
        room = self._signaling.rooms.get(take.facts.room)
        return room is not None and any(member.name == take.facts.participant for member in room.members.values())

    def _given_up_at(self, take: ActiveRecording, heard_at: float) -> float | None:
        """Return when a recording is given up from which nothing comes; who downloads a finished one says little."""
        if take.state != "recording":
            return None
        return (heard_at if take.has_begun else take.opened_at) + self._patience(take)

    def _patience(self, take: ActiveRecording) -> float:
        return self._limits.idle if take.has_begun else self._limits.begins_within

    async def close(self) -> None:
        """Close every connection; recordings are finished with what they have."""
        self._closing = True
        for back in self._back.values():
            back.set()
        await asyncio.gather(self._hellos.close(), *(socket.hang_up() for socket in self._open))

    async def _text(self, socket: PageSocket, take: ActiveRecording | None, text: str) -> ActiveRecording:
        if too_deep(text, self._limits.json_depth):
            problem = f"Malformed message: nested more than {self._limits.json_depth} deep."
            raise spool_error(problem)
        try:
            message = SPOOL.validate_json(text)
        except ValidationError as malformed:
            problem = f"Malformed message: {_first(malformed)}."
            raise spool_error(problem) from malformed
        if isinstance(message, SpoolHello):
            if take is not None:
                error = "This connection has its recording already."
                raise spool_error(error)
            return await self._hello(socket, message)
        if take is None:
            error = "Say hello first."
            raise spool_error(error)
        await self._obey(socket, take, message)
        return take

    async def _hello(self, socket: PageSocket, hello: SpoolHello) -> ActiveRecording:
        take = self._begin(hello) if hello.recording is None else self._resume(hello)
        self._current[take.id] = socket
        if take.id in self._back:
            self._back.pop(take.id).set()
        if take.id not in self._resumes:
            grant = Grant(role="resume", room=take.facts.room, name=take.facts.participant, subject=take.id)
            self._resumes[take.id] = self._admission.issue(grant, seconds=WHILE_IN, single_use=False)
        ready = {"type": "ready", "recording": take.id, "resume": self._resumes[take.id]}
        await send(socket, {**ready, "bytes": take.bytes, "acked_seq": take.acked_seq})
        return take

    async def _tell_finished(self, socket: PageSocket, take: ActiveRecording, reason: str | None = None) -> None:
        """Finish the file, and say at once that it is complete; a large one's hash follows when it is known.

        ``reason`` says why it ended without being stopped.
        """
        finished = await asyncio.to_thread(take.finish, reason)
        if self._current.get(take.id) is not socket:
            # The page has come back on another connection, which tells it.
            return
        size = take.path.stat().st_size
        facts = {"id": take.id, "name": take.path.name, "size": size, "duration": round(finished.duration, 3)}
        sha256 = (await asyncio.to_thread(take.end)).recording.sha256 if size <= HASHED_AT_ONCE else None
        await send(socket, {"type": "finished", "recording": {**facts, "sha256": sha256}})
        if sha256 is None:
            manifest = await asyncio.to_thread(take.end)
            await send(socket, {"type": "hashed", "sha256": manifest.recording.sha256})

    async def _watch(self, socket: PageSocket, take: ActiveRecording) -> None:
        """Say when the disk runs full; a recording that would fill it, or of which too much is told, is ended."""
        if not take.takes_more:
            return
        if take.noted > self._limits.notes_bytes:
            what = "The log of the recording"
            raise take.too_large(what, self._limits.notes_bytes)
        told = take.running_full(self._spool.headroom)
        if told:
            take.alarm(room_time(), told)
            _log.warning("%s: %s", take.facts.stem, told)
            await send(socket, {"type": "alarm", "message": told})

    def _begin(self, hello: SpoolHello) -> ActiveRecording:
        grant = self._admission.redeem(hello.token, "recorder")
        if grant is None:
            message = "Not admitted: the spool's token is wrong or too old."
            raise spool_error(message)
        if not self._begins.takes_one((grant.room, grant.name)):
            message = "You begin too many recordings: wait a second before the next one."
            raise spool_error(message)
        if self._open_recordings(grant) >= self._limits.recordings_each:
            message = f"You make too many recordings at a time: {self._limits.recordings_each} at most. Stop one first."
            raise spool_error(message)
        if self._spool.running(grant.room) >= self._limits.recordings:
            message = f"The room is full of recordings: {self._limits.recordings} at a time."
            raise spool_error(message)
        if not enough_for_recording():
            message = "The server has too few file descriptors for another recording; raise its limit (ulimit -n)."
            raise spool_error(message)
        room = self._signaling.rooms.get(grant.room)
        joins = room.joins.values() if room else []
        take = self._spool.begin(hello, participant=grant.name, room=grant.room, joins=joins)
        take.most_statistics = min(take.most_statistics, self._limits.notes_bytes)
        # A start resolves when every track is safe: whoever waits for that need not wait for the next chunk, too.
        take.progress.came = _by_thread(self._came, take)
        if self._library:
            self._library.begin(take)
        return take

    def _open_recordings(self, grant: Grant) -> int:
        """Return how many recordings a participant makes, with those whose lost connection may come back."""
        return sum(
            take.takes_more and (take.facts.room, take.facts.participant) == (grant.room, grant.name)
            for id_, take in self._spool.takes.items()
            if id_ in self._current or id_ in self._back
        )

    def _came(self, take: ActiveRecording) -> None:
        telling = asyncio.ensure_future(self._acknowledge(take))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _acknowledge(self, take: ActiveRecording) -> None:
        """Say what has come, unless the connection has ended by now: why it ended is the last that is said."""
        if socket := self._current.get(take.id):
            await send(socket, _ack(take))

    def _resume(self, hello: SpoolHello) -> ActiveRecording:
        grant = self._admission.redeem(hello.token, "resume")
        take = self._spool.takes.get(grant.subject) if grant else None
        if take is None or take.id != hello.recording or take.state == "cleaned":
            message = "Not admitted: there is no recording here that could go on."
            raise spool_error(message)
        return take

    async def _obey(self, socket: PageSocket, take: ActiveRecording, message: SpoolMessage) -> None:
        match message:
            case End(bytes=total):
                take.acked_seq += 1
                # From now on a page that comes back is told of the file by its own connection.
                take.take_no_more()
                never = None if total == take.bytes else f"{total - take.bytes} of {total} bytes never came"
                await self._tell_finished(socket, take, never)
            case Outstanding():
                await _looked(take)
                await send(socket, {"type": "outstanding", "frames": take.progress.outstanding})
            case Download():
                await send(socket, self._address(take))
            case Clean():
                if self._library:
                    await asyncio.to_thread(self._library.keep, take)
                await self._forget(take)
                await send(socket, {"type": "cleaned"})
            case _:
                _note(take, message)
                await send(socket, _ack(take))

    def _failure(self, error: Exception) -> dict[str, Any]:
        """Return what the page hears of an error: nothing of where this server keeps things."""
        message = without_places(str(error), self._spool.root.parent)
        if isinstance(error, LimitError):
            error = spool_error(message)
        if isinstance(error, PageError):
            return {"type": "error", "name": error.name, "code": error.code, "message": message}
        if isinstance(error, HarnessError):
            return {"type": "error", "name": "ConfigError", "code": None, "message": message}
        failed = spool_error(f"The spool failed: {message}.")
        return {"type": "error", "name": failed.name, "code": failed.code, "message": str(failed)}

    def _address(self, take: ActiveRecording) -> dict[str, Any]:
        async def sent(size: int) -> None:
            # Whoever came through an open door has the file now. What a library keeps, and what Python collects, they
            # mark themselves.
            if self._library is None and self._admission.open_room == take.facts.room:
                take.mark_kept()
            socket = self._current.get(take.id)
            if socket is not None:
                await send(socket, {"type": "sent", "bytes": size})

        return {"type": "address", "url": self._downloads.address(take, sent), "name": take.name}

    async def _abandoned(self, take: ActiveRecording, *, over: bool) -> None:
        """Finish a recording that is over; one whose connection was only lost gets a while to come back."""
        if not over and not self._closing:
            back = self._back[take.id] = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(back.wait(), _GRACE)
            if self._back.get(take.id) is back:
                del self._back[take.id]
        if take.id in self._current:
            return
        if take.state == "recording":
            try:
                await asyncio.to_thread(take.end, GONE)
            except HarnessError as error:
                if take.bytes:
                    _log.warning("%s", error)
        await asyncio.to_thread(take.wait_until_safe)
        # Its page may have come for the finished file meanwhile.
        if take.id not in self._current:
            await self._free_abandoned(take)

    async def _free_abandoned(self, take: ActiveRecording) -> None:
        """Free what nobody can want or ask for any more."""
        if (take.state == "failed" and not take.bytes) or (self._library and take.state == "finished" and take.kept):
            await self._forget(take)
        elif self._library and take.state == "failed":
            # What there is of it is the next recovery's.
            await asyncio.to_thread(take.close)
            self._let_go(take)

    async def _forget(self, take: ActiveRecording) -> None:
        await asyncio.to_thread(take.clean)
        self._let_go(take)

    def _let_go(self, take: ActiveRecording) -> None:
        self._spool.takes.pop(take.id, None)
        self._admission.revoke(take.facts.room, take.id)
        self._resumes.pop(take.id, None)


async def send(socket: PageSocket, message: dict[str, Any]) -> None:
    """Send a message; a connection that is lost is noticed where it is read."""
    await socket.say(json.dumps(message))


def _chunk(take: ActiveRecording, data: bytes, *, most: int) -> None:
    if len(data) < _CHUNK.size:
        message = f"A chunk of {len(data)} bytes is too short for its header."
        raise spool_error(message)
    _, number, offset = _CHUNK.unpack_from(data)
    content = memoryview(data)[_CHUNK.size :]
    if take.bytes + len(content) > most:
        what = "The recording"
        raise take.too_large(what, most)
    take.chunk(number, offset, content)


def _by_thread(call: Callable[..., object], *arguments: object) -> Callable[[], None]:
    """Return what the finaliser's thread calls to have something called here."""
    loop = asyncio.get_running_loop()

    def later() -> None:
        # The thread may outlive the server.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(call, *arguments)

    return later


async def _looked(take: ActiveRecording) -> None:
    """Return when the finaliser has looked at all that came, or has not in time; no thread waits for it."""
    looked = asyncio.Event()
    take.growth.ask(_by_thread(looked.set))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(looked.wait(), _LOOKS_WITHIN)


def _note(take: ActiveRecording, message: SpoolMessage) -> None:
    """Take what is noted in the log."""
    match message:
        case RecorderState(state=state, time=at):
            take.recorder(state, at)
        case Ticks(first=first, written=written):
            _check_ticks(take, len(written))
            take.ticks(first, written)
        case EventMessage(event=event):
            take.event(event)
        case Statistics():
            take.statistics(message)


def _check_ticks(take: ActiveRecording, more: int) -> None:
    """Raise RecordingError for ticks that the mixer can't have written; those without a frame are kept in memory."""
    seconds = time.monotonic() - take.opened_at + _TICKS_AHEAD
    if take.ticked + more > seconds * (take.facts.frame_rate or _MOST_FRAMES) * _TICKS_A_FRAME:
        message = f"The page reported {take.ticked + more} ticks, more than it can have written."
        raise spool_error(message)


def _ack(take: ActiveRecording) -> dict[str, Any]:
    return {"type": "ack", "bytes": take.bytes, "acked_seq": take.acked_seq, "tracks": list(take.progress.tracks)}


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
