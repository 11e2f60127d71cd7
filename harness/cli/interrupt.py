"""Interruption: Ctrl-C and SIGTERM end a recording properly; a second one ends the program at once."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Interruption:
    """Whether the program was asked to end; ``exit_code`` is 130 or 143 then, else None."""

    exit_code: int | None = None

    def __bool__(self) -> bool:
        return self.exit_code is not None

    def heard(self, number: int, frame: FrameType | None) -> None:
        """Note the signal; from now on another one has its usual effect."""
        del frame
        self.exit_code = 128 + number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def interruptible() -> Iterator[Interruption]:
    """Hear the first SIGINT or SIGTERM as a wish to end, not as an end."""
    interruption = Interruption()
    before = {number: signal.signal(number, interruption.heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
