"""Outgoing: the messages that signaling sends to connections, without I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Outgoing:
    """A message for one connection, as JSON.

    ``close`` closes the connection afterwards. ``wrong_code`` says that the connection tried a wrong code.
    """

    connection: int
    text: str
    close: bool = False
    wrong_code: bool = False


def not_admitted(connection: int, *, wrong_code: bool) -> Outgoing:
    """Refuse admission in the same words, whatever was wrong."""
    message = "Not admitted: the token or code is wrong, already used or expired."
    return replace(refusal(connection, message), wrong_code=wrong_code)


def refusal(connection: int, message: str) -> Outgoing:
    """Return the error after which a connection is closed."""
    error = {"type": "error", "name": "InvalidStateError", "code": None, "message": message}
    return Outgoing(connection, json.dumps(error), close=True)
