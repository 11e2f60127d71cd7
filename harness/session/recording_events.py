"""Pass the events of a participant's recordings from the page to the handlers in Python."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from harness.errors import one_of

if TYPE_CHECKING:
    from collections.abc import Callable, MutableSequence

    Handler = Callable[[dict[str, Any]], None]

EVENTS: Final = tuple(
    f"recording-{what}"
    for what in ("started", "paused", "resumed", "stopped", "downloaded", "cleaned", "stalled", "failed")
)
# Maximum number of characters that are logged of a report that is not an event.
_LOGGED: Final = 200

_log = logging.getLogger(__name__)


class RecordingEvents:
    """Checks the events that the page reports, and calls their handlers.

    ``is_mine`` returns whether the recording with an id belongs to the participant. All other reports of scripts in the
    page are added to ``page_log``.
    """

    def __init__(self, is_mine: Callable[[str], bool], page_log: MutableSequence[str]) -> None:
        self._is_mine = is_mine
        self._page_log = page_log
        self._handlers: defaultdict[str, list[Handler]] = defaultdict(list)
        # The ids of the recordings that had an event.
        self._known: set[str] = set()
        # The detail of a recording that broke by itself, until an exception reports it.
        self._failure: dict[str, Any] | None = None

    def on(self, event: str, handler: Handler) -> None:
        """Call ``handler`` with the detail of each ``event``; raises ConfigError for another name."""
        one_of("event", event, EVENTS)
        self._handlers[event].append(handler)

    def pop_failure(self) -> dict[str, Any] | None:
        """Return the detail of a recording that broke by itself, and forget it; None if no recording broke."""
        failure, self._failure = self._failure, None
        return failure

    def receive(self, name: str, *reported: object) -> None:
        """Pass on an event that a participant's page reports; a stall is also logged as a warning."""
        match reported:
            case (str(event), dict(detail)) if event in EVENTS and self._is_known(detail.get("id")):
                if event == "recording-stalled":
                    _log.warning("%s: %s", name, detail.get("message"))
                elif event == "recording-failed":
                    self._failure = detail
                for handler in self._handlers[event]:
                    handler(detail)
            case _:
                self._page_log.append(f"not an event of a recording: {str(reported)[:_LOGGED]}")

    def _is_known(self, recording: object) -> bool:
        if not isinstance(recording, str):
            return False
        if recording not in self._known and self._is_mine(recording):
            self._known.add(recording)
        # The server does not list a recording after it was cleaned, but further events may follow.
        return recording in self._known
