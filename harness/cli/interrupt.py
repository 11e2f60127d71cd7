"""Handle Ctrl-C, SIGTERM and SIGHUP: the first signal finishes the recording, the second ends the program."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

INTERRUPTED: Final = 128 + signal.SIGINT
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Stores whether a signal has arrived. ``exit_code`` is None at first, and 129, 130 or 143 after a signal."""

    exit_code: int | None = None

    def __bool__(self) -> bool:
        return self.exit_code is not None

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Set the exit code, and restore the default signal handling, so that the next signal ends the program."""
        del frame
        self.exit_code = 128 + number
        for one in _SIGNALS:
            if signal.getsignal(one) == self.on_signal:
                signal.signal(one, _interrupt if one == signal.SIGINT else signal.SIG_DFL)


@contextlib.contextmanager
def interruptible() -> Iterator[Interruption]:
    """Treat the first SIGINT, SIGTERM or SIGHUP as a request to stop.

    If the program ignores SIGHUP from the start, for example because it was started with nohup, it continues to do so.
    """
    interruption = Interruption()
    before = {
        number: signal.signal(number, interruption.on_signal)
        for number in _SIGNALS
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def quiet_interrupts() -> Iterator[None]:
    """End the program with exit code 130 and without a traceback when Ctrl-C is pressed.

    If the program ignores SIGINT from the start, for example in a background job of a shell script, it continues to do
    so.
    """
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """If a module is being imported, end the program; otherwise raise KeyboardInterrupt, so that cleanup code runs.

    An exception raised during an import might be printed by the import system or suppressed by the imported module.
    """
    del number
    inner = frame
    while inner is not None:
        if inner.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(INTERRUPTED)
        inner = inner.f_back
    raise KeyboardInterrupt
