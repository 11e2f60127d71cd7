"""RecordingLog stores as many of a recording's events as fit into the manifest."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.errors import spool_error
from harness.recording.spool.manifest_budget import LATE_FRAMES, PAGE_EVENTS, ROOM_EVENTS, SERVER_ALARMS, manifest_bytes
from harness.recording.timeline import Member

if TYPE_CHECKING:
    from harness.recording.spool.folder import Facts
    from harness.server.member_event import MemberEvent
    from harness.server.spool.messages import MixerEvent
    from harness.server.spool.open_folder import JsonLines

_log = logging.getLogger(__name__)

# Maximum number of events from the page in a manifest.
_MAX_EVENTS: Final = 20_000
# Maximum number of ticks that a page can report per frame interval, and how many seconds in advance it can report them.
_TICKS_PER_FRAME: Final = 2
_TICKS_IN_ADVANCE: Final = 600.0
# The highest frame rate, which is also assumed for audio recordings because they have no frame rate.
_MAX_FRAME_RATE: Final = 30

RecorderPhase = Literal["new", "started", "paused", "resumed", "stopped"]


@dataclass
class EventBudget:
    """Counts how much of the manifest a recording's events take up, separately for each source of events."""

    dropped: int = 0
    _page_events: int = 0
    _page_bytes: int = 0
    _member_bytes: int = 0
    _alarm_bytes: int = 0
    _late_bytes: int = 0
    # Participants whose joins did not fit into the manifest; their leaves are therefore also omitted.
    _unlisted: set[str] = field(default_factory=set)

    def accept_page_event(self, size: int) -> bool:
        """Count an event from the page that takes up ``size`` bytes of the manifest, and return whether to store it.

        Once an event has been dropped, all later events are dropped, so that there is never a leave without its join.
        """
        self._page_events += 1
        self._page_bytes += size
        if not self.dropped and self._page_events <= _MAX_EVENTS and self._page_bytes <= PAGE_EVENTS:
            return True
        self.dropped += 1
        return False

    def accept_member_event(self, event: MemberEvent) -> bool:
        """Return whether to store a join or leave; each join also reserves space for the later leave."""
        name = event.member.name
        if event.event == "renumbered":
            return name not in self._unlisted
        if event.event == "leave":
            listed = name not in self._unlisted
            self._unlisted.discard(name)
            return listed
        leave = {"time": event.time, "event": "leave", "participant": name}
        size = 2 * manifest_bytes(leave) + manifest_bytes({"name": name, "marker": 255})
        if self._member_bytes + size <= ROOM_EVENTS:
            self._member_bytes += size
            return True
        self._unlisted.add(name)
        return False

    def accept_late_frames(self, participant: str, size: int) -> bool:
        """Count late frames that take up ``size`` bytes of the manifest; return whether to store them."""
        self._late_bytes += size
        return participant not in self._unlisted and self._late_bytes <= LATE_FRAMES

    def accept_alarm(self, size: int) -> bool:
        """Count an alarm from the server that takes up ``size`` bytes of the manifest; return whether to store it."""
        self._alarm_bytes += size
        return self._alarm_bytes <= SERVER_ALARMS


