"""Implement ``harness record``: participants join a room, the first one records, and the recording is verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.cli.options import print_message, progress
from harness.errors import ConfigError, HarnessError
from harness.recording.files.names import safe_stem

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from rich.progress import Progress

    from harness.cli.application_call import ApplicationCall
    from harness.cli.interrupt import Interruption
    from harness.recording.config import RecordConfig, Recorder
    from harness.recording.recording import Recording
    from harness.session.participant import Participant
    from harness.session.room import Room
    from harness.session.venue import Venue
    from harness.verification import Report
    from harness.verification.values.findings import Result
    from harness.verification.values.profiles import Profile

# How often to update the progress bar and check for an interruption, in seconds.
_STEP: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class RecordOrder:
    """The options of ``harness record``: the participants, their call, and the first participant's recording.

    ``application`` is another web application's call, or None for our own room. ``expected`` contains the names of
    the participants who must be in the call for the whole recording. Raises ConfigError unless ``seconds`` is above 0
    and finite.
    """

    names: tuple[str, ...]
    recorder: Recorder
    config: RecordConfig
    seconds: float
    media: str | Path
    application: ApplicationCall | None
    expected: tuple[str, ...] = ()
    recordings: Path
    venue: Venue

    def __post_init__(self) -> None:
        if not 0 < self.seconds < float("inf"):
            message = f"--seconds: {self.seconds:g} is not valid; give a number above 0."
            raise ConfigError(message)

    @property
    def without_markers(self) -> tuple[str, ...]:
        """The participants whose media has no markers because the user chose a camera or a video file."""
        return () if self.media == "synthetic" else self.names

    def warn_of_unsafe_name(self) -> None:
        """Print a warning if the requested name is not a safe file name."""
        name = self.config.record_name
        if name is not None and safe_stem(name) != name:
            print_message(
                f"The file will be named {safe_stem(name)!r}, because {name[:60]!r} is not a safe file name on every "
                "system."
            )


@dataclass(frozen=True)
class RecordResult:
    """The recordings of a run, one report on each, and the error that ended the run early, if any."""

    recordings: list[Recording]
    reports: list[Report]
    failure: HarnessError | None

    @property
    def result(self) -> Result:
        """The combined result of all reports; ``"failed"`` if nothing was recorded."""
        from harness.verification.values.findings import combined

        return combined(report.result for report in self.reports)

    def is_unverified_only_for(self, names: Collection[str]) -> bool:
        """Return whether the participants with the given names are the only ones that could not be examined."""
        unverified = [finding for report in self.reports for finding in report.unverified]
        return self.result == "unverified" and all(finding.participant in names for finding in unverified)


def record_and_verify(order: RecordOrder, interruption: Interruption) -> RecordResult:
    """Make the recording that ``order`` specifies, and verify every saved recording, even after an error."""
    from harness.browser.budget import Budget, Need
    from harness.launch import open_room_at, room_profile

    room: Room | None = None
    failure: HarnessError | None = None
    budget = Budget()
    profile: Profile | None = None
    try:
        with open_room_at(order.venue, recordings=order.recordings) as room, progress() as bar:
            # A participant who is not recorded sends nothing and uses almost no CPU time.
            senders = len(order.names) if order.recorder == "all" else 1
            # Remote browsers use another machine's processors and memory.
            shortage = None if order.venue.connect else budget.shortage(senders, order.config)
            memory_shortage = None if order.venue.connect else budget.memory_shortage(len(order.names))
            for warning in filter(None, (shortage, memory_shortage)):
                print_message(warning)
            try:
                RecordRun(order, room, bar, interruption).run()
            finally:
                # The CPU time of closed browsers is unknown, so this must happen before they are closed.
                busy = bool(shortage) or budget.was_short(Need.of(senders, order.config))
                synthetic = order.application is None and order.media == "synthetic"
                profile = room_profile(order.venue, synthetic=synthetic, busy=busy)
    except HarnessError as error:
        failure = error
    # Closing the room has published the recordings that were not downloaded.
    recordings = room.recordings if room else []
    # These imports take as long as opening a page, so they are postponed until the recording is finished.
    from harness.verification.values.profiles import DEFAULT_PROFILE
    from harness.verification.verify import verify_safely

    profile = profile or DEFAULT_PROFILE
    reports = [verify_safely(recording, profile=profile, expected=order.expected) for recording in recordings]
    return RecordResult(recordings, reports, failure)


class RecordRun:
    """Makes one recording, from joining the room to deleting temporary copies, and shows the progress on stderr.

    An interruption ends the recording early; the file is still finished.
    """

    def __init__(self, order: RecordOrder, room: Room, bar: Progress, interruption: Interruption) -> None:
        self._order = order
        self._room = room
        self._bar = bar
        self._interruption = interruption
        self._task = bar.add_task("Joining", total=None)

    def run(self) -> None:
        """Make all participants join, let the first one record, download the file, and delete temporary copies."""
        self._join()
        if self._interruption:
            return
        recorder = self._room.participants[0]
        self._show("Starting to record")
        self._start(recorder)
        if self._interruption and recorder.get_media_recording().state != "recording":
            return
        self._wait(recorder)
        self._show("Finishing")
        recorder.stop_media_recording()
        recorder.download_media_recording()
        recorder.clean_media_recording()

    def _join(self) -> None:
        order = self._order
        first = order.names[0]
        self._show(f"Joining: {', '.join(order.names)}")
        if order.application is not None:
            order.application.enter(self._room, order.names, order.media, self._interruption)
            return
        subscriber = first if order.recorder == "all" else None
        self._room.join_all(*order.names, media=order.media, subscriber=subscriber)

    def _start(self, recorder: Participant) -> None:
        order = self._order

        def start() -> None:
            recorder.start_media_recording(recorder=order.recorder, record_config=order.config)

        if order.application is None:
            start()
        else:
            order.application.start(self._room, start, self._interruption)

    def _wait(self, recorder: Participant) -> None:
        seconds = self._order.seconds
        self._bar.update(self._task, description=f"{recorder.name} is recording", total=seconds)
        while not self._interruption and (left := seconds - recorder.elapsed) > 0:
            self._bar.update(self._task, completed=recorder.elapsed)
            self._room.wait(seconds=min(left, _STEP))
        self._bar.update(self._task, completed=seconds)

    def _show(self, step: str) -> None:
        self._bar.update(self._task, description=step)
