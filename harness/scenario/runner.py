"""Plays a scenario: a room, its steps in order, and the verdict on every recording that came of it."""

from __future__ import annotations

import time
import traceback
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from harness.errors import ConfigError, HarnessError, RecordingError, StepTimeout
from harness.launch import open_room_at
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
    Resume,
    ShareScreen,
    Speak,
    Start,
    Stop,
    Told,
    Unmute,
    Wait,
    WaitFor,
)
from harness.session.venue import Venue
from harness.verification import Expectation
from harness.verification.unreadable import report_on

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from harness.recording.recording import Recording
    from harness.scenario.steps import During, Scenario, Step
    from harness.session.participant import Participant
    from harness.session.room import Room
    from harness.verification import Limits, Report

    # The recording of each who records, and how many seconds it has.
    _Elapsed = dict[str, tuple[str, float]]

# How often, in seconds, who waits looks whether it is to end.
_LOOK_EVERY: Final = 0.25
_CRASHED_WITHIN: Final = 10.0
_UNTITLED: Final = "scenario"


@dataclass(frozen=True)
class Progress:
    """How far a scenario is: ``step`` of ``steps``, from 1 on, and what it is in words; 0 before the first."""

    step: int
    steps: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a scenario: its recordings with a report each, oldest first.

    ``error`` says which step failed, and why; ``failure`` is the error that kept it from beginning, where one did.
    ``seconds`` is how long it took. ``interrupted`` says that somebody ended it early.
    """

    title: str
    recordings: tuple[Recording, ...]
    reports: tuple[Report, ...]
    error: str | None
    seconds: float
    interrupted: bool = False
    failure: HarnessError | None = None

    @classmethod
    def failed(cls, scenario: Scenario, error: Exception | str, seconds: float = 0.0) -> Outcome:
        """Return the outcome of a scenario of which nothing was recorded."""
        return cls(
            title=scenario.title or _UNTITLED,
            recordings=(),
            reports=(),
            error=error if isinstance(error, str) else reason_of(error),
            seconds=round(seconds, 1),
            failure=error if isinstance(error, HarnessError) else None,
        )

    @property
    def ok(self) -> bool:
        """Whether every step went, something was recorded, and all of it is well."""
        return self.error is None and bool(self.reports) and all(report.ok for report in self.reports)


@dataclass
class _Asked:
    """What is asked of one recording."""

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
    """Play a scenario in a room of its own, whose name is ``room``, at a venue, and verify its recordings.

    ``on_progress`` is called before each step. Once ``interrupted()`` is true no further step begins: recordings in
    progress are stopped and downloaded.

    Raises SetupError where Chrome, the port or the folder can't be used; a step that fails is told in the outcome.
    """
    began = time.monotonic()
    error, stage = None, None
    try:
        with open_room_at(venue or Venue(), recordings=recordings, name=room) as opened:
            stage = _Stage(scenario, opened, on_progress, interrupted)
            try:
                stage.run()
            except Exception as failure:  # noqa: BLE001 - whatever fails, what was recorded until then is reported
                error = f"{stage.at}: {reason_of(failure)}"
    except Exception as failure:
        if stage is None:
            raise
        error = error or f"closing the room: {reason_of(failure)}"
    lost = stage.asked.keys() - {recording.id for recording in stage.room.recordings}
    if lost and error is None:
        error = f"the end: {len(lost)} of the recordings of which something is expected are not there"
    on_progress(Progress(len(scenario.steps), len(scenario.steps), "verifying"))
    return Outcome(
        title=scenario.title or _UNTITLED,
        recordings=tuple(stage.room.recordings),
        reports=tuple(stage.report(recording) for recording in stage.room.recordings),
        error=error,
        seconds=round(time.monotonic() - began, 1),
        interrupted=stage.interrupted,
    )


def reason_of(error: Exception) -> str:
    """Return what an error says in one message; for one that nobody foresaw, also of what kind it is and where."""
    if isinstance(error, HarnessError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    said = str(error).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {said[0] if said else 'no reason given'}{where}"


class _Stage:
    """Carries the steps out, and notes what is expected of which recording."""

    def __init__(
        self,
        scenario: Scenario,
        room: Room,
        on_progress: Callable[[Progress], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self.asked: defaultdict[str, _Asked] = defaultdict(_Asked)
        self.at = "the first step"
        self.interrupted = False
        self._scenario = scenario
        self.room = room
        self._on_progress = on_progress
        self._asks = interrupted
        self._people: dict[str, Participant] = {}
        # Who records, and who is in that recording: everybody, or the one alone.
        self._recording: dict[str, str] = {}
        self._events: dict[str, set[str]] = {}
        self._loud: Participant | None = None
        steps = scenario.steps
        self._emulated = {name for step in steps if isinstance(step, Network) for name in step.actors}

    def run(self) -> None:
        """Carry out every step; at the end, or when it is interrupted, what still runs is stopped and downloaded."""
        steps = self._scenario.steps
        for number, step in enumerate(steps, start=1):
            if self._ends():
                break
            self.at = f"step {number} ({step})"
            self._on_progress(Progress(number, len(steps), str(step)))
            self._do(step)
        self.at = "the end"
        for name in list(self._recording):
            self._people[name].stop_media_recording()
            self._people[name].download_media_recording()
            self._people[name].clean_media_recording()

    def report(self, recording: Recording) -> Report:
        """Return the report on a recording by what the steps expect of it; one that can't be read failed."""
        asked = self.asked[recording.id]
        return report_on(recording, duration=asked.duration, limits=asked.limits, expect=asked.expect)

    def _do(self, step: Step) -> None:
        match step:
            case Join():
                emulated = self._emulated & set(step.actors)
                for one in self.room.join_all(*step.actors, media=step.media, emulate_network=emulated):
                    self._people[one.name] = one
            case Wait():
                self._wait(step)
            case WaitFor():
                self._wait_for(step)
            case Start():
                self._start(step)
            case Speak():
                if self._loud:
                    self._loud.set_speaking(False)
                self._loud = self._people[step.speak]
                self._loud.set_speaking(True)
            case _:
                for name in step.actors:
                    self._act(self._people[name], step)

    def _act(self, one: Participant, step: Step) -> None:  # noqa: C901, PLR0912 - a line for each kind of step
        match step:
            case Leave():
                one.leave()
                self._recording.pop(one.name, None)
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
                self._recording.pop(one.name, None)
            case Download():
                self._download(one, step)
            case Clean():
                one.clean_media_recording()
            case Network():
                one.emulate_network(loss_percent=step.loss_percent, latency_ms=step.latency_ms, kbps=step.kbps)
            case Crash():
                self._crash(one)
            case _:
                message = f"Nobody knows how to {step.verb}."
                raise ConfigError(message)

    def _start(self, step: Start) -> None:
        one = self._people[step.start]
        if one.name not in self._events:
            self._events[one.name] = set()
            for event in get_args(Told):
                one.on(f"recording-{event}", partial(self._hear, one.name, event))
        self._events[one.name].clear()
        one.start_media_recording(recorder=step.recorder, record_config=step.over(self._scenario.record))
        self._recording[one.name] = step.recorder

    def _hear(self, name: str, event: str, _: dict[str, Any]) -> None:
        self._events[name].add(event)

    def _download(self, one: Participant, step: Download) -> None:
        recording = one.download_media_recording()
        self._recording.pop(one.name, None)
        asked = self.asked[recording.id]
        asked.duration, asked.limits = step.duration, step.limits
        asked.expect += step.expect

    def _crash(self, one: Participant) -> None:
        self._recording.pop(one.name, None)
        one.crash()
        try:
            self.room.wait_for(lambda: not one.alive, timeout=_CRASHED_WITHIN, what=f"{one.name}'s page to die")
            # The room raises what a crashed page had recorded as soon as it waits.
            self.room.wait(seconds=_LOOK_EVERY)
        except RecordingError as lost:
            # As the scenario wants it; what was saved is among the recordings.
            if lost.recording is None:
                raise

    def _wait(self, step: Wait) -> None:
        before = self._elapsed() if step.expect else {}
        end = time.monotonic() + step.wait
        while not self._ends() and (left := end - time.monotonic()) > 0:
            self.room.wait(seconds=min(left, _LOOK_EVERY))
        if self.interrupted:
            return
        after = self._elapsed() if step.expect else {}
        for one in step.expect:
            self._expect(one, before, after)

    def _expect(self, one: During, before: _Elapsed, after: _Elapsed) -> None:
        """Ask every recording that ran meanwhile, and shows the participant; raises StepTimeout where none did."""
        asked = 0
        for name, (recording, start) in before.items():
            now, stop = after.get(name, (None, start))
            if now == recording and (self._recording[name] == "all" or one.participant == name):
                span = {"from": round(start + EDGE, 2), "to": round(stop - EDGE, 2)}
                self.asked[recording].expect.append(Expectation.model_validate(one.model_dump() | span))
                asked += 1
        if not asked:
            message = f"No recording that shows {one.participant} ran all the while, so nothing can be expected of it."
            raise StepTimeout(message)

    def _elapsed(self) -> _Elapsed:
        """Return the recording of each who records now and is not paused, and how many seconds it has."""
        found = {}
        for name in self._recording:
            status = self._people[name].get_media_recording()
            if status.state == "recording" and status.id:
                found[name] = (status.id, status.elapsed)
        return found

    def _wait_for(self, step: WaitFor) -> None:
        one = self._people[step.wait_for]

        def there() -> bool:
            if self._ends():
                return True
            if step.event:
                return step.event in self._events[one.name]
            status = one.get_media_recording()
            return status.elapsed >= step.elapsed if step.elapsed else status.state == step.state

        self.room.wait_for(there, timeout=step.timeout, what=str(step).removeprefix("wait for "))

    def _ends(self) -> bool:
        self.interrupted = self.interrupted or self._asks()
        return self.interrupted
