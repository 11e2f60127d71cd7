"""How much of a manifest each kind of event may fill, so that every manifest that is written can be read.

The shares leave a few megabytes of LARGEST_MANIFEST for everything that does not grow with time.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# In bytes of the manifest: what the page reports, the room's joins and leaves, and the server's own alarms.
PAGE_EVENTS: Final = 48_000_000
ROOM_EVENTS: Final = 8_000_000
SERVER_ALARMS: Final = 4_000_000
# A manifest is indented by a space a level, and its events are on the third.
_LEVEL: Final = 3
# What a manifest may add to an event: its time in the file with all its digits, and what separates events.
_MORE: Final = 64


def manifest_bytes(event: Mapping[str, Any]) -> int:
    """Return a bound for what an event fills of a manifest, with the alarm that repeats its message."""
    text = json.dumps(event, ensure_ascii=False, indent=1)
    message = (
        len(json.dumps(event["message"], ensure_ascii=False).encode(errors="replace")) if "message" in event else 0
    )
    return len(text.encode(errors="replace")) + _LEVEL * (text.count("\n") + 1) + message + _MORE
