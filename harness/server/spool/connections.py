"""Connections keeps track of each recording's connection, and handles lost connections."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, Protocol

from harness.errors import HarnessError, spool_error
from harness.server.access.descriptors import enough_for_recording
from harness.server.access.limits import Rates
from harness.server.access.tokens import UNTIL_REVOKED, Token
from harness.server.spool.active_recording import GONE, ActiveRecording

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from harness.server.access.limits import ServerLimits
    from harness.server.access.page_socket import PageSocket
    from harness.server.access.tokens import Admission
    from harness.server.member_event import MemberEvent
    from harness.server.spool.messages import SpoolHello
    from harness.server.spool.spool import Spool

_log = logging.getLogger(__name__)

# Maximum time for resuming a lost connection, in seconds.
_GRACE: Final = 30.0


class RoomPresence(Protocol):
    """The interface through which recordings find out which members are in a room."""

    def joins(self, room: str) -> list[MemberEvent]:
        """Return the join events of a room's current members."""

    def has_member(self, room: str, name: str) -> bool:
        """Return whether a room has a member with that name."""


class RecordingLibrary(Protocol):
    """The interface through which the spool lists and publishes recordings in a public room's library."""

    def add(self, active: ActiveRecording) -> None:
        """Add a new recording to the list; called in the server's thread."""

    def publish(self, active: ActiveRecording) -> None:
        """Publish a recording that has ended, unless it is already published; may be called from any thread.

        Raises HarnessError if the recording can't be published. If publishing fails, the caller must not delete the
        spool's copy of the recording.
        """

    def close_entry(self, active: ActiveRecording, reason: str | None) -> None:
        """Mark a recording that has ended as published, or as failed with a reason; called in the server's thread."""


