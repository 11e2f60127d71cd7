"""Pass the events of recordings and observations from a participant's page to handlers in Python."""

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
# Maximum number of characters that are logged if a page reports something other than an event.
_LOGGED: Final = 200

_log = logging.getLogger(__name__)


class RecordingEvents:
    """Checks the events that a page reports, and calls the handlers that were registered for each event.

    ``is_mine`` returns whether the recording with a given id belongs to the participant. ``observers`` contains, by the
    observation's id, the functions that receive the progress of the participant's observations; they return False for
    an invalid value. If a script in the page reports anything other than a valid event, the reported value is added to
    ``page_log``.
    """

    def __init__(self, is_mine: Callable[[str], bool], page_log: MutableSequence[str]) -> None:
        self.observers: dict[object, Callable[[object], bool]] = {}
        self._is_mine = is_mine
        self._page_log = page_log
        self._handlers: defaultdict[str, list[Handler]] = defaultdict(list)
        # The ids of recordings for which an event was received.
        self._known: set[str] = set()
        # The details of the last failure event; None once an exception has reported the failure.
        self._failure: dict[str, Any] | None = None

    def on(self, event: str, handler: Handler) -> None:
        """Call ``handler`` with the details of each ``event``; raises ConfigError if no event has this name."""
        one_of("event", event, EVENTS)
        self._handlers[event].append(handler)

    def pop_failure(self) -> dict[str, Any] | None:
        """Return the details of a recording's failure, and discard them; return None if no recording failed."""
        failure, self._failure = self._failure, None
        return failure

    def receive(self, name: str, *reported: object) -> None:
        """Pass an event from a participant's page to the event's handlers; log a warning if the recording stalled."""
        match reported:
            case (str(event), dict(detail)) if event in EVENTS and self._is_known(detail.get("id")):
                if event == "recording-stalled":
                    _log.warning("%s: %s", name, detail.get("message"))
                elif event == "recording-failed":
                    self._failure = detail
                for handler in self._handlers[event]:
                    handler(detail)
            case ("observation", dict(progress)) if self._is_accepted(progress):
                pass
            case _:
                self._page_log.append(f"not a recording event: {str(reported)[:_LOGGED]}")

    def _is_accepted(self, progress: dict[str, Any]) -> bool:
        """Pass the progress of an observation to its observer; return False if there is none, or it is invalid."""
        observation = progress.get("id")
        receive = self.observers.get(observation) if isinstance(observation, str) else None
        return receive is not None and receive(progress)

    def _is_known(self, recording: object) -> bool:
        if not isinstance(recording, str):
            return False
        if recording not in self._known and self._is_mine(recording):
            self._known.add(recording)
        # The server no longer lists a recording after "clean", but further events of this recording may follow.
        return recording in self._known
