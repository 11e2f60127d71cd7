"""ServerLimits: how much one server accepts, and the rates that count against it."""

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
# A layout has a tile for each participant.
MAX_TILES: Final = 64
# A timeline has names of up to 200 characters, aiohttp drops a connection at 4 MiB, and recovery and verification read
# up to a gigabyte of each file next to a recording.
_MAXIMA: Final = {
    "participants": MAX_TILES,
    "name": 200,
    "spool_message": 4 * 1024 * 1024 - 1,
    "notes_bytes": 1_000_000_000,
}
# A silent client may send more at once later: a page that reconnects repeats the messages that were not acknowledged.
_SAVED_UP: Final = 20
# Possessive, and it matches from any quote on: it reads each character once, whether or not a string is closed.
_STRINGS: Final = re.compile(r'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
_NO_BRACKETS: Final = re.compile(r"[^\[\]{}]+")


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """How much one server accepts. Sizes are in bytes, times in seconds.

    - ``signal_message``, ``spool_message``: the largest message on each socket. aiohttp drops a connection at 4 MiB; a
      chunk of 250 ms at 50 Mbit/s is 1.6 MB.
    - ``json_depth``: how deep a message may be nested.
    - ``messages``: messages per second on a connection, and twenty times as many at once. A page that records sends
      one for each of the others, and a few more.
    - ``pings``: pings and pongs of WebSocket per second on a connection, and twenty times as many at once. They do not
      count as messages: a connection that sends only pings is silent.
    - ``connections``: sockets from one address; of IPv6, from one network of 64 bits.
    - ``request_within``: the time until a new connection has sent a whole request.
    - ``rooms``, ``participants`` (of a room), ``viewers`` (of all rooms), ``recordings`` (made in a room at one time),
      ``name`` (characters).
    - ``recording_bytes``: the largest recording; it ends there, with a file. ``notes_bytes`` is the largest log of
      ticks and events, where the recording ends as well, and the largest statistics, where later ones are dropped.
    - ``recordings_each``: recordings that a participant makes at one time. A page makes one; another may begin before
      the first has ended, and one whose connection was lost may come back.
    - ``unidentified``: connections that have not sent hello, for each kind of socket; more wait for their turn.
    - ``joins``: participants per second who may join a room from one address, and twenty times as many at once.
    - ``wrong_codes``: wrong codes per second from one address, and twenty times as many at once; more are not checked.
    - ``unsent``: bytes that may wait for a member of a room who does not read them.
    - ``hello_within``: the time until a new connection has sent hello.
    - ``begins``: recordings per second that a participant may begin, and twenty times as many at once. Each time, all
      members of the room are sent the list of recordings.
    - ``begins_within``: the time until an announced recording has its first byte, or its recorder is started.
    - ``idle``: the time that a member of a room, or a recording in progress, may be silent. Pages ping every five
      seconds, and once a minute in the background.
    - ``comes_back``: the time that a member whose connection was lost stays in the room.
    """

    signal_message: int = 64 * 1024
    spool_message: int = 4 * 1024 * 1024 - 1
    json_depth: int = 16
    messages: int = 200
    pings: int = 10
    connections: int = 512
    request_within: float = 5.0
    rooms: int = 64
    participants: int = 64
    viewers: int = 64
    recordings: int = 64
    recordings_each: int = 3
    recording_bytes: int = 100_000_000_000
    notes_bytes: int = 1_000_000_000
    unidentified: int = 12
    wrong_codes: float = 1.0
    joins: float = 5.0
    begins: float = 5.0
    unsent: int = 2_000_000
    name: int = 64
    hello_within: float = 10.0
    begins_within: float = 60.0
    idle: float = 150.0
    comes_back: float = 10.0

    @classmethod
    def parse(cls, given: Iterable[str]) -> Self:
        """Return limits from ``NAME=NUMBER``; a number may end in k, M or G, and a name may have dashes.

        Raises ConfigError for an unknown name and an invalid number.
        """
        whole = {one.name: one.type == "int" for one in fields(cls)}
        values: dict[str, Any] = {}
        for one in given:
            name, _, number = one.partition("=")
            name = name.strip().replace("-", "_")
            if name not in whole:
                known = ", ".join(known.replace("_", "-") for known in whole)
                message = f"--limit: {name!r} is not a limit; choose from {known}."
                raise ConfigError(message)
            match = _NUMBER.fullmatch(number.strip())
            value = float(match[1]) * _SUFFIXES[match[2]] if match else 0.0
            if not 0 < value <= _LARGEST or (whole[name] and value != int(value)):
                wanted = "a whole number" if whole[name] else "a number"
                span = f"above 0 and up to {_LARGEST / _SUFFIXES['G']:.0f}G"
                message = (
                    f"--limit: {name.replace('_', '-')} must be {wanted} {span}, for example 10 or 2G, not {number!r}."
                )
                raise ConfigError(message)
            if value > _MAXIMA.get(name, value):
                message = f"--limit: {name.replace('_', '-')} must be at most {_MAXIMA[name]}, not {number}."
                raise ConfigError(message)
            values[name] = int(value) if whole[name] else value
        return cls(**values)


class Rate:
    """Allows a number of things per second, and after a silence up to twenty times as many at once.

    ``clock`` is in seconds.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._available = per_second * _SAVED_UP
        self._at = clock()

    def accept(self) -> bool:
        """Count one more, and return whether it is within the rate."""
        if not self.can_accept:
            return False
        self._available -= 1
        return True

    @property
    def can_accept(self) -> bool:
        """Whether one more is within the rate."""
        now = self._clock()
        self._available = min(self._per_second * _SAVED_UP, self._available + (now - self._at) * self._per_second)
        self._at = now
        return self._available >= 1

    @property
    def is_unused(self) -> bool:
        """Whether nothing counts against the rate any more."""
        return self.can_accept and self._available >= self._per_second * _SAVED_UP


class Rates:
    """Applies one rate to each of many clients; a client that was silent for long is forgotten."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._rates: dict[tuple[str, str], Rate] = {}

    def accept(self, key: tuple[str, str]) -> bool:
        """Count one more of a client, and return whether it is within the rate."""
        self._rates = {known: rate for known, rate in self._rates.items() if not rate.is_unused}
        return self._rates.setdefault(key, Rate(self._per_second)).accept()


def is_too_deep(text: str, depth: int) -> bool:
    """Return whether JSON is nested deeper than this, without parsing it."""
    if text.count("[") + text.count("{") <= depth:
        return False
    now = 0
    for bracket in _NO_BRACKETS.sub("", _STRINGS.sub("", text)):
        now += 1 if bracket in "[{" else -1
        if now > depth:
            return True
    return False
