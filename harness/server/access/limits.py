"""ServerLimits defines the limits of one server, and Rates applies a rate limit to each client."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from harness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

_SUFFIXES: Final = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_LARGEST: Final = 1e15
_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)")
# Maximum number of tiles in a layout, which has one tile for each participant.
MAX_TILES: Final = 64
# The highest values that users can set for some of the limits. A layout has at most MAX_TILES tiles, and a timeline
# allows names of up to 200 characters. If a message exceeds 4 MiB, aiohttp drops the connection. Recovery and
# verification read at most a gigabyte of each file that belongs to a recording.
_MAXIMA: Final = {
    "participants": MAX_TILES,
    "name": 200,
    "spool_message": 4 * 1024 * 1024 - 1,
    "notes_bytes": 1_000_000_000,
}
# Maximum size of a burst of messages, as a multiple of the rate per second. Bursts are normal: a page that reconnects
# sends all its unacknowledged messages at once.
_SAVED_UP: Final = 20
# With possessive quantifiers, each character is read only once, even if a string is never closed.
_STRINGS: Final = re.compile(r'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
_NO_BRACKETS: Final = re.compile(r"[^\[\]{}]+")


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """The limits of one server."""

    signal_message: int = 64 * 1024
    """The maximum size of a message on ``/signal``, in bytes."""
    spool_message: int = 4 * 1024 * 1024 - 1
    """The maximum size of a message on ``/spool``, in bytes.

    aiohttp drops a connection whose message exceeds 4 MiB, which is more than a 250 ms chunk at 50 Mbit/s (1.6 MB).
    """
    json_depth: int = 16
    """The maximum nesting depth of a JSON message."""
    messages: int = 200
    """The maximum number of messages per second on a connection, with bursts of up to twenty times as many.

    A page that is recording sends one message per second for each remote participant, and a few further messages.
    """
    pings: int = 10
    """The maximum number of WebSocket pings and pongs per second, with bursts of up to twenty times as many.

    The limit applies to each connection. Pings do not count as messages, so a connection that sends only pings counts
    as silent.
    """
    connections: int = 512
    """The maximum number of WebSockets from one IPv4 address, or from one IPv6 /64 network."""
    request_within: float = 5.0
    """The time within which a new connection must send a complete request, in seconds."""
    rooms: int = 64
    """The maximum number of rooms."""
    participants: int = 64
    """The maximum number of participants in a room."""
    viewers: int = 64
    """The maximum number of viewers in all rooms together."""
    recordings: int = 64
    """The maximum number of recordings that can be in progress in a room."""
    recordings_each: int = 3
    """The maximum number of recordings that a participant can have in progress.

    A page makes only one recording at a time, but it can begin a recording before the server has ended the page's
    previous recording. A recording whose connection was lost also counts, because it can be resumed.
    """
    recording_bytes: int = 100_000_000_000
    """The maximum size of a recording in bytes; a recording that reaches this size is stopped and finished."""
    notes_bytes: int = 1_000_000_000
    """The maximum size of a recording's log of ticks and events, in bytes.

    A recording whose log reaches this size is stopped and finished. ``notes_bytes`` also limits the size of a
    recording's statistics; statistics beyond this size are dropped.
    """
    unidentified: int = 12
    """The maximum number of connections without ``hello`` that are read at a time; further connections wait.

    The limit applies to each kind of socket separately.
    """
    wrong_codes: float = 1.0
    """The maximum number of wrong codes per second from one address, with bursts of up to twenty times as many.

    Codes beyond this rate are refused without being checked.
    """
    joins: float = 5.0
    """The maximum number of joins to a room per second from one address, with bursts of up to twenty times as many."""
    begins: float = 5.0
    """The maximum number of recordings that a participant can start per second.

    Bursts of up to twenty times this number are accepted. The rate is limited because the server sends the list of
    recordings to all members of the room whenever a recording starts.
    """
    unsent: int = 2_000_000
    """The maximum number of bytes that are queued for a room member who does not read them."""
    name: int = 64
    """The maximum length of a name in characters."""
    hello_within: float = 10.0
    """The time within which a new connection must send ``hello``, in seconds."""
    begins_within: float = 60.0
    """The time within which an announced recording must begin, in seconds.

    A recording begins when the page sends the first byte or starts the recorder.
    """
    idle: float = 150.0
    """How long a room member, or a page that is recording, can be silent, in seconds.

    Pages ping every five seconds, or once a minute in the background.
    """
    comes_back: float = 10.0
    """How long a member stays in the room after losing the connection, in seconds."""

    @classmethod
    def parse(cls, given: Iterable[str]) -> Self:
        """Parse limits in the form ``NAME=NUMBER``; numbers can end in k, M or G, and names can be written with dashes.

        Raises ConfigError for an unknown name or an invalid number.
        """
        integers = {one.name: one.type == "int" for one in fields(cls)}
        values: dict[str, Any] = {}
        for one in given:
            name, _, number = one.partition("=")
            name = name.strip().replace("-", "_")
            if name not in integers:
                known = ", ".join(known.replace("_", "-") for known in integers)
                message = f"--limit: {name!r} is not a limit; choose from {known}."
                raise ConfigError(message)
            match = _NUMBER.fullmatch(number.strip())
            value = float(match[1]) * _SUFFIXES[match[2]] if match else 0.0
            if not 0 < value <= _LARGEST or (integers[name] and value != int(value)):
                wanted = "a whole number" if integers[name] else "a number"
                span = f"greater than 0 and at most {_LARGEST / _SUFFIXES['G']:.0f}G"
                message = (
                    f"--limit: {name.replace('_', '-')} must be {wanted} {span}, for example 10 or 2G, not {number!r}."
                )
                raise ConfigError(message)
            if value > _MAXIMA.get(name, value):
                message = f"--limit: {name.replace('_', '-')} must be at most {_MAXIMA[name]}, not {number}."
                raise ConfigError(message)
            values[name] = int(value) if integers[name] else value
        return cls(**values)


class Rate:
    """Limits the number of events per second, but accepts bursts of up to twenty times as many after a quiet period.

    ``clock`` is in seconds.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._available = per_second * _SAVED_UP
        self._at = clock()

    def accept(self) -> bool:
        """Count one more event, and return whether the event is within the rate limit."""
        if not self.can_accept:
            return False
        self._available -= 1
        return True

    @property
    def can_accept(self) -> bool:
        """Return whether one more event would stay within the rate limit."""
        now = self._clock()
        self._available = min(self._per_second * _SAVED_UP, self._available + (now - self._at) * self._per_second)
        self._at = now
        return self._available >= 1

    @property
    def is_unused(self) -> bool:
        """Whether a full burst would be accepted again."""
        return self.can_accept and self._available >= self._per_second * _SAVED_UP


class Rates:
    """Applies a rate limit to each client separately.

    A client's state is deleted once a full burst from the client would be accepted again.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._rates: dict[tuple[str, str], Rate] = {}

    def accept(self, key: tuple[str, str]) -> bool:
        """Count one more event from a client, and return whether the event is within the client's rate."""
        self._rates = {known: rate for known, rate in self._rates.items() if not rate.is_unused}
        return self._rates.setdefault(key, Rate(self._per_second)).accept()


def is_too_deep(text: str, depth: int) -> bool:
    """Return whether a JSON document is nested deeper than ``depth``, without parsing the document."""
    if text.count("[") + text.count("{") <= depth:
        return False
    now = 0
    for bracket in _NO_BRACKETS.sub("", _STRINGS.sub("", text)):
        now += 1 if bracket in "[{" else -1
        if now > depth:
            return True
    return False
