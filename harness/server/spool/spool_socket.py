"""SpoolSockets handles the ``/spool`` connections, each of which carries one recording's chunks and messages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSMessage, WSMsgType, web
from pydantic import ValidationError

from harness.errors import HarnessError, PageError, spool_error
from harness.server.access.hello_queue import HelloQueue
from harness.server.access.limits import is_too_deep
from harness.server.access.page_socket import LimitError, PageSocket
from harness.server.clock import room_time
from harness.server.private_paths import without_folders
from harness.server.spool.messages import (
    SPOOL,
    Clean,
    Delivery,
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

if TYPE_CHECKING:
    from harness.server.access.limits import ServerLimits
    from harness.server.access.rare_log import RareLog
    from harness.server.spool.active_recording import ActiveRecording
    from harness.server.spool.connections import Connections
    from harness.server.spool.downloads import Downloads

_log = logging.getLogger(__name__)

_CHUNK: Final = struct.Struct("<B3xIQ")
# Maximum time to wait until the finalizer has read all bytes, in seconds. Reading the bytes usually takes milliseconds.
_LOOKS_WITHIN: Final = 2.0
# If a recording page is silent for this many seconds, an alarm is raised. Pages send ticks twice per second.
SILENCE: Final = 1.5
# Files up to this size, in bytes, are hashed before the server replies to ``end``. Hashing 1 GB takes about 1 s.
HASHED_AT_ONCE: Final = 32_000_000


class SpoolSockets:
    """Handles the ``/spool`` connections; a recording can be resumed on another connection."""

    def __init__(self, connections: Connections, downloads: Downloads, limits: ServerLimits, log: RareLog) -> None:
        self._connections = connections
        self._downloads = downloads
        self._limits = limits
        self._hellos = HelloQueue(limits, log)
        self._open: set[PageSocket] = set()
        # For each recording, the task that waits for the outcome of its download.
        self._deliveries: dict[str, asyncio.Task[None]] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        socket = PageSocket(request, self._limits, max_msg_size=self._limits.spool_message)
        active: ActiveRecording | None = None
        failed = False
        try:
            message = await self._hellos.first_message(socket, request)
            self._open.add(socket)
            if message.type is WSMsgType.TEXT:
                active = await self._handle_hello(socket, self._parse(message.data))
                await self._receive_messages(socket, active)
        except web.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - without an error the page would wait forever
            # A page that does not receive the error can get it by reconnecting.
            failed = request.transport is not None and not request.transport.is_closing()
            if not isinstance(error, HarnessError | LimitError | OSError):
                _log.exception("The spool failed.")
            await socket.send_message(self._error_message(error))
        finally:
            self._open.discard(socket)
            if active is not None:
                await self._connections.release(socket, active, is_over=failed or socket.closed_by_page)
            await socket.hang_up()
        return socket

    async def close(self) -> None:
        """Close every connection, and finish the recordings from the bytes that have arrived."""
        self._connections.close()
        for task in self._deliveries.values():
            task.cancel()
        await asyncio.gather(self._hellos.close(), *(socket.hang_up() for socket in self._open))

    # ---- receiving --------------------------------------------------------------------------------------------------

    async def _receive_messages(self, socket: PageSocket, active: ActiveRecording) -> None:
        """Receive a recording until its connection ends or the page resumes it on another connection."""
        if active.state != "recording":
            # The recording ended while its connection was lost, and the page is still waiting for the file.
            await self._finish(socket, active)
        while not socket.closed:
            message = await self._next_message(socket, active)
            if self._connections.socket_of(active) is not socket:
                return
            if message.type is WSMsgType.BINARY:
                _add_chunk(active, message.data, max_bytes=self._limits.recording_bytes)
                active.acked_seq += 1
                await socket.send_message(_ack(active))
            elif message.type is WSMsgType.TEXT:
                await self._handle_message(socket, active, self._parse(message.data))
            else:
                return
            await self._check_bounds(socket, active)

    async def _next_message(self, socket: PageSocket, active: ActiveRecording) -> WSMessage:
        """Return the next message; if the page is silent, raise an alarm and eventually end the recording."""
        loop = asyncio.get_running_loop()
        silent_since = loop.time()
        if active.expects_data:
            try:
                return await socket.receive_message(silent_since + SILENCE)
            except TimeoutError:
                if active.expects_data:
                    active.log.add_alarm(room_time(), "The page has stopped sending data.")
                    _log.warning("%s: the recording page has stopped sending data.", active.facts.stem)
        while True:
            try:
                return await socket.receive_message(self._deadline(active, silent_since))
            except TimeoutError as error:
                if active.log.recorder == "paused" and self._connections.is_in_room(active):
                    # A page whose recording is paused has nothing to send. If the page hangs, the room removes the
                    # silent member.
                    silent_since = loop.time()
                elif active.is_unfinished:
                    raise active.silence_error(self._max_silence(active)) from error

    def _deadline(self, active: ActiveRecording, silent_since: float) -> float | None:
        """Return the time at which the recording ends if the page stays silent; None if it has already ended."""
        if not active.is_unfinished:
            return None
        return (silent_since if active.has_begun else active.log.opened_at) + self._max_silence(active)

    def _max_silence(self, active: ActiveRecording) -> float:
        return self._limits.idle if active.has_begun else self._limits.begins_within

    async def _check_bounds(self, socket: PageSocket, active: ActiveRecording) -> None:
        """Warn the page if disk space is low; raises RecordingError if the disk is nearly full or the log is full."""
        if active.state != "recording":
            return
        if active.log.size > self._limits.notes_bytes:
            part = "The recording's log"
            raise active.size_error(part, self._limits.notes_bytes)
        for alarm in active.check_disks(self._connections.spool.headroom):
            active.log.add_alarm(room_time(), alarm.message)
            _log.warning("%s: %s: %s", active.facts.stem, alarm.folder, alarm.message)
            await socket.send_message({"type": "alarm", "message": alarm.message})

    # ---- messages ---------------------------------------------------------------------------------------------------

    def _parse(self, text: str) -> SpoolMessage:
        if is_too_deep(text, self._limits.json_depth):
            problem = f"Malformed message: nested more than {self._limits.json_depth} levels deep."
            raise spool_error(problem)
        try:
            return SPOOL.validate_json(text)
        except ValidationError as malformed:
            problem = f"Malformed message: {_describe(malformed)}."
            raise spool_error(problem) from malformed

    async def _handle_hello(self, socket: PageSocket, hello: SpoolMessage) -> ActiveRecording:
        if not isinstance(hello, SpoolHello):
            problem = "The first message must be hello."
            raise spool_error(problem)
        active = self._connections.open(socket, hello, self._acknowledge)
        ready = {
            "type": "ready",
            "recording": active.id,
            "resume": self._connections.resume_token(active),
            "bytes": active.size,
            "acked_seq": active.acked_seq,
        }
        await socket.send_message(ready)
        return active

    async def _handle_message(self, socket: PageSocket, active: ActiveRecording, message: SpoolMessage) -> None:
        match message:
            case SpoolHello():
                problem = "This connection already has a recording."
                raise spool_error(problem)
            case End(bytes=total):
                active.acked_seq += 1
                # From here on, a page that reconnects receives the file on its new connection.
                active.stop_accepting()
                missing = total - active.size
                await self._finish(socket, active, f"{missing} of {total} bytes never arrived" if missing else None)
            case Outstanding():
                await _wait_for_finalizer(active)
                await socket.send_message({"type": "outstanding", "frames": active.progress.outstanding})
            case Download():
                await socket.send_message(self._issue_address(active))
            case Delivery():
                self._report_delivery(socket, active)
            case Clean():
                await self._connections.clean(active)
                await socket.send_message({"type": "cleaned"})
            case _:
                _add_to_log(active, message)
                active.acked_seq += 1
                await socket.send_message(_ack(active))

    async def _acknowledge(self, active: ActiveRecording) -> None:
        """Report a newly found track to the page, unless the connection has ended.

        This report lets the page's ``start`` call resolve as soon as all tracks have been found, without waiting for
        the next chunk.
        """
        if socket := self._connections.socket_of(active):
            await socket.send_message(_ack(active))

    async def _finish(self, socket: PageSocket, active: ActiveRecording, reason: str | None = None) -> None:
        """Finish the file, and report to the page at once that the file is complete; a large file's hash follows later.

        ``reason`` explains why the recording ended if it was not stopped normally.
        """
        finished = await asyncio.to_thread(active.finish, reason)
        if self._connections.socket_of(active) is not socket:
            # The page has reconnected, and will receive the file's properties on its new connection.
            return
        size = active.path.stat().st_size
        facts = {"id": active.id, "name": active.path.name, "size": size, "duration": round(finished.duration, 3)}
        sha256 = await _hash(active) if size <= HASHED_AT_ONCE else None
        await socket.send_message({"type": "finished", "recording": {**facts, "sha256": sha256}})
        if sha256 is None:
            await socket.send_message({"type": "hashed", "sha256": await _hash(active)})

    def _issue_address(self, active: ActiveRecording) -> dict[str, Any]:
        def on_sent() -> None:
            if self._connections.is_published_by_download(active):
                active.mark_published()

        return {"type": "address", "url": self._downloads.issue_download(active, on_sent), "name": active.name}

    def _report_delivery(self, socket: PageSocket, active: ActiveRecording) -> None:
        """Report the outcome of a download once it is known; meanwhile, the page can send other messages.

        If the page reconnects before the outcome is known, it requests the outcome again on its new connection.
        """
        delivery = self._downloads.delivery_of(active)
        if delivery is None:
            message = "No download was requested, or the download's URL has expired."
            raise spool_error(message)

        async def report() -> None:
            failure = await delivery.failure()
            if self._connections.socket_of(active) is socket:
                await socket.send_message({"type": "delivery", "failure": failure})

        if waiting := self._deliveries.pop(active.id, None):
            waiting.cancel()
        self._deliveries[active.id] = task = asyncio.create_task(report())
        task.add_done_callback(lambda _: self._forget_delivery(active, task))

    def _forget_delivery(self, active: ActiveRecording, task: asyncio.Task[None]) -> None:
        if self._deliveries.get(active.id) is task:
            del self._deliveries[active.id]

    def _error_message(self, error: Exception) -> dict[str, Any]:
        """Return the message that reports an error to the page, without revealing the paths of the server's folders."""
        message = without_folders(str(error), self._connections.spool.root.parent)
        if isinstance(error, LimitError):
            error = spool_error(message)
        if isinstance(error, PageError):
            return {"type": "error", "name": error.name, "code": error.code, "message": message}
        if isinstance(error, HarnessError):
            return {"type": "error", "name": "ConfigError", "code": None, "message": message}
        failed = spool_error(f"The spool failed: {message}.")
        return {"type": "error", "name": failed.name, "code": failed.code, "message": str(failed)}


