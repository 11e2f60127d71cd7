"""Serve the applications like a staging server: untrusted certificate, HTTP authentication and a required header."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from aiohttp import web

from tests.support.servers.application_site import Site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

USER, PASSWORD = "tester", "a:secret"
HEADER = "X-Test-Run"


class GuardedSite(Site):
    """The applications' site, which requires a login and, if ``header`` is not None, the header X-Test-Run.

    Chrome connects to this machine, but the host name in ``url`` is not localhost. Chrome therefore rejects the site's
    certificate unless an option allows it. ``logins`` contains the values of the cookie ``login`` in the requests for
    pages.
    """

    def __init__(self, *, header: str | None = None) -> None:
        super().__init__()
        self._host = "staging.localhost"
        self._header = header
        self.logins: set[str | None] = set()

    def build(self) -> web.Application:
        """Return the web application that serves the applications and requires the login."""
        app = super().build()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return web.Response(status=401, text="Log in.", headers={"WWW-Authenticate": 'Basic realm="staging"'})
        if self._header is not None and request.headers.get(HEADER) != self._header:
            return web.Response(status=403, text="The header is missing.")
        if request.path.endswith(".html"):
            self.logins.add(request.cookies.get("login"))
        return await handler(request)
