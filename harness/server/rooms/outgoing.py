"""Outgoing is a message that ``Signaling`` returns and that the caller must send."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Outgoing:
    """A message for one connection, as JSON.

    If ``close`` is set, the connection is closed after the message. ``wrong_code`` means that the client sent a wrong
    code.
    """

    connection: int
    text: str
    close: bool = False
    wrong_code: bool = False


def not_admitted(connection: int, *, wrong_code: bool) -> Outgoing:
    """Refuse admission without revealing the reason: the message is always the same."""
    message = "Not admitted: the token or code is wrong, already used or expired."
    return replace(refusal(connection, message), wrong_code=wrong_code)


def refusal(connection: int, message: str) -> Outgoing:
    """Return an error message that closes the connection."""
    error = {"type": "error", "name": "InvalidStateError", "code": None, "message": message}
    return Outgoing(connection, json.dumps(error), close=True)
