"""ServeOptions specifies where and how a RoomServer listens, and validates its own values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError
from harness.server.access.limits import ServerLimits
from harness.server.access.network import LOOPBACK, PORTS, names_of, normal_origin, parse_host
from harness.server.access.tokens import LONGEST_CODE

if TYPE_CHECKING:
    from ssl import SSLContext

    from harness.server.rooms.routes import Routes

_LARGEST_PORT: Final = 65_535
_SHORTEST_CODE: Final = 8


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Where and how a RoomServer listens.

    Raises ConfigError for a host or an origin that no browser could open, and for codes that are too short or too long,
    or that would have no effect. The error messages name the options of ``harness serve``.
    """

    host: str = LOOPBACK
    """The host name or IP address to listen on."""
    port: int = 0
    """The port to listen on; 0 selects a free port."""
    tls: SSLContext | None = None
    """The TLS context; the server uses https if a context is given."""
    origins: tuple[str, ...] = ()
    """Additional addresses at which browsers reach the server, for example a proxy's (``https://rooms.example``)."""
    public_room: str | None = None
    """The name of a room that participants join without a token, but with ``join_code`` if one is set."""
    join_code: str | None = None
    """The code for joining the public room, or None if no code is needed."""
    view_code: str | None = None
    """A code that gives access to the public room's recordings, but not to the room."""
    limits: ServerLimits = field(default_factory=ServerLimits)
    """The limits on what the server accepts."""
    routes: Routes | None = None
    """The SFU and the TURN servers for the media. By default, media is sent directly from page to page."""
    local_browsers: bool = True
    """Whether the room's pages, except those of a public room, run in browsers on this machine."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", parse_host(self.host))
        object.__setattr__(self, "origins", tuple(_parse_origin(origin) for origin in self.origins))
        if not 0 <= self.port <= _LARGEST_PORT:
            message = f"--port: {self.port} is not a port; use a number from 1 to {_LARGEST_PORT}, or 0 for a free one."
            raise ConfigError(message)
        self._check_codes()

    def urls(self, port: int) -> list[str]:
        """Return all URLs of the page on a port: the server's own addresses, then the origins."""
        scheme = "https" if self.tls else "http"
        # Browsers omit the default port in the Host and Origin headers.
        suffix = "" if port == PORTS[scheme] else f":{port}"
        return [*(f"{scheme}://{name}{suffix}" for name in names_of(self.host)), *self.origins]

    def _check_codes(self) -> None:
        """Raise ConfigError for codes that are too easy to guess, can't be typed, or would have no effect."""
        for option, code in (("--code", self.join_code), ("--view-code", self.view_code)):
            if code is not None and len(code) < _SHORTEST_CODE:
                message = (
                    f"{option}: a code of {len(code)} characters is too easy to guess; use {_SHORTEST_CODE} or more."
                )
                raise ConfigError(message)
            if code is not None and (len(code) > LONGEST_CODE or not code.isprintable()):
                message = (
                    f"{option}: invalid code; use at most {LONGEST_CODE} letters, digits and symbols that can be typed "
                    "on a keyboard."
                )
                raise ConfigError(message)
        if self.view_code is None:
            return
        if self.join_code is None:
            message = "--view-code: without --code, everybody can join and see the recordings; also set --code."
            raise ConfigError(message)
        if self.view_code.upper() == self.join_code.upper():
            message = "--view-code: this is the join code, which shows the recordings anyway; omit it or change it."
            raise ConfigError(message)


def _parse_origin(text: str) -> str:
    """Return an origin as browsers send it: in lower case, and without the default port of its scheme."""
    if "@" in text:
        message = "--origin: browsers send no name and password before an '@'; leave them out."
        raise ConfigError(message)
    origin = normal_origin(text.removesuffix("/"))
    if origin is None:
        message = f"--origin: {text!r} is not the address of a server, for example https://rooms.example.com."
        raise ConfigError(message)
    return origin
