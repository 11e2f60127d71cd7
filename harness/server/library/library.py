"""The library: what was recorded in an open room: listed, played and judged by who is in it or views it, and deleted.

A recording is kept in the server's folder as soon as it is finished and has been read back, whatever its page does
afterwards, and stays there until somebody in the room deletes it. Who is in the room, or views it, knows what is in
the library; films and reports are fetched at random addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from harness.errors import ConfigError, HarnessError, recording_error
from harness.recording.files.disk import file_failure
from harness.recording.files.text import printable
from harness.recording.recording import MANIFEST_SUFFIX, SUFFIX, Manifest, recording_of
from harness.server.rooms.outgoing import without_places

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from harness.recording.recording import Recording
    from harness.server.access.tokens import Admission, Role
    from harness.server.spool.active_recording import ActiveRecording
    from harness.server.spool.downloads import Downloads, Page

_log = logging.getLogger(__name__)

# How long, in seconds, a film or a report can be looked at by the address that was given out.
WATCHED_WITHIN: Final = 3600.0
# The list goes to everybody with every change: the oldest are not in it.
_MOST: Final = 200
# Of those that failed, and of reports, the newest are kept in memory.
_MOST_FAILED: Final = 20
_MOST_REPORTS: Final = 50


@dataclass(frozen=True)
class Verdict:
    """What the judge says of a recording: how many checks there were, what failed or is worth reading, the report."""

    ok: bool
    checks: int
    findings: list[dict[str, Any]]
    page: Page

    def as_message(self) -> dict[str, Any]:
        """Return what the page shows of it (VerdictReport)."""
        return {"ok": self.ok, "checks": self.checks, "findings": self.findings}


@dataclass
class Item:
    """One recording in the library: as it is recorded, as it was kept, or why it could not be."""

    id: str
    name: str
    participant: str
    recorder: str
    take: ActiveRecording | None = None
    recording: Recording | None = None
    failed: str | None = None
    judging: asyncio.Future[Verdict] | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What the judge said, if it was asked and has answered."""
        asked = self.judging
        return asked.result() if asked and asked.done() and not asked.cancelled() and not asked.exception() else None

    def as_message(self) -> dict[str, Any]:
        """Return what the page shows of it (LibraryItem)."""
        told = self.recording
        return {
            "id": self.id,
            "name": self.name,
            "participant": self.participant,
            "recorder": self.recorder,
            "state": "published" if told else "failed" if self.failed else "recording",
            "reason": self.failed,
            "duration": told.duration if told else None,
            "size": told.size if told else None,
            "height": told.height if told else None,
            "result": self._result(),
        }

    def _result(self) -> str | None:
        if self.judging is not None and not self.judging.done():
            return "verifying"
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
        self._telling: set[asyncio.Future[None]] = set()
        # One verdict at a time: each takes a processor from what is being recorded.
        self._turn = asyncio.Lock()
        self._admission: Admission
        self._downloads: Downloads
        self._changed: Callable[[list[dict[str, Any]]], Awaitable[None]]

    def read(self) -> None:
        """Take in what was recorded in this room before, as far as its manifest still lies beside it."""
        found = []
        for path in self._folder.glob(f"*{MANIFEST_SUFFIX}"):
            film = recording_of(path)
            # A link shows what lies elsewhere.
            if path.is_symlink() or not _is_plain(film):
                continue
            with contextlib.suppress(ConfigError):
                manifest = Manifest.read(path)
                if manifest.room == self.room:
                    # The folder may have been moved meanwhile.
                    found.append(manifest.recording.at(film))
        for told in sorted(found, key=lambda one: one.started_at):
            # A copy goes by another name, so that it hides nothing.
            known = secrets.token_urlsafe(16) if told.id in self._items else told.id
            self._items[known] = Item(known, printable(told.path.name), told.participant, told.recorder, recording=told)

    def open(
        self, admission: Admission, downloads: Downloads, changed: Callable[[list[dict[str, Any]]], Awaitable[None]]
    ) -> list[web.RouteDef]:
        """Take what the server has for it, ``changed`` to tell the room of every change; return what it answers to."""
        self._admission = admission
        self._downloads = downloads
        self._changed = changed
        return [
            web.post("/library/{id}/address", self._give_address),
            web.post("/library/{id}/verify", self._give_verdict),
            web.delete("/library/{id}", self._delete),
        ]

    def close(self) -> None:
        """Let nobody wait for a verdict any more; twice is fine."""
        for item in self._items.values():
            if item.judging is not None:
                item.judging.cancel()

    def listed(self) -> list[dict[str, Any]]:
        """Return what the page shows, the newest first."""
        return [item.as_message() for item in reversed(list(self._items.values())[-_MOST:])]

    def begin(self, take: ActiveRecording) -> None:
        """Take in a recording that begins in the room."""
        if take.facts.room != self.room:
            return
        item = Item(take.id, f"{take.facts.stem}{SUFFIX}", take.facts.participant, take.facts.recorder, take)
        self._items[item.id] = item
        loop = asyncio.get_running_loop()

        def ended() -> None:
            reason = None
            try:
                self._keep(item, take)
            except HarnessError as error:
                reason = str(error)
                _log.warning("%s", reason)
            # The spool's thread may outlive the server.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._ended, item, reason)

        take.ended = ended
        self._tell()

    def keep(self, take: ActiveRecording) -> None:
        """Keep a finished recording before the spool's own is freed; does nothing for one that is kept already.

        Raises RecordingError when it can't be kept: then nothing may be freed.
        """
        item = self._items.get(take.id)
        if item is None or item.recording is not None or take.state not in {"finished", "failed"} or not take.bytes:
            return
        take.wait_until_safe()
        self._keep(item, take)
        if item.recording is None and not take.kept:
            raise take.error or recording_error(f"{take.name} could not be read back; it stays where it is.")

    def _keep(self, item: Item, take: ActiveRecording) -> None:
        try:
            recording = take.keep_copy(self._folder)
        except OSError as error:
            what = f"{take.name} can't be kept in {self._folder}, and stays in the spool"
            raise file_failure(what, error) from error
        if recording is not None:
            item.recording = recording
            item.name = recording.path.name
            self._kept(recording)

    def _ended(self, item: Item, reason: str | None) -> None:
        if item.recording is None:
            error = item.take.error if item.take else None
            why = reason or (str(error) if error else "It was freed before it was finished.")
            item.failed = without_places(why, self._folder)
            if item.take and not item.take.bytes:
                # It never began.
                self._items.pop(item.id, None)
            item.take = None
            failed = [one.id for one in self._items.values() if one.failed]
            for old in failed[:-_MOST_FAILED]:
                del self._items[old]
        self._tell()

    def _tell(self) -> None:
        telling = asyncio.ensure_future(self._changed(self.listed()))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    # ---- what the page asks for -------------------------------------------------------------------------------------

    async def _give_address(self, request: web.Request) -> web.Response:
        """Answer with where the film can be fetched for a while, and the report, where there is one."""
        item, recording = self._asked(request)
        report = item.verdict.page if item.verdict else None
        film, beside = self._downloads.watch(recording.path, recording.mime_type, report, WATCHED_WITHIN)
        return web.json_response({"url": film, "name": item.name, "report": beside})

    async def _give_verdict(self, request: web.Request) -> web.Response:
        """Answer with the report, once the judge has come to it; whoever asks meanwhile waits for the same."""
        item, recording = self._asked(request)
        if item.judging is None or (item.judging.done() and item.verdict is None):
            item.judging = asyncio.ensure_future(self._judged(recording.path))
            item.judging.add_done_callback(lambda _: self._tell())
            self._forget_reports()
            self._tell()
        judging = item.judging
        try:
            # Whoever goes away does not take the verdict from the others.
            verdict = await asyncio.shield(judging)
        except (HarnessError, OSError) as error:
            raise web.HTTPConflict(text=f"{without_places(str(error), self._folder)}\n") from error
        except asyncio.CancelledError:
            if not judging.cancelled():
                raise
            # It was deleted meanwhile.
            raise _unknown() from None
        return web.json_response(verdict.as_message())

    def _forget_reports(self) -> None:
        """Keep the newest reports; another verdict can be asked for."""
        judged = [item for item in self._items.values() if item.verdict]
        for item in judged[:-_MOST_REPORTS]:
            item.judging = None

    async def _judged(self, path: Path) -> Verdict:
        async with self._turn:
            return await _apart(lambda: self._judge(path))

    async def _delete(self, request: web.Request) -> web.Response:
        """Delete the recording with all that belongs to it, also what its page could still download."""
        item = self._item(request, "recorder")
        if item.recording is None and not item.failed:
            raise web.HTTPConflict(text="It is still being recorded; stop it first.\n")
        if item.recording is not None:
            try:
                for path in item.recording.files:
                    await asyncio.to_thread(path.unlink, missing_ok=True)
            except OSError as error:
                raise web.HTTPConflict(text=f"It can't be deleted: {error.strerror}.\n") from error
            self._downloads.revoke(item.recording.path)
            _log.info("%s was deleted from the page.", item.recording.path)
            if item.take is not None:
                await asyncio.to_thread(item.take.clean)
        self._items.pop(item.id, None)
        if item.judging is not None:
            item.judging.cancel()
        self._tell()
        return web.Response(status=204)

    def _asked(self, request: web.Request) -> tuple[Item, Recording]:
        """Return what is asked about and is kept, and still there."""
        item = self._item(request, "recorder", "viewer")
        if item.recording is None:
            raise _unknown()
        if not _is_plain(item.recording.path):
            raise web.HTTPNotFound(text="The file is not in the recordings folder any more.\n")
        return item, item.recording

    def _item(self, request: web.Request, *roles: Role) -> Item:
        """Return what is asked about by who has one of the roles; others learn nothing, not even what there is."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        grant = self._admission.redeem(token, *roles) if scheme == "Bearer" else None
        if grant is None or grant.room != self.room:
            raise web.HTTPForbidden(text="Not admitted: join the room first.\n")
        item = self._items.get(request.match_info["id"])
        if item is None:
            raise _unknown()
        return item


def _is_plain(path: Path) -> bool:
    """Tell whether a film itself lies there, and no link to something else."""
    return path.is_file() and not path.is_symlink()


def _unknown() -> web.HTTPNotFound:
    return web.HTTPNotFound(text="There is no such recording, or not any more.\n")


async def _apart(judge: Callable[[], Verdict]) -> Verdict:
    """Ask the judge in a thread that a program which ends does not wait for."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Verdict] = loop.create_future()

    def tell(set_it: Callable[[], None]) -> None:
        # Nobody may be there any more to be told.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if answer.done() else set_it())

    def ask() -> None:
        try:
            verdict = judge()
        except Exception as error:  # noqa: BLE001 - it is whoever asked who hears of it
            failure = error
            tell(lambda: answer.set_exception(failure))
        else:
            tell(lambda: answer.set_result(verdict))

    threading.Thread(target=ask, name="judge", daemon=True).start()
    return await answer