def _add_chunk(active: ActiveRecording, data: bytes, *, max_bytes: int) -> None:
    if len(data) < _CHUNK.size:
        message = f"A chunk of {len(data)} bytes is too short to contain its header."
        raise spool_error(message)
    _, number, offset = _CHUNK.unpack_from(data)
    content = memoryview(data)[_CHUNK.size :]
    if active.size + len(content) > max_bytes:
        part = "The recording"
        raise active.size_error(part, max_bytes)
    active.add_chunk(number, offset, content)


def _add_to_log(active: ActiveRecording, message: SpoolMessage) -> None:
    match message:
        case RecorderState(state=state, time=at):
            active.log.add_recorder_state(state, at)
        case Ticks(first=first, written=written):
            active.add_ticks(first, written)
        case EventMessage(event=event):
            active.log.add_event(event)
        case Statistics():
            active.statistics.add(message)


async def _wait_for_finalizer(active: ActiveRecording) -> None:
    """Wait, without blocking a thread, until the finalizer has read all received bytes or the time limit is reached."""
    loop = asyncio.get_running_loop()
    looked = asyncio.Event()

    def set_looked() -> None:
        # The finalizer's thread may outlive the server.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(looked.set)

    active.growing_file.call_when_read(set_looked)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(looked.wait(), _LOOKS_WITHIN)


async def _hash(active: ActiveRecording) -> str:
    manifest = await asyncio.to_thread(active.finish_with_manifest)
    return manifest.recording.sha256


def _ack(active: ActiveRecording) -> dict[str, Any]:
    tracks = list(active.progress.tracks)
    return {"type": "ack", "bytes": active.size, "acked_seq": active.acked_seq, "tracks": tracks}


def _describe(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
