"""What signalling answers: messages for connections, without I/O; and what no answer tells."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.recording.spool.folder import FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Send:
    """A message for one connection, as JSON; ``close`` closes it afterwards, ``guess`` says that it tried a code."""

    connection: int
    text: str
    close: bool = False
    guess: bool = False


def without_places(text: str, recordings: Path) -> str:
    """Return a message without where this server keeps recordings, and their spool: people elsewhere read it."""
    return text.replace(f"{recordings / FOLDER}/", "").replace(f"{recordings}/", "")


def not_admitted(connection: int, *, guess: bool) -> Send:
    """Refuse somebody in the same words, whatever is wrong; ``guess`` says that they tried a code."""
    message = "Not admitted: the token or code is wrong, used or too old."
    return replace(refusal(connection, message), guess=guess)


def refusal(connection: int, message: str) -> Send:
    """Return what a connection is told that is closed then."""
    refused = {"type": "error", "name": "InvalidStateError", "code": None, "message": message}
    return Send(connection, json.dumps(refused), close=True)
