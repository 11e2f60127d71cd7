"""Delivery sends a file to a client, and tracks how much of it the client has downloaded."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

from aiohttp import web

from harness.recording.files.disk import megabytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Maximum time until the client requests the file, in seconds.
BEGINS_WITHIN: Final = 5.0
# Maximum time that the client may take to accept more bytes, in seconds.
_CONTINUES_WITHIN: Final = 10.0
# Maximum time until the client requests the rest of the file after a lost connection, in seconds. Chrome requests the
# rest at once.
_RESUMES_WITHIN: Final = 2.0
# Number of bytes that are sent at a time.
_PIECE: Final = 1 << 20


class Delivery:
    """The delivery of one file to a client; used only in the server's thread.

    ``size`` is the file's size in bytes, and ``etag`` identifies its content in HTTP.
    """

    def __init__(self, size: int, etag: str) -> None:
        self._size = size
        self._etag = etag
        self._sent = 0
        self._state: Literal["expected", "running", "interrupted", "complete"] = "expected"
        self._changed = asyncio.Event()

    async def failure(self) -> str | None:
        """Wait until the last byte has been sent, and return None; if the download stalls, return the reason."""
        limits = {"expected": BEGINS_WITHIN, "running": _CONTINUES_WITHIN, "interrupted": _RESUMES_WITHIN}
        while self._state != "complete":
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), limits[self._state])
            except TimeoutError:
                return self._reason()
        return None

    def _reason(self) -> str:
        if self._state == "expected":
            return f"the browser did not request the file within {BEGINS_WITHIN:g} s"
        part = f"{megabytes(self._sent)} of {megabytes(self._size)}"
        if self._state == "interrupted":
            return f"the browser closed the connection after {part}"
        return f"the browser accepted no data for {_CONTINUES_WITHIN:g} s after {part}"

    async def send(self, request: web.Request, path: Path, headers: Mapping[str, str]) -> web.StreamResponse | None:
        """Send the file, or the rest of a file whose beginning was sent earlier, and track the progress.

        Returns None without sending anything if the client requests anything else, for example only the headers.
        """
        start = _start_of(request)
        if start is None or start > self._sent or start >= self._size > 0:
            return None
        # FileResponse would hand the file over to the operating system, which does not report any progress.
        response = web.StreamResponse(headers={**headers, "Accept-Ranges": "bytes"})
        # Chrome resumes an interrupted download only if the response has a validator.
        response.etag = self._etag
        response.content_length = self._size - start
        if start:
            response.set_status(HTTPStatus.PARTIAL_CONTENT)
            response.headers["Content-Range"] = f"bytes {start}-{self._size - 1}/{self._size}"
        self._sent = start
        self._change("running")
        try:
            await response.prepare(request)
            with path.open("rb") as file:
                file.seek(start)
                while piece := await asyncio.to_thread(file.read, _PIECE):
                    await response.write(piece)
                    self._sent += len(piece)
                    self._change("running")
            await response.write_eof()
        except BaseException:
            self._change("interrupted")
            raise
        self._change("complete")
        return response

    def _change(self, state: Literal["running", "interrupted", "complete"]) -> None:
        if self._state != "complete":
            self._state = state
        self._changed.set()


def _start_of(request: web.Request) -> int | None:
    """Return the first byte's position if the request covers the file from there to its end, otherwise None."""
    try:
        requested = request.http_range
    except ValueError:
        return None
    start = requested.start or 0
    return start if request.method == "GET" and requested.stop is None and start >= 0 else None
