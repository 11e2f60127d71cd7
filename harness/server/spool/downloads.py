"""Downloads: finished files at random addresses that are good for a while."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from aiohttp.abc import AbstractStreamWriter

    from harness.server.spool.active_recording import ActiveRecording


# A report is one page with its styles and its one script inside, which a name in it can't be, since it does not know
# the nonce; it fetches nothing but the film beside it.
_REPORT_RULES: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; img-src data:; media-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Page:
    """A report as a page; ``nonce`` is what its own script carries."""

    html: str
    nonce: str


@dataclass(frozen=True)
class _Address:
    path: Path
    name: str
    mime_type: str
    until: float
    # Set for a download: whose it is, and who hears of its last byte.
    take: ActiveRecording | None = None
    sent: Callable[[int], Awaitable[None]] | None = None
    # The report that lies beside the film.
    report: Page | None = None
    # Whether pages of any origin may read it.
    shared: bool = False


class Downloads:
    """Gives addresses out, and serves what is there; ``clock`` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._addresses: dict[str, _Address] = {}

    def address(self, take: ActiveRecording, sent: Callable[[int], Awaitable[None]]) -> str:
        """Return where the finished file can be fetched for a minute; ``sent`` hears of its last byte.

        Raises RecordingError when there is no finished file.
        """
        if take.state != "finished":
            why = f": {take.error}" if take.error else "."
            message = f"The recording {take.id} can't be downloaded; it is {take.state}{why}"
            raise spool_error(message)
        until = self._clock() + DOWNLOAD_WITHIN
        address = _Address(take.path, take.name, take.facts.mime_type, until, take, sent)
        key = self._issue(address, again=lambda one: one.take is take and one.name == take.name)
        return f"/recordings/{key}/{quote(take.name)}"

    def watch(self, path: Path, mime_type: str, report: Page | None, seconds: float) -> tuple[str, str | None]:
        """Return where a film can be watched for so long, and its report beside it, if there is one."""
        # A name from elsewhere need not be text.
        asked = _Address(path, printable(path.name), mime_type, self._clock() + seconds, report=report)
        folder = f"/recordings/{self._issue(asked, again=lambda one: replace(one, until=asked.until) == asked)}"
        return f"{folder}/{quote(asked.name)}", f"{folder}/report.html" if report is not None else None

    def share(self, path: Path) -> str:
        """Return where pages of any origin can play a film, as long as the server runs."""
        address = _Address(path, path.name, "application/octet-stream", math.inf, shared=True)
        return f"/films/{self._issue(address)}/{quote(path.name)}"

    def revoke(self, path: Path) -> None:
        """Withdraw every address of a file that is gone: another may come by its name."""
        self._addresses = {key: address for key, address in self._addresses.items() if address.path != path}

    def take_at(self, key: str) -> ActiveRecording | None:
        """Return the recording that an address names."""
        address = self._addresses.get(key)
        return address.take if address else None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a file; what is unknown, too old or gone looks the same."""
        address = self._addresses.get(request.match_info["key"])
        if address is None or address.shared or address.until <= self._clock():
            raise _nothing()
        name, path = request.match_info["name"], address.path
        if not path.is_file() or (address.take and address.take.state != "finished"):
            raise _nothing()
        if address.report is not None and name == "report.html":
            rules = {"Content-Security-Policy": _REPORT_RULES.format(nonce=address.report.nonce)}
            return web.Response(text=address.report.html, content_type="text/html", headers=rules)
        if name != address.name:
            raise _nothing()
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
            "Content-Type": _kind(address.mime_type),
        }
        return _Sent(path, headers=headers, sent=address.sent)

    async def play(self, request: web.Request) -> web.StreamResponse:
        """Serve a film that is shared."""
        address = self._addresses.get(request.match_info["key"])
        if address is None or not address.shared or request.match_info["name"] != address.name:
            raise _nothing()
        if not address.path.is_file():
            raise _nothing()
        return web.FileResponse(
            address.path,
            headers={"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"},
        )

    def _issue(self, address: _Address, *, again: Callable[[_Address], bool] = lambda _: False) -> str:
        """Return a key for an address; who asks ``again`` goes on with the one they have, for as long again."""
        now = self._clock()
        self._addresses = {key: one for key, one in self._addresses.items() if one.until > now}
        known = (key for key, one in self._addresses.items() if again(one))
        key = next(known, None) or secrets.token_urlsafe(24)
        self._addresses[key] = address
        return key


def _kind(mime_type: str) -> str:
    """Return as what a film is sent: a manifest from elsewhere could call it a page."""
    kind = mime_type.split(";", maxsplit=1)[0]
    return kind if kind.startswith(("video/", "audio/")) else "application/octet-stream"


def _nothing() -> web.HTTPNotFound:
    return web.HTTPNotFound(text="There is nothing here, or not any more.\n")


class _Sent(web.FileResponse):
    """A file that tells, if anybody wants to hear it, when its last byte is sent."""

    def __init__(self, path: Path, *, headers: dict[str, str], sent: Callable[[int], Awaitable[None]] | None) -> None:
        super().__init__(path, headers=headers)
        self._tell = sent

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        writer = await super().prepare(request)
        # Who asks for the head or for a part has not got the file.
        if self._tell and request.method == "GET" and self.status == HTTPStatus.OK:
            await self._tell(self.content_length or 0)
        return writer