class Connections:
    """Begins and resumes recordings for pages, and finishes recordings whose page does not reconnect.

    ``on_track`` is called in the server's thread when the first packet of a recording's track is found.
    """

    def __init__(
        self,
        spool: Spool,
        rooms: RoomPresence,
        admission: Admission,
        limits: ServerLimits,
        library: RecordingLibrary | None,
    ) -> None:
        self.spool = spool
        self._rooms = rooms
        self._admission = admission
        self._limits = limits
        self._library = library
        # Each recording's connection, and the token that lets its page resume a lost connection.
        self._sockets: dict[str, PageSocket] = {}
        self._resume_tokens: dict[str, str] = {}
        # One event per lost connection, set when the connection is resumed or the server stops waiting for it.
        self._returned: dict[str, asyncio.Event] = {}
        self._closing = False
        # The rates at which recordings begin, by room and participant.
        self._begins = Rates(limits.begins)
        self._tasks: set[asyncio.Future[None]] = set()

    def socket_of(self, active: ActiveRecording) -> PageSocket | None:
        """Return a recording's current connection, or None if it has none."""
        return self._sockets.get(active.id)

    def resume_token(self, active: ActiveRecording) -> str:
        """Return the token that lets a page resume a recording's lost connection."""
        if active.id not in self._resume_tokens:
            token = Token(role="resume", room=active.facts.room, name=active.facts.participant, subject=active.id)
            self._resume_tokens[active.id] = self._admission.issue(token, seconds=UNTIL_REVOKED, single_use=False)
        return self._resume_tokens[active.id]

    def is_in_room(self, active: ActiveRecording) -> bool:
        """Return whether the participant who is recording is in the room."""
        return self._rooms.has_member(active.facts.room, active.facts.participant)

    def is_published_by_download(self, active: ActiveRecording) -> bool:
        """Return whether downloading a recording completely counts as publishing the recording.

        In a public room without a library, a downloaded recording counts as published, because the participant then has
        the file. In all other rooms, either the library or the Python program publishes recordings.
        """
        return self._library is None and self._admission.public_room == active.facts.room

    # ---- begin and resume -------------------------------------------------------------------------------------------

    def open(
        self, socket: PageSocket, hello: SpoolHello, on_track: Callable[[ActiveRecording], Awaitable[None]]
    ) -> ActiveRecording:
        """Begin or resume the recording that a page announces on this connection.

        ``on_track`` is awaited in the server's thread when the first packet of a track is found. Raises RecordingError
        if the page is not admitted or a limit is reached.
        """
        active = self._begin(hello, on_track) if hello.recording is None else self._resume(hello)
        self._sockets[active.id] = socket
        if active.id in self._returned:
            self._returned.pop(active.id).set()
        return active

    def _begin(self, hello: SpoolHello, on_track: Callable[[ActiveRecording], Awaitable[None]]) -> ActiveRecording:
        token = self._admission.redeem(hello.token, "recorder")
        if token is None:
            message = "Not admitted: the spool's token is wrong or expired."
            raise spool_error(message)
        self._check_limits(token)
        loop = asyncio.get_running_loop()

        def call_in_loop(call: Callable[[], object]) -> None:
            # The recording's threads may outlive the server.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(call)

        active = self.spool.begin(
            hello,
            participant=token.name,
            room=token.room,
            joins=self._rooms.joins(token.room),
            on_end=lambda active: self._publish_at_end(active, call_in_loop),
            on_track=lambda active: call_in_loop(lambda: self._start_task(on_track(active))),
        )
        if self._library:
            self._library.add(active)
        return active

    def _start_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _check_limits(self, token: Token) -> None:
        """Raise RecordingError if a limit prevents the participant from beginning another recording now."""
        limits = self._limits
        if not self._begins.accept((token.room, token.name)):
            message = "You are starting too many recordings: wait a second before the next one."
            raise spool_error(message)
        if self._count_recordings(token) >= limits.recordings_each:
            message = f"You can make at most {limits.recordings_each} recordings at a time. Stop one first."
            raise spool_error(message)
        if self.spool.count_unfinished(token.room) >= limits.recordings:
            message = f"Too many recordings in this room: at most {limits.recordings} at a time."
            raise spool_error(message)
        if not enough_for_recording():
            message = "The server has too few file descriptors for another recording; raise its limit (ulimit -n)."
            raise spool_error(message)

    def _count_recordings(self, token: Token) -> int:
        """Return how many recordings a participant has in progress, including those whose connection is lost."""
        return sum(
            active.state == "recording" and (active.facts.room, active.facts.participant) == (token.room, token.name)
            for id_, active in self.spool.recordings.items()
            if id_ in self._sockets or id_ in self._returned
        )

    def _resume(self, hello: SpoolHello) -> ActiveRecording:
        token = self._admission.redeem(hello.token, "resume")
        active = self.spool.recordings.get(token.subject) if token else None
        if active is None or active.id != hello.recording or active.state == "cleaned":
            message = "Not admitted: there is no recording to resume."
            raise spool_error(message)
        return active

    # ---- end --------------------------------------------------------------------------------------------------------

    async def release(self, socket: PageSocket, active: ActiveRecording, *, is_over: bool) -> None:
        """Handle the end of a connection, and finish its recording.

        If ``is_over`` is false, the connection may be lost only temporarily, so the page first gets some time to resume
        the recording.
        """
        if self._sockets.get(active.id) is not socket:
            return
        del self._sockets[active.id]
        if not is_over and not self._closing:
            await self._wait_for_return(active)
        if active.id in self._sockets:
            return
        if active.is_unfinished:
            try:
                await asyncio.to_thread(active.finish_with_manifest, GONE)
            except HarnessError as error:
                if active.size:
                    _log.warning("%s", error)
        await asyncio.to_thread(active.wait_until_safe)
        # The page may have reconnected in the meantime to get the finished file.
        if active.id not in self._sockets:
            await self._free_if_unneeded(active)

    async def clean(self, active: ActiveRecording) -> None:
        """Delete the spool's copy of a recording; if there is a library, it publishes the recording first."""
        if self._library:
            await asyncio.to_thread(self._library.publish, active)
        await self._clean(active)

    def close(self) -> None:
        """Stop waiting for lost connections to be resumed."""
        self._closing = True
        for returned in self._returned.values():
            returned.set()

    async def _wait_for_return(self, active: ActiveRecording) -> None:
        returned = self._returned[active.id] = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(returned.wait(), _GRACE)
        if self._returned.get(active.id) is returned:
            del self._returned[active.id]

    async def _free_if_unneeded(self, active: ActiveRecording) -> None:
        """Free the resources of a recording that nobody needs any more.

        A recording that is empty or that the library has published is deleted. If there is a library, a failed
        recording is closed, but its raw bytes stay in the spool.
        """
        has_nothing = active.state == "failed" and not active.size
        if has_nothing or (self._library and active.state == "finished" and active.published_as):
            await self._clean(active)
        elif self._library and active.state == "failed":
            # The next recovery will finish the recording from its raw bytes.
            await asyncio.to_thread(active.close)
            self._forget(active)

    async def _clean(self, active: ActiveRecording) -> None:
        await asyncio.to_thread(active.clean)
        self._forget(active)

    def _forget(self, active: ActiveRecording) -> None:
        self.spool.recordings.pop(active.id, None)
        self._admission.revoke(active.facts.room, active.id)
        self._resume_tokens.pop(active.id, None)

    def _publish_at_end(self, active: ActiveRecording, call_in_loop: Callable[[Callable[[], object]], None]) -> None:
        """Publish a recording in the library after it has ended; may be called from any thread."""
        library = self._library
        if library is None:
            return
        reason = None
        try:
            library.publish(active)
        except HarnessError as error:
            reason = str(error)
            if error is not active.error:
                _log.warning("%s", reason)
        call_in_loop(lambda: library.close_entry(active, reason))
