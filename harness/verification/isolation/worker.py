"""The main function of the child process, which handles one request at a time with limited resources.

``readers.py`` starts the child process. The child process exits when its parent closes the connection.
"""

from __future__ import annotations

import gc
import socket
import sys
from typing import TYPE_CHECKING, Final

from harness.recording.isolation.child import MEMORY, confine, exit_with_parent
from harness.verification.analysis import analyze
from harness.verification.isolation.wire import (
    ProtocolError,
    decode_request,
    encode_error,
    encode_progress,
    encode_ready,
    encode_report,
    receive,
    send,
)

if TYPE_CHECKING:
    from harness.verification.request import VerifyRequest

# Maximum number of open files: the recording, its manifest and statistics, and the files that Python itself needs.
_FILES: Final = 64


def main() -> None:
    """Handle requests from the socket whose file descriptor is the first command-line argument."""
    confine(files=_FILES)
    with socket.socket(fileno=int(sys.argv[1])) as parent:
        exit_with_parent(parent.fileno())
        try:
            # Any error before this message is sent is a problem with the installation, not with a file.
            send(parent, encode_ready())
            while True:
                request = decode_request(receive(parent))
                send(parent, _answer(request, parent))
                # A container and its streams form a reference cycle. A decoder's threads end only when the cycle is
                # freed, so free it now.
                gc.collect()
        except (ProtocolError, ConnectionError):
            return


def _answer(request: VerifyRequest, parent: socket.socket) -> bytes:
    try:
        return encode_report(analyze(request, lambda at, source=0: send(parent, encode_progress(at, source))))
    except MemoryError:
        return encode_report(request.unreadable_report(f"needs more than {MEMORY / 1e9:g} GB of memory to be read."))
    except OSError as error:
        return encode_error(error)
    except Exception as error:  # noqa: BLE001 - an error in the harness must not look like one in the file
        reason = f"could not be verified because of an error in the harness ({type(error).__name__})."
        return encode_report(request.unreadable_report(reason))