class RecordingLog:
    """The log of one recording; the manifest is written from this log.

    If ``presence_from_server`` is true, join and leave events come from the server's room. If ``presence_from_server``
    is false, the page sends the join and leave events, because it is recording a call in another application.
    """

    def __init__(self, lines: JsonLines, facts: Facts, *, presence_from_server: bool) -> None:
        self._lines = lines
        self._facts = facts
        self._presence_from_server = presence_from_server
        self._budget = EventBudget()
        self._reported: set[str] = set()
        self._ticks = 0
        self.recorder: RecorderPhase = "new"
        # The time at which the page announced the recording, in seconds on the monotonic clock, which the event loop
        # also uses.
        self.opened_at = time.monotonic()

    @property
    def size(self) -> int:
        """The size of the log in bytes."""
        return self._lines.size

    def add_recorder_state(self, state: Literal["started", "paused", "resumed", "stopped"], page_time: float) -> None:
        """Store a change of MediaRecorder's state, with its time in ms on the page's clock.

        State changes are always stored, since the times of all later frames depend on the pauses.
        """
        self.recorder = state
        self._lines.append({"recorder": state, "time": page_time})

    def add_ticks(self, first: int, written: list[float | None]) -> None:
        """Store the times at which the mixer wrote its ticks, starting with tick number ``first``.

        Raises RecordingError if there are more ticks than the mixer can have written, because ticks stay in memory
        until their frames arrive, and unlimited ticks could fill the memory.
        """
        ticks = self._ticks + len(written)
        seconds = time.monotonic() - self.opened_at + _TICKS_IN_ADVANCE
        if ticks > seconds * (self._facts.frame_rate or _MAX_FRAME_RATE) * _TICKS_PER_FRAME:
            message = f"The page reported {ticks} ticks, more than the mixer could have written so far."
            raise spool_error(message)
        self._ticks = ticks
        self._lines.append({"first": first, "written": written})

    def add_event(self, event: MixerEvent) -> None:
        """Store an event from the mixer; raises RecordingError for a join or leave that must come from the server."""
        if self._presence_from_server and event.event in {"join", "leave"} and not event.remote_server:
            message = f"Join and leave events for room {self._facts.room!r} must come from the server."
            raise spool_error(message)
        left_out = {"remote_server"} if event.event == "track" else {"remote_server", "marker"}
        line = event.model_dump(exclude_none=True, exclude=left_out)
        member = None
        if event.event == "join" and event.participant:
            member = Member(name=event.participant, marker=event.marker).model_dump()
        size = manifest_bytes(line) + (manifest_bytes(member) if member else 0)
        if not self._budget.accept_page_event(size):
            message = "The manifest has reached its limit of page events; later events are missing."
            if self._alarm_once(event.time, message):
                _log.warning("%s: %s", self._facts.stem, message)
            return
        if member and event.remote_server:
            self._lines.append({"member": member})
        self._lines.append({"event": line})

    def add_member_event(self, event: MemberEvent) -> None:
        """Store an event from the room, unless it does not fit into the manifest."""
        if event.event == "late-frames":
            self._add_late_frames(event)
            return
        if not self._budget.accept_member_event(event):
            if event.event == "join":
                self._alarm_once(event.time, "More participants joined and left than the manifest can list.")
            return
        self._lines.append({"member": event.member.model_dump()})
        if self._presence_from_server and event.event != "renumbered":
            line = {"time": event.time, "event": event.event, "participant": event.member.name}
            self._lines.append({"event": line})

    def _add_late_frames(self, event: MemberEvent) -> None:
        line = {
            "time": event.time,
            "event": event.event,
            "participant": event.member.name,
            "marker": event.member.marker,
            "counters": event.counters,
        }
        if self._budget.accept_late_frames(event.member.name, manifest_bytes(line)):
            self._lines.append({"event": line})

    def add_alarm(self, time: float, message: str) -> None:
        """Store an alarm from the server, unless there are too many; ``time`` is in ms on the room's clock."""
        event: dict[str, Any] = {"time": time, "event": "alarm", "message": message}
        if self._budget.accept_alarm(manifest_bytes(event)):
            self._lines.append({"event": event})

    def warn_of_dropped_events(self) -> None:
        """Log how many events were dropped, if any."""
        if self._budget.dropped:
            _log.warning("%s: %d events were dropped.", self._facts.stem, self._budget.dropped)

    def _alarm_once(self, time: float, message: str) -> bool:
        """Store an alarm unless it has already been stored; return whether it was new."""
        if message in self._reported:
            return False
        self._reported.add(message)
        self.add_alarm(time, message)
        return True
