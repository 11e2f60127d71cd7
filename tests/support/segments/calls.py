"""Plan the parts of one call: each part is a scene with the markers that the call has at that time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.media.scene import Scene


def part_of(call: Scene, start: float, seconds: float, *participants: str) -> Scene:
    """Return the part of a call that begins ``start`` seconds after the call.

    If ``participants`` are given, the part contains only these.
    """
    counts = round(30 * start)
    chosen = tuple(
        replace(one, counter=one.counter + counts)
        for one in call.participants
        if not participants or one.name in participants
    )
    zero_ms = None if call.zero_ms is None else call.zero_ms + 1000 * start
    return replace(
        call,
        participants=chosen,
        seconds=seconds,
        captures_ms=call.captures_ms + round(1000 * start),
        zero_ms=zero_ms,
    )
