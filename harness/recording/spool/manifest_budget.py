"""Limit how much of a manifest each kind of event can fill, so that every manifest can be read again.

All limits on events together leave a few megabytes of LARGEST_MANIFEST for data that does not grow with time.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# The space, in bytes, that a manifest reserves for each source of events: the page's events, the room's joins and
# leaves, the participants' late frames, and the server's alarms.
PAGE_EVENTS: Final = 46_000_000
ROOM_EVENTS: Final = 8_000_000
LATE_FRAMES: Final = 2_000_000
SERVER_ALARMS: Final = 4_000_000
# A manifest is indented by one space per level, and its events are on the third level of indentation.
_LEVEL: Final = 3
# Maximum number of bytes that a manifest adds to an event: its file time with all digits, and separators.
_MORE: Final = 64


def manifest_bytes(event: Mapping[str, Any]) -> int:
    """Return an event's maximum size in a manifest, including any alarm that repeats the event's message."""
    text = json.dumps(event, ensure_ascii=False, indent=1)
    message = (
        len(json.dumps(event["message"], ensure_ascii=False).encode(errors="replace")) if "message" in event else 0
    )
    return len(text.encode(errors="replace")) + _LEVEL * (text.count("\n") + 1) + message + _MORE
