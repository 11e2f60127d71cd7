"""Observe a call without recording it, and write the observation's manifest."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import HarnessError, InvalidStateError, NotSupportedError, PageError
from harness.recording.files.names import default_stem, manifest_of, reserve
from harness.recording.manifest import MarkerClock, ObservationManifest
from harness.recording.manifest import Observation as ObservationFacts
from harness.recording.timeline import LONGEST_TEXT, Event, Member, Moment, timeline_from, with_final_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from harness.session.context import RoomContext
    from harness.session.participant import Participant

# Maximum number of entries that a page can report (web/src/client/observation.js).
_MOST_ENTRIES: Final = 20_000
_TIME: Final = TypeAdapter[float](Moment)
# Two readings of a marker's clock that differ by at most this many ms count as the same, because the estimate of the
# room's clock may have improved between them.
_SAME_CLOCK: Final = 100.0

_log = logging.getLogger(__name__)


class _Progress(BaseModel):
    """What the page reports while it observes (``ObservationProgress`` in recording.d.ts)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int = Field(ge=0, le=_MOST_ENTRIES)
    time: Moment
    entry: dict[str, Any] | None = None
    ended: bool


class ObservationLog:
    """The entries of an observation as the page reports them: dicts with an event's fields, and its time in ms.

    ``start`` and ``end`` are in ms on the room's clock. ``ended`` is true once the page has ended the observation.
    """

    def __init__(self) -> None:
        self.start = 0.0
        self.end = 0.0
        self.ended = False
        self._entries: dict[int, Mapping[str, Any]] = {}

    def receive(self, reported: object) -> bool:
        """Store what the page has reported; return False if it is not the progress of an observation."""
        try:
            progress = _Progress.model_validate(reported)
        except ValidationError:
            return False
        self.end = max(self.end, progress.time)
        self.ended = self.ended or progress.ended
        if progress.entry is not None:
            self._entries[progress.number] = progress.entry
        return True

    def begin(self, time: float) -> None:
        """Set the time at which the observation started; entries may have been received before."""
        self.start = time
        self.end = max(self.end, time)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Replace everything that was reported so far by the page's final result."""
        self.end = max(self.start, result["time"])
        self.ended = True
        self._entries = dict(enumerate(result["entries"][:_MOST_ENTRIES]))

    @property
    def duration(self) -> float:
        """The duration of the observation so far, in seconds."""
        return (self.end - self.start) / 1000

    def contents(self) -> tuple[list[Event], list[Member], list[str]]:
        """Return the events in order, the participants, and messages about entries that can't be read."""
        events: list[Event] = []
        markers: dict[str, int | None] = {}
        unreadable = 0
        for _, entry in sorted(self._entries.items()):
            fields = dict(entry)
            try:
                is_arrival = fields.get("event") in {"join", "identified"}
                marker = fields.pop("marker", None) if is_arrival else None
                at = (_TIME.validate_python(fields.pop("time", None)) - self.start) / 1000
                event = Event.model_validate({**fields, "at": round(at, 4)})
                if is_arrival:
                    # Member checks the marker.
                    member = Member(name=event.participant or "", marker=marker)
                    markers[member.name] = member.marker
            except ValidationError:
                unreadable += 1
            else:
                events.append(event)
        named = with_final_names(events)
        present = dict.fromkeys(event.participant or "" for event in named if event.event == "join")
        members = [Member(name=name, marker=markers.get(name)) for name in present]
        notes = [f"{unreadable} events of the observation could not be read."] if unreadable else []
        return named, members, notes


