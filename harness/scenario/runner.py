"""Run a scenario: open a room, run the steps in order, and verify every recording."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, get_args

from harness.browser.budget import Budget
from harness.errors import ConfigError, RecordingError, StepTimeout
from harness.launch import open_room_at, room_profile
from harness.scenario.outcome import UNTITLED, Outcome, Progress, reason_of
from harness.scenario.steps import (
    EDGE,
    Camera,
    Clean,
    Crash,
    Download,
    Join,
    Leave,
    Mute,
    Network,
    Pause,
    RecordingEvent,
    Resume,
    ShareScreen,
    Speak,
    Start,
    Stop,
    Unmute,
    Wait,
    WaitFor,
)
from harness.session.venue import Venue
from harness.verification import Expectation
from harness.verification.values.profiles import DEFAULT_PROFILE
from harness.verification.verify import verify_safely

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from harness.recording.recording import Recording
    from harness.scenario.steps import Scenario, Step, WaitExpectation
    from harness.session.participant import Participant
    from harness.session.room import Room
    from harness.verification import Limits, Report

    # For each participant who records, the id of the recording and its length in seconds.
    _Elapsed = dict[str, tuple[str, float]]

# Interval at which a wait checks whether the scenario was interrupted, in seconds.
_POLL_INTERVAL: Final = 0.25
_CRASHED_WITHIN: Final = 10.0


@dataclass
class _Requirements:
    """The expectations that one recording must meet."""

    expect: list[Expectation] = field(default_factory=list)
    duration: float | None = None
    limits: Limits | None = None


def play(
    scenario: Scenario,
    *,
    recordings: str | os.PathLike[str] = "recordings",
    venue: Venue | None = None,
    room: str = "room",
    on_progress: Callable[[Progress], None] = lambda _: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run a scenario in a new room named ``room``, in the venue's browsers, and verify its recordings.

    ``on_progress`` is called before each step. Once ``interrupted()`` is true, no further step starts, and recordings
    in progress are stopped and downloaded.

    Raises SetupError if Chrome, the port or the folder can't be used. A failed step is reported in the outcome.
    """
    began = time.monotonic()
    error, run = None, None
    try:
        with open_room_at(venue or Venue(), recordings=recordings, name=room) as opened:
            run = _ScenarioRun(scenario, opened, on_progress, interrupted)
            try:
                run.run_steps()
            except Exception as failure:  # noqa: BLE001 - after any error, the recordings so far are reported
                error = f"{run.current}: {reason_of(failure)}"
            run.choose_profile(venue or Venue())
    except Exception as failure:
        if run is None:
            raise
        error = error or f"while closing the room: {reason_of(failure)}"
    lost = run.requirements.keys() - {recording.id for recording in run.room.recordings}
    if lost and error is None:
        error = f"after the last step: {len(lost)} recordings with expectations could not be found"
    on_progress(Progress(len(scenario.steps), len(scenario.steps), "verifying"))
    return Outcome(
        title=scenario.title or UNTITLED,
        recordings=tuple(run.room.recordings),
        reports=tuple(run.report(recording) for recording in run.room.recordings),
        error=error,
        seconds=round(time.monotonic() - began, 1),
        interrupted=run.interrupted,
    )


