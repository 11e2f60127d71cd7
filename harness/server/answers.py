"""What signalling answers: messages for connections, without I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Send:
    """A message for one connection, as JSON; ``close`` closes it afterwards."""

    connection: int
    text: str
    close: bool = False


def refusal(connection: int, message: str) -> Send:
    """Return what a connection is told that is closed then."""
    refused = {"type": "error", "name": "InvalidStateError", "code": None, "message": message}
    return Send(connection, json.dumps(refused), close=True)
