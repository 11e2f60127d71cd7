"""LibraryRoutes answers pages' requests for recordings in the library.

Room members and viewers receive the list of recordings; files and reports are served at random URLs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from harness.errors import HarnessError
from harness.server.library.library import is_plain_file
from harness.server.private_paths import without_folders

if TYPE_CHECKING:
    from harness.recording.recording import Recording
    from harness.server.access.tokens import Admission, Role
    from harness.server.library.item import Item
    from harness.server.library.library import Library
    from harness.server.spool.downloads import Downloads

# How long the URLs of a recording and its report are valid, in seconds.
PLAYABLE_FOR: Final = 3600.0


class LibraryRoutes:
    """Answers requests below ``/library``."""

    def __init__(self, library: Library, admission: Admission, downloads: Downloads) -> None:
        self._library = library
        self._admission = admission
        self._downloads = downloads

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the web application."""
        return [
            web.post("/library/{id}/address", self._issue_address),
            web.post("/library/{id}/verify", self._verify),
            web.delete("/library/{id}", self._delete),
        ]

    async def _issue_address(self, request: web.Request) -> web.Response:
        """Send the URL of the recording and, if a report exists, the URL of the report."""
        item, recording = self._published(request)
        report = item.summary.page if item.summary else None
        url, report_url = self._downloads.issue_playback(recording.path, recording.mime_type, report, PLAYABLE_FOR)
        return web.json_response({"url": url, "name": item.name, "report": report_url})

    async def _verify(self, request: web.Request) -> web.Response:
        """Verify the recording and send the summary of its report; concurrent requests share one verification."""
        item, recording = self._published(request)
        verification = self._library.verify(item, recording)
        try:
            # A cancelled request must not cancel the verification, which other requests may be waiting for.
            summary = await asyncio.shield(verification)
        except (HarnessError, OSError) as error:
            raise web.HTTPConflict(text=f"{without_folders(str(error), self._library.folder)}\n") from error
        except asyncio.CancelledError:
            if not verification.cancelled():
                raise
            # The recording was deleted while it was being verified.
            raise _unknown() from None
        return web.json_response(summary.as_message())

    async def _delete(self, request: web.Request) -> web.Response:
        """Delete the recording with all its files, and revoke its URLs."""
        item = self._item(request, "recorder")
        if item.state == "recording":
            raise web.HTTPConflict(text="The recording is still running; stop it first.\n")
        try:
            await self._library.delete_files(item)
        except OSError as error:
            raise web.HTTPConflict(text=f"The recording can't be deleted: {error.strerror}.\n") from error
        if item.recording is not None:
            self._downloads.revoke(item.recording.path)
        await self._library.remove(item)
        return web.Response(status=204)

    def _published(self, request: web.Request) -> tuple[Item, Recording]:
        """Return the requested item if it is published and its file still exists."""
        item = self._item(request, "recorder", "viewer")
        if item.recording is None:
            raise _unknown()
        if not is_plain_file(item.recording.path):
            raise web.HTTPNotFound(text="The file is no longer in the recordings folder.\n")
        return item, item.recording

    def _item(self, request: web.Request, *roles: Role) -> Item:
        """Return the requested item if the page has one of the roles; hide from other pages whether the item exists."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        token = self._admission.redeem(secret, *roles) if scheme == "Bearer" else None
        if token is None or token.room != self._library.room:
            raise web.HTTPForbidden(text="Not admitted: join the room first.\n")
        item = self._library.get(request.match_info["id"])
        if item is None:
            raise _unknown()
        return item


def _unknown() -> web.HTTPNotFound:
    return web.HTTPNotFound(text="This recording does not exist, or it has been deleted.\n")