class Observation:
    """An observation of a call: who is in the call, and what they send, while another program records the call.

    ``Room.observe`` starts observations. At the end of a ``with`` block, the observation is stopped.
    """

    def __init__(
        self, participant: Participant, context: RoomContext, everybody: Sequence[Participant], name: str | None
    ) -> None:
        self._participant = participant
        self._context = context
        self._everybody = everybody
        self._stem = name or default_stem(participant.name)
        self._id = secrets.token_urlsafe(16)
        self._log = ObservationLog()
        self._started_at = datetime.now(tz=UTC)
        self._started = time.monotonic()
        self._clock_error = 0.0
        # The times at which the counters in the participants' markers were 0, in ms on the room's clock. A page that
        # has reloaded has several.
        self._counter_zeros: defaultdict[str, list[float]] = defaultdict(list)
        self._manifest: Path | None = None

    def __enter__(self) -> Self:
        """Return the observation itself, which is already in progress."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the observation. If the block has failed, its error is more important than a lost page."""
        try:
            self.stop()
        except PageError as lost:
            if error is None:
                raise
            _log.warning("%s", lost)

    @property
    def manifest(self) -> Path:
        """Path of the manifest.

        Raises:
            InvalidStateError: The observation is still in progress.
        """
        if self._manifest is None:
            message = "The observation is still in progress; its manifest is written when it is stopped."
            raise InvalidStateError(message)
        return self._manifest

    @property
    def finished(self) -> bool:
        """Whether the observation has been stopped, and its manifest exists."""
        return self._manifest is not None

    @property
    def running(self) -> bool:
        """Whether the call is still being observed, as far as it is known without asking the page."""
        return self._manifest is None and self._participant.alive and not self._log.ended

    @property
    def elapsed(self) -> float:
        """Time since the observation started, in seconds."""
        return time.monotonic() - self._started

    def stop(self) -> Path:
        """Stop the observation, write the manifest, and return its path. Does nothing if it has already been stopped.

        Raises:
            PageError: The observing page crashed, was closed, or loaded another document. The manifest is written
                anyway, and contains everything that was observed until then.
            DiskFullError: The disk is full.
        """
        if self._manifest is not None:
            return self._manifest
        problem = self._finish_log()
        self._manifest = self._write(problem)
        if problem is not None:
            message = f"{problem} The manifest was written to {self._manifest}."
            raise PageError(message, name="Error", page_log=list(self._participant._page.log))  # noqa: SLF001
        return self._manifest

    def _start(self) -> None:
        """Start the observation in the participant's page; raises InvalidStateError if the page is not in a call."""
        observers = self._participant._events.observers  # noqa: SLF001 - one unit with its participant
        observers[self._id] = self._log.receive
        try:
            begun = self._participant._call("startObservation", self._id)  # noqa: SLF001
        except BaseException:
            del observers[self._id]
            raise
        self._started_at = datetime.now(tz=UTC)
        self._started = time.monotonic()
        self._log.begin(begun["time"])
        self._clock_error = begun["error"]
        self._read_counter_zeros()

    def _finish_log(self) -> str | None:
        """Get the result from the page; return the reason why the page can't give it, as a sentence, or None."""
        page, log = self._participant._page, self._log  # noqa: SLF001
        try:
            log.finish(page.call("stopObservation", self._id))
        except PageError as error:
            # The observation of a participant who has left has already ended.
            if log.ended:
                return None
            if page.crashed:
                what = "crashed"
            elif not page.alive:
                what = "was closed"
            elif isinstance(error, InvalidStateError | NotSupportedError):
                what = "loaded another document"
            else:
                what = f"did not answer ({str(error).rstrip('.')})"
            return f"{self._participant.name}'s page {what}, so the call was observed for only {log.duration:.1f} s."
        self._read_counter_zeros()
        return None

    def _read_counter_zeros(self) -> None:
        """Ask every page when the counter in its markers was 0. Pages that do not answer are left out."""
        for one in self._everybody:
            if one.state != "joined" or not one.alive:
                continue
            with contextlib.suppress(HarnessError):
                zero = one._page.call("getCounterZero")  # noqa: SLF001
                if zero is not None:
                    self._counter_zeros[one.name].append(zero)

    def _write(self, problem: str | None) -> Path:
        """Write the manifest under the first free name, and return its path."""
        log = self._log
        events, members, notes = log.contents()
        alarms = [*notes, *([problem] if problem else [])]
        events += [Event(at=round(log.duration, 4), event="alarm", message=alarm[:LONGEST_TEXT]) for alarm in alarms]
        timeline = timeline_from(events, members)
        manifest = ObservationManifest(
            observation=ObservationFacts(
                participant=self._participant.name,
                duration=round(log.duration, 3),
                started_at=self._started_at.isoformat(timespec="milliseconds"),
                marker_clocks=tuple(
                    MarkerClock(participant=name, zero_ms=round(zeros[-1], 3))
                    for name, zeros in self._counter_zeros.items()
                    if max(zeros) - min(zeros) <= _SAME_CLOCK
                ),
            ),
            room=self._context.room,
            versions=self._context.server.versions,
            timeline=timeline,
            zero_ms=round(log.start, 3),
            clock_error_ms=round(self._clock_error, 3),
            alarms=tuple(event.message or "" for event in timeline.events if event.event == "alarm"),
        )
        # The empty recording keeps other programs from using the name until the manifest exists.
        placeholder = reserve(self._context.recordings, self._stem)
        try:
            manifest.write(manifest_of(placeholder))
        finally:
            placeholder.unlink()
        return manifest_of(placeholder)
