"""Define a room's venue: the browsers in which its pages are opened, and the routes for its media."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from harness.errors import ConfigError

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from typing import Self

    from harness.server.rooms.routes import Routes


@dataclass(frozen=True, kw_only=True)
class Venue:
    """A room's browsers and the media routes between them; the fields are documented in ``VenueOptions``.

    Raises ConfigError if ``connect`` is not a list of addresses.
    """

    executable: str | os.PathLike[str] | None = None
    headed: bool = False
    connect: Sequence[str] = ()
    routes: Routes | None = None

    def __post_init__(self) -> None:
        # A string is also a sequence of strings, so without this check, each character would be treated as an address.
        if isinstance(self.connect, str) or not all(self.connect):
            message = (
                f"connect: {self.connect!r} is not valid; give a list of addresses, for example ['ws://HOST:PORT']."
            )
            raise ConfigError(message)
        object.__setattr__(self, "connect", tuple(self.connect))

    @property
    def is_local(self) -> bool:
        """Whether all browsers run on this machine and exchange their media directly."""
        return not self.connect and not (self.routes and (self.routes.sfu or self.routes.ice_servers))

    def starting_at(self, turn: int) -> Self:
        """Return a copy whose list of browsers is rotated by ``turn``, so that a batch's rooms are spread evenly."""
        first = turn % max(1, len(self.connect))
        return replace(self, connect=(*self.connect[first:], *self.connect[:first]))


class VenueOptions(TypedDict, total=False):
    """The fields of ``Venue`` as keyword arguments, each of which may be omitted."""

    executable: str | os.PathLike[str] | None
    """Path of the Chrome to use. If ``connect`` is set, this is a path on the remote browser's machine. By default, the
    harness searches for an installed Chrome."""
    headed: bool
    """Whether to show the browser windows. The default is False."""
    connect: Sequence[str]
    """Addresses of remote browsers started with ``playwright run-server``, for example ``["ws://HOST:PORT"]``.
    Participants are distributed over the listed browsers. By default, a Chrome is started on this machine."""
    routes: Routes | None
    """SFU, STUN and TURN servers for the media. By default, media is sent directly from page to page."""
