"""Web servers for tests; each runs aiohttp in its own thread with its own event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from types import TracebackType
    from typing import Self


class Served:
    """A server that runs on loopback while its context is active; subclasses override ``build``."""

    def __init__(self, *, host: str = "127.0.0.1", certificate: ssl.SSLContext | None = None) -> None:
        self._host = host
        self._certificate = certificate
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="served", daemon=True)
        self._runner: web.AppRunner
        self.url = ""

    def build(self) -> web.Application:
        """Return the web application to serve."""
        return web.Application()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._runner = web.AppRunner(self.build(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._certificate).start()
        scheme = "https" if self._certificate else "http"
        self.url = f"{scheme}://{self._host}:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        await self._runner.cleanup()
