"""Downloads: finished files at random addresses that are good for a minute."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from harness.errors import RecordingError
from harness.server.admission import DOWNLOAD_WITHIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from aiohttp.abc import AbstractStreamWriter

    from harness.server.spool import Take


@dataclass(frozen=True)
class _Address:
    take: Take
    until: float
    sent: Callable[[int], Awaitable[None]]


class Downloads:
    """Gives addresses out, and serves what is there."""

    def __init__(self) -> None:
        self._addresses: dict[str, _Address] = {}

    def address(self, take: Take, sent: Callable[[int], Awaitable[None]]) -> str:
        """Return where the finished file can be fetched for a minute; ``sent`` hears of its last byte.

        Raises RecordingError when there is no finished file.
        """
        if take.state != "finished":
            message = f"The recording {take.id} can't be downloaded; it is {take.state}."
            raise RecordingError(message, code=10452)
        now = time.monotonic()
        self._addresses = {key: address for key, address in self._addresses.items() if address.until > now}
        key = secrets.token_urlsafe(24)
        self._addresses[key] = _Address(take, now + DOWNLOAD_WITHIN, sent)
        return f"/recordings/{key}/{quote(take.path.name)}"

    def take_at(self, key: str) -> Take | None:
        """Return the recording that an address names."""
        address = self._addresses.get(key)
        return address.take if address else None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a file; what is unknown, too old or cleaned looks the same."""
        address = self._addresses.get(request.match_info["key"])
        if address is None or address.until <= time.monotonic() or address.take.state != "finished":
            raise web.HTTPNotFound(text="There is nothing here, or not any more.\n")
        path = address.take.path
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(path.name)}",
            "Content-Type": address.take.facts.mime_type.split(";")[0],
        }
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