class _ScenarioRun:
    """Runs the steps in a room, and collects the expectations for each recording."""

    def __init__(
        self,
        scenario: Scenario,
        room: Room,
        on_progress: Callable[[Progress], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self.requirements: defaultdict[str, _Requirements] = defaultdict(_Requirements)
        self.current = "before the first step"
        self.interrupted = False
        self._budget = Budget()
        self._room_profile = DEFAULT_PROFILE
        self._scenario = scenario
        self.room = room
        self._on_progress = on_progress
        self._is_interrupted = interrupted
        self._participants: dict[str, Participant] = {}
        # The recorder ("all" or "local") used by each participant who records.
        self._recorders: dict[str, str] = {}
        self._events: dict[str, set[str]] = {}
        self._speaker: Participant | None = None
        steps = scenario.steps
        self._emulated = {name for step in steps if isinstance(step, Network) for name in step.actors}

    def run_steps(self) -> None:
        """Run every step; after the last step or an interruption, stop and download the recordings in progress."""
        steps = self._scenario.steps
        for number, step in enumerate(steps, start=1):
            if self._should_end():
                break
            self.current = f"step {number} ({step})"
            self._on_progress(Progress(number, len(steps), str(step)))
            self._run_step(step)
        self.current = "after the last step"
        for name in list(self._recorders):
            self._participants[name].stop_media_recording()
            self._participants[name].download_media_recording()
            self._participants[name].clean_media_recording()

    def choose_profile(self, venue: Venue) -> None:
        """Choose the limits for the recordings, depending on how busy the machine has been since the run began.

        This must be called before the browsers are closed, because the CPU time of closed browsers is unknown.
        """
        busy = self._budget.was_short(self._scenario.needs)
        self._room_profile = room_profile(venue, synthetic=self._scenario.is_undisturbed, busy=busy)

    def report(self, recording: Recording) -> Report:
        """Verify a recording against its expectations, and return the report, which fails if the file is unreadable."""
        required = self.requirements[recording.id]
        profile = self._scenario.limits_of(required.limits, self._room_profile)
        return verify_safely(recording, duration=required.duration, profile=profile, expect=required.expect)

    def _run_step(self, step: Step) -> None:
        match step:
            case Join():
                emulated = self._emulated & set(step.actors)
                for one in self.room.join_all(*step.actors, media=step.media, emulate_network=emulated):
                    self._participants[one.name] = one
            case Wait():
                self._wait(step)
            case WaitFor():
                self._wait_for(step)
            case Start():
                self._start(step)
            case Speak():
                if self._speaker:
                    self._speaker.set_speaking(False)
                self._speaker = self._participants[step.speak]
                self._speaker.set_speaking(True)
            case _:
                for name in step.actors:
                    self._act(self._participants[name], step)

    def _act(self, one: Participant, step: Step) -> None:  # noqa: C901, PLR0912 - a line for each kind of step
        match step:
            case Leave():
                one.leave()
                self._recorders.pop(one.name, None)
            case Mute():
                one.mute()
            case Unmute():
                one.unmute()
            case Camera(on=True):
                one.turn_camera_on()
            case Camera():
                one.turn_camera_off()
            case ShareScreen(on=True):
                one.share_screen()
            case ShareScreen():
                one.stop_sharing_screen()
            case Pause():
                one.pause_media_recording()
            case Resume():
                one.resume_media_recording()
            case Stop():
                one.stop_media_recording()
                self._recorders.pop(one.name, None)
            case Download():
                self._download(one, step)
            case Clean():
                one.clean_media_recording()
            case Network():
                one.emulate_network(loss_percent=step.loss_percent, latency_ms=step.latency_ms, kbps=step.kbps)
            case Crash():
                self._crash(one)
            case _:
                message = f"The step {step.verb!r} can't be run."
                raise ConfigError(message)

    def _start(self, step: Start) -> None:
        one = self._participants[step.start]
        if one.name not in self._events:
            self._events[one.name] = set()
            for event in get_args(RecordingEvent):
                one.on(f"recording-{event}", partial(self._on_recording_event, one.name, event))
        self._events[one.name].clear()
        one.start_media_recording(recorder=step.recorder, record_config=step.with_defaults(self._scenario.record))
        self._recorders[one.name] = step.recorder

    def _on_recording_event(self, name: str, event: str, _: dict[str, Any]) -> None:
        self._events[name].add(event)

    def _download(self, one: Participant, step: Download) -> None:
        recording = one.download_media_recording()
        self._recorders.pop(one.name, None)
        required = self.requirements[recording.id]
        required.duration, required.limits = step.duration, step.limits
        required.expect += step.expect

    def _crash(self, one: Participant) -> None:
        self._recorders.pop(one.name, None)
        one.crash()
        try:
            self.room.wait_for(lambda: not one.alive, timeout=_CRASHED_WITHIN, what=f"{one.name}'s page to crash")
            # If a page crashes during this wait, the room raises an error with the page's recording.
            self.room.wait(seconds=_POLL_INTERVAL)
        except RecordingError as lost:
            # The scenario requested the crash, and the room's recordings include the part that was saved.
            if lost.recording is None:
                raise

    def _wait(self, step: Wait) -> None:
        before = self._elapsed() if step.expect else {}
        end = time.monotonic() + step.wait
        while not self._should_end() and (left := end - time.monotonic()) > 0:
            self.room.wait(seconds=min(left, _POLL_INTERVAL))
        if self.interrupted:
            return
        after = self._elapsed() if step.expect else {}
        for one in step.expect:
            self._expect(one, before, after)

    def _expect(self, one: WaitExpectation, before: _Elapsed, after: _Elapsed) -> None:
        """Add an expectation to every recording that includes the participant and ran for the whole wait.

        Raises StepTimeout if no recording both includes the participant and ran for the whole wait.
        """
        count = 0
        for name, (recording, start) in before.items():
            now, stop = after.get(name, (None, start))
            if now == recording and (self._recorders[name] == "all" or one.participant == name):
                span = {"from": round(start + EDGE, 2), "to": round(stop - EDGE, 2)}
                self.requirements[recording].expect.append(Expectation.model_validate(one.model_dump() | span))
                count += 1
        if not count:
            message = (
                f"No recording that includes {one.participant} ran for the whole wait, so the expectation can't be "
                "checked."
            )
            raise StepTimeout(message)

    def _elapsed(self) -> _Elapsed:
        """Return the id and length, in seconds, of each recording in progress that is not paused."""
        found = {}
        for name in self._recorders:
            status = self._participants[name].get_media_recording()
            if status.state == "recording" and status.id:
                found[name] = (status.id, status.elapsed)
        return found

    def _wait_for(self, step: WaitFor) -> None:
        one = self._participants[step.wait_for]

        def is_reached() -> bool:
            if self._should_end():
                return True
            if step.event:
                return step.event in self._events[one.name]
            status = one.get_media_recording()
            return status.elapsed >= step.elapsed if step.elapsed else status.state == step.state

        self.room.wait_for(is_reached, timeout=step.timeout, what=str(step).removeprefix("wait for "))

    def _should_end(self) -> bool:
        self.interrupted = self.interrupted or self._is_interrupted()
        return self.interrupted
