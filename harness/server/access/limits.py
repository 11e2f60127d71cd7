"""What one server bears, and what counts against it."""

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
MOST_TILES: Final = 64
# A timeline has names of 200 characters, aiohttp drops a connection at 4 MiB, and recovery and verification read a
# gigabyte of what stands beside a recording.
_MOST: Final = {
    "participants": MOST_TILES,
    "name": 200,
    "spool_message": 4 * 1024 * 1024 - 1,
    "notes_bytes": 1_000_000_000,
}
# Who says nothing for a while may say more at once: a page that comes back repeats what was not heard.
_SAVED_UP: Final = 20
# Possessive, and it matches from any quote on: it reads each character once, whether or not a string is closed.
_STRINGS: Final = re.compile(r'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
_NO_BRACKETS: Final = re.compile(r"[^\[\]{}]+")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one server bears. Sizes are in bytes, times in seconds.

    - ``signal_message``, ``spool_message``: the largest message on each socket. aiohttp drops a connection at 4 MiB; a
      chunk of 250 ms at 50 Mbit/s is 1.6 MB.
    - ``json_depth``: how deep a message may be nested.
    - ``messages``: how many a connection may say in a second, and twenty times as many at once; a page that records
      says one for each of the others, and a few.
    - ``pings``: how many pings and pongs of WebSocket a connection may send in a second, and twenty times as many at
      once; they are no messages, and whoever sends them alone has said nothing.
    - ``connections``: sockets from one address; of IPv6, from one network of 64 bits.
    - ``request_within``: how soon whoever connects has to send a whole request.
    - ``rooms``, ``participants`` (of a room), ``viewers`` (of all rooms), ``recordings`` (made in a room at one time),
      ``name`` (characters).
    - ``recording_bytes``: the largest recording; it ends there, with a file. ``notes_bytes`` is how large its log of
      ticks and events may be, past which it ends as well, and its statistics, past which they are dropped.
    - ``recordings_each``: recordings that a participant makes at one time. A page makes one; another may begin before
      the first has ended, and one whose connection was lost may come back.
    - ``strangers``: connections that have not said hello, of each kind of socket; more wait for their turn.
    - ``joins``: how many from one address may enter a room in a second, and twenty times as many at once.
    - ``wrong_codes``: how many from one address in a second, and twenty times as many at once; no code is taken then.
    - ``unsent``: bytes that wait for somebody in a room who does not take them.
    - ``hello_within``: how soon whoever connects has to say who they are.
    - ``begins``: how many recordings a participant may begin in a second, and twenty times as many at once; everybody
      in the room is sent the list of them each time.
    - ``begins_within``: how soon something has to be recorded, or the recorder be started, once a recording was
      announced.
    - ``idle``: how long somebody in a room, or a recording in progress, may say nothing; pages ping every five seconds,
      in the background once a minute.
    - ``comes_back``: how long somebody whose connection was lost stays in the room.
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
    strangers: int = 12
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
        """Return limits from ``NAME=NUMBER``, where a number may end in k, M or G, and a name have dashes.

        Raises ConfigError for a name that is none and a number that is none.
        """
        whole = {one.name: one.type == "int" for one in fields(cls)}
        values: dict[str, Any] = {}
        for one in given:
            name, _, number = one.partition("=")
            name = name.strip().replace("-", "_")
            if name not in whole:
                known = ", ".join(known.replace("_", "-") for known in whole)
                message = f"--limit: there is none by the name of {name!r}; there are {known}."
                raise ConfigError(message)
            match = _NUMBER.fullmatch(number.strip())
            value = float(match[1]) * _SUFFIXES[match[2]] if match else 0.0
            if not 0 < value <= _LARGEST or (whole[name] and value != int(value)):
                wanted = "a whole number" if whole[name] else "a number"
                span = f"above 0 and up to {_LARGEST / _SUFFIXES['G']:.0f}G"
                message = f"--limit: {name.replace('_', '-')} wants {wanted} {span}, as 10 or 2G, not {number!r}."
                raise ConfigError(message)
            if value > _MOST.get(name, value):
                message = f"--limit: {name.replace('_', '-')} is {_MOST[name]} at most, not {number}."
                raise ConfigError(message)
            values[name] = int(value) if whole[name] else value
        return cls(**values)


class Rate:
    """Counts what comes against so many ``a_second``; who was silent has saved some up.

    ``clock`` is in seconds.
    """

    def __init__(self, a_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_second = a_second
        self._clock = clock
        self._left = a_second * _SAVED_UP
        self._at = clock()

    def takes_one(self) -> bool:
        """Count one more; tell whether that is not too many."""
        if not self.has_one:
            return False
        self._left -= 1
        return True

    @property
    def has_one(self) -> bool:
        """Whether one more would not be too many."""
        now = self._clock()
        self._left = min(self._a_second * _SAVED_UP, self._left + (now - self._at) * self._a_second)
        self._at = now
        return self._left >= 1

    @property
    def full(self) -> bool:
        """Whether nothing counts against it any more."""
        return self.has_one and self._left >= self._a_second * _SAVED_UP


class Rates:
    """Counts what comes from each of many against the same rate; who has been silent for long is forgotten."""

    def __init__(self, a_second: float) -> None:
        self._a_second = a_second
        self._rates: dict[tuple[str, str], Rate] = {}

    def takes_one(self, key: tuple[str, str]) -> bool:
        """Count one more of somebody; return whether that is not too many."""
        self._rates = {known: rate for known, rate in self._rates.items() if not rate.full}
        return self._rates.setdefault(key, Rate(self._a_second)).takes_one()


def too_deep(text: str, depth: int) -> bool:
    """Tell whether JSON is nested deeper than this; nothing has been parsed yet."""
    if text.count("[") + text.count("{") <= depth:
        return False
    now = 0
    for bracket in _NO_BRACKETS.sub("", _STRINGS.sub("", text)):
        now += 1 if bracket in "[{" else -1
        if now > depth:
            return True
    return False
