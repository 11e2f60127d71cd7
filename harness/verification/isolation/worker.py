"""The process in which files are read: it answers one question after the other, within its limits, until asked no more.

Run by ``readers.py``; not for people.
"""

from __future__ import annotations

import gc
import socket
import sys
from typing import TYPE_CHECKING, Final

from harness.recording.isolation.child import MEMORY, confine, exit_with_parent
from harness.verification.analysis import judge
from harness.verification.isolation.wire import (
    NonsenseError,
    as_answer,
    as_error,
    as_pulse,
    as_ready,
    question_of,
    receive,
    send,
)

if TYPE_CHECKING:
    from harness.verification.request import Question

# How many files may be open: the one that is read, its manifest and statistics, and what Python itself needs.
_FILES: Final = 64


def main() -> None:
    """Answer the questions that come through the connection whose number is the first argument."""
    confine(files=_FILES)
    with socket.socket(fileno=int(sys.argv[1])) as asker:
        exit_with_parent(asker.fileno())
        try:
            # Whatever goes wrong before this is a matter of the installation, not of a file.
            send(asker, as_ready())
            while True:
                question = question_of(receive(asker))
                send(asker, _answer(question, asker))
                # A container and its streams refer to each other, and each decoder keeps its threads until they go.
                gc.collect()
        except (NonsenseError, ConnectionError):
            return


def _answer(question: Question, asker: socket.socket) -> bytes:
    try:
        return as_answer(judge(question, lambda at: send(asker, as_pulse(at))))
    except MemoryError:
        return as_answer(question.unreadable(f"needs more than {MEMORY / 1e9:g} GB to be read."))
    except OSError as error:
        return as_error(error)
    except Exception as error:  # noqa: BLE001 - a fault of ours is told as one, and is no fault of the file
        return as_answer(
            question.unreadable(f"could not be judged, by a fault of the harness ({type(error).__name__}).")
        )
