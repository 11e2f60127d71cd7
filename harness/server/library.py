"""The library: what was recorded in an open room, for the people in it: listed, played, judged and deleted.

A recording is kept in the server's folder as soon as it is finished and safe, whatever its page does afterwards, and
stays there until somebody deletes it. Who is in the room knows what is in the library; films and reports are fetched
at random addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from harness.recording.recording import Recording
    from harness.server.admission import Admission
    from harness.server.downloads import Downloads
    from harness.server.spool import Take

_log = logging.getLogger(__name__)

# How long, in seconds, a film or a report can be looked at by the address that was given out.
WATCHED_WITHIN: Final = 3600.0
# The list goes to everybody with every change: the oldest are no longer in it.
_MOST: Final = 200


@dataclass(frozen=True)
class Verdict:
    """What the judge says of a recording: what failed or is worth reading, how much passed, and the report as a page.

    The page stands beside the film.
    """

    ok: bool
    findings: list[dict[str, Any]]
    passed: int
    html: str

    def as_message(self) -> dict[str, Any]:
        """Return what the page shows of it (VerdictReport)."""
        return {"ok": self.ok, "findings": self.findings, "passed": self.passed}


@dataclass
class Item:
    """One recording in the library."""

    id: str
    name: str
    participant: str
    recorder: str
    # None while it is being recorded, and where that failed.
    recording: Recording | None = None
    failed: bool = False
    judging: asyncio.Task[Verdict] | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What the judge said, if it was asked and has answered."""
        done = self.judging is not None and self.judging.done() and not self.judging.cancelled()
        return self.judging.result() if self.judging and done and not self.judging.exception() else None

    def as_message(self) -> dict[str, Any]:
        """Return what the page shows of it (LibraryItem)."""
        told = self.recording
        return {
            "id": self.id,
            "name": self.name,
            "participant": self.participant,
            "recorder": self.recorder,
            "state": "kept" if told else "failed" if self.failed else "recording",
            "duration": told.duration if told else None,
            "size": told.size if told else None,
            "height": told.height if told else None,
            "verdict": self._verdict_word(),
        }

    def _verdict_word(self) -> str | None:
        if self.judging is None:
            return None
        if not self.judging.done():
            return "judging"
        return None if self.verdict is None else "passed" if self.verdict.ok else "failed"


class Library:
    """The recordings of one open room.

    ``judge`` gives the verdict on a file, and takes its time; ``kept`` hears, in whatever thread, of each recording
    that lies in ``folder``.
    """

    def __init__(
        self, room: str, folder: Path, judge: Callable[[Path], Verdict], kept: Callable[[Recording], None]
    ) -> None:
        self.room = room
        self._folder = folder
        self._judge = judge
        self._kept = kept
        self._items: dict[str, Item] = {}
        # One verdict at a time: each takes a processor from what is being recorded.
        self._turn = asyncio.Lock()

    def open(
        self, admission: Admission, downloads: Downloads, changed: Callable[[list[dict[str, Any]]], Awaitable[None]]
    ) -> list[web.RouteDef]:
        """Take what the server has for it, ``changed`` to tell the room of every change; return what it answers to."""
        self._admission = admission
        self._downloads = downloads
        self._changed = changed
        return [
            web.post("/library/{id}/address", self._give_address),
            web.post("/library/{id}/verdict", self._give_verdict),
            web.delete("/library/{id}", self._delete),
        ]

    def listed(self) -> list[dict[str, Any]]:
        """Return what the page shows, the newest first."""
        return [item.as_message() for item in reversed(list(self._items.values())[-_MOST:])]

    def begin(self, take: Take) -> None:
        """Take in a recording that begins in the room."""
        if take.facts.room != self.room:
            return
        item = Item(take.id, f"{take.facts.stem}.webm", take.facts.participant, take.facts.recorder)
        self._items[item.id] = item
        loop = asyncio.get_running_loop()

        def ended() -> None:
            recording = self._keep(take)
            # The spool's thread may outlive the server.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._ended, item, recording)

        take.ended = ended
        self._tell()

    def _keep(self, take: Take) -> Recording | None:
        try:
            recording = take.keep_copy(self._folder)
        except (HarnessError, OSError) as error:
            _log.warning("%s", error)
            return None
        if recording is not None:
            self._kept(recording)
        return recording

    def _ended(self, item: Item, recording: Recording | None) -> None:
        item.recording = recording
        item.failed = recording is None
        if recording is not None:
            item.name = recording.path.name
        self._tell()

    def _tell(self) -> None:
        self._telling = asyncio.ensure_future(self._changed(self.listed()))

    # ---- what the page asks for -------------------------------------------------------------------------------------

    async def _give_address(self, request: web.Request) -> web.Response:
        """Answer with where the film can be fetched for a while, and the report, where there is one."""
        _, recording = self._asked(request)
        item = self._items[recording.id]
        report = item.verdict.html if item.verdict else None
        film, beside = self._downloads.watch(recording.path, recording.mime_type, report, WATCHED_WITHIN)
        return web.json_response({"url": film, "name": recording.path.name, "report": beside})

    async def _give_verdict(self, request: web.Request) -> web.Response:
        """Answer with the report, once the judge has come to it; whoever asks meanwhile waits for the same."""
        item, recording = self._asked(request)
        if item.judging is None or (item.judging.done() and item.verdict is None):
            item.judging = asyncio.create_task(self._judged(recording.path))
            item.judging.add_done_callback(lambda _: self._tell())
            self._tell()
        try:
            # Whoever goes away does not take the verdict from the others.
            verdict = await asyncio.shield(item.judging)
        except HarnessError as error:
            raise web.HTTPConflict(text=f"{error}\n") from error
        return web.json_response(verdict.as_message())

    async def _judged(self, path: Path) -> Verdict:
        async with self._turn:
            return await asyncio.to_thread(self._judge, path)

    async def _delete(self, request: web.Request) -> web.Response:
        """Delete the recording with all that belongs to it."""
        item, recording = self._asked(request)
        del self._items[item.id]
        for path in recording.files:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        _log.info("%s was deleted from the page.", recording.path)
        self._tell()
        return web.Response(status=204)

    def _asked(self, request: web.Request) -> tuple[Item, Recording]:
        """Return what is asked about; who is not in the room learns nothing, not even what there is."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        grant = self._admission.redeem(token, "recorder") if scheme == "Bearer" else None
        if grant is None or grant.room != self.room:
            raise web.HTTPForbidden(text="Not admitted: join the room first.\n")
        item = self._items.get(request.match_info["id"])
        if item is None or item.recording is None:
            raise web.HTTPNotFound(text="There is no such recording, or not any more.\n")
        return item, item.recording
