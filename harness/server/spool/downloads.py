"""Downloads serves finished files at random URLs that expire."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aiohttp import web

from harness.errors import spool_error
from harness.recording.files.text import printable
from harness.server.access.tokens import DOWNLOAD_WITHIN
from harness.server.spool.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.server.spool.active_recording import ActiveRecording


# A report is a single page that contains its own styles and script. Names in the report can't inject scripts, because
# the nonce is secret. The page can load nothing except media from this server, for example its recording.
_REPORT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; img-src data:; media-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Size of each message, in bytes, when a file is sent over a WebSocket.
_PIECE: Final = 1_000_000


@dataclass(frozen=True)
class ReportPage:
    """A report as an HTML page; the content security policy allows the script that has ``nonce``."""

    html: str
    nonce: str


@dataclass(frozen=True)
class _Address:
    path: Path
    name: str
    mime_type: str
    valid_until: float
    # Set for downloads only: the recording, and the function to call when the last byte has been sent.
    active: ActiveRecording | None = None
    on_sent: Callable[[], None] | None = None
    # The latest download from this address.
    delivery: Delivery | None = None
    # The recording's report.
    report: ReportPage | None = None
    # Whether pages of any origin can read the file.
    shared: bool = False


class Downloads:
    """Issues random URLs and serves the files at them; ``clock`` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._addresses: dict[str, _Address] = {}

    def issue_download(self, active: ActiveRecording, on_sent: Callable[[], None]) -> str:
        """Expect a download of the finished file, and return the file's URL, which is valid for a minute.

        ``on_sent`` is called when the last byte has been sent. Raises RecordingError if the recording has no finished
        file.
        """
        if active.state != "finished":
            reason = f": {active.error}" if active.error else "."
            message = f"The recording {active.id} can't be downloaded; its state is {active.state!r}{reason}"
            raise spool_error(message)
        valid_until = self._clock() + DOWNLOAD_WITHIN
        delivery = Delivery(active.path.stat().st_size, etag=active.id)
        address = _Address(active.path, active.name, active.facts.mime_type, valid_until, active, on_sent, delivery)
        key = self._issue(address, is_same=lambda one: one.active is active and one.name == active.name)
        return f"/recordings/{key}/{quote(active.name)}"

    def issue_playback(
        self, path: Path, mime_type: str, report: ReportPage | None, seconds: float
    ) -> tuple[str, str | None]:
        """Return a recording's playback URL, which is valid for this many seconds, and the URL of its report."""
        # A file name can contain bytes that are not valid text.
        address = _Address(path, printable(path.name), mime_type, self._clock() + seconds, report=report)
        is_same = lambda one: replace(one, valid_until=address.valid_until) == address  # noqa: E731
        folder = f"/recordings/{self._issue(address, is_same=is_same)}"
        return f"{folder}/{quote(address.name)}", f"{folder}/report.html" if report is not None else None

    def share_video_file(self, path: Path) -> str:
        """Return the URL from which pages of any origin can play a video file while the server runs."""
        address = _Address(path, path.name, "application/octet-stream", math.inf, shared=True)
        return f"/video-files/{self._issue(address)}/{quote(path.name)}"

    def revoke(self, path: Path) -> None:
        """Revoke all URLs of a deleted file, because a new file may get the same name."""
        self._addresses = {key: address for key, address in self._addresses.items() if address.path != path}

    def recording_at(self, key: str) -> ActiveRecording | None:
        """Return the recording that the key in a URL belongs to."""
        address = self._addresses.get(key)
        return address.active if address else None

    def recording_with_id(self, recording_id: str) -> ActiveRecording | None:
        """Return the recording with this id if it can be downloaded, or could be until recently."""
        of_downloads = (one.active for one in self._addresses.values())
        return next((active for active in of_downloads if active and active.id == recording_id), None)

    def delivery_of(self, active: ActiveRecording) -> Delivery | None:
        """Return the latest download of a recording, or None if no download has been requested recently."""
        of_recording = [one for one in self._addresses.values() if one.active is active]
        return max(of_recording, key=lambda one: one.valid_until).delivery if of_recording else None

    async def handle_recording(self, request: web.Request) -> web.StreamResponse:
        """Serve a recording or its report; requests for unknown, expired and deleted URLs all get the same response."""
        address = self._addresses.get(request.match_info["key"])
        if address is None or address.shared or address.valid_until <= self._clock():
            raise _not_found()
        name, path = request.match_info["name"], address.path
        if not path.is_file() or (address.active and address.active.state != "finished"):
            raise _not_found()
        if address.report is not None and name == "report.html":
            policy = {"Content-Security-Policy": _REPORT_POLICY.format(nonce=address.report.nonce)}
            return web.Response(text=address.report.html, content_type="text/html", headers=policy)
        if name != address.name:
            raise _not_found()
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
            "Content-Type": _content_type(address.mime_type),
        }
        if address.delivery:
            # If a sandboxed frame opened the download window, Chrome rejects any response in that window whose opener
            # policy is not unsafe-none.
            headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
        response = await address.delivery.send(request, path, headers) if address.delivery else None
        if response is None:
            return web.FileResponse(path, headers=headers)
        # A client that requested only the rest of the file might not have the beginning.
        if address.on_sent and response.status == HTTPStatus.OK:
            address.on_sent()
        return response

    async def handle_video_file(self, request: web.Request) -> web.StreamResponse:
        """Serve a shared video file, over a WebSocket if the page asks for one."""
        address = self._addresses.get(request.match_info["key"])
        if address is None or not address.shared or request.match_info["name"] != address.name:
            raise _not_found()
        if not address.path.is_file():
            raise _not_found()
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _send_over_socket(request, address.path)
        return web.FileResponse(
            address.path,
            headers={"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"},
        )

    def _issue(self, address: _Address, *, is_same: Callable[[_Address], bool] = lambda _: False) -> str:
        """Return the key for a URL; if the same file already has a valid URL, reuse its key and extend its validity."""
        now = self._clock()
        self._addresses = {key: one for key, one in self._addresses.items() if one.valid_until > now}
        known = (key for key, one in self._addresses.items() if is_same(one))
        key = next(known, None) or secrets.token_urlsafe(24)
        self._addresses[key] = address
        return key


async def _send_over_socket(request: web.Request, path: Path) -> web.WebSocketResponse:
    """Send a file in pieces, and close the socket after the last piece.

    Attached pages use a WebSocket if a test's routes, a service worker or extra headers stop their requests, because
    none of these affect WebSockets.
    """
    socket = web.WebSocketResponse(max_msg_size=1)
    await socket.prepare(request)
    with path.open("rb") as file:
        while data := await asyncio.to_thread(file.read, _PIECE):
            await socket.send_bytes(data)
    await socket.close()
    return socket


def _content_type(mime_type: str) -> str:
    """Return a safe media type, because a manifest from another machine could claim that its file is an HTML page."""
    content_type = mime_type.split(";", maxsplit=1)[0]
    return content_type if content_type.startswith(("video/", "audio/")) else "application/octet-stream"


def _not_found() -> web.HTTPNotFound:
    return web.HTTPNotFound(text="There is nothing at this URL, or the URL has expired.\n")
