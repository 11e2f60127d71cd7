"""Before a scenario runs, check that its steps are possible in the given order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.scenario.steps import (
    Clean,
    Crash,
    Download,
    Join,
    Leave,
    Pause,
    Resume,
    Start,
    Step,
    Stop,
    Wait,
    WaitFor,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.recording.config import Recorder
    from harness.scenario.steps import Scenario, WaitExpectation


class SequenceCheck:
    """Goes through the steps in order, and tracks which participants are in the room and which are recording."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.known: set[str] = set()
        self.inside: set[str] = set()
        self.crashed: set[str] = set()
        # The recorder ("all" or "local") used by each participant who records.
        self.recording: dict[str, Recorder] = {}
        self.paused: set[str] = set()
        self.recorded: set[str] = set()
        # Participants who have downloaded their most recent recording, and participants who have deleted it ("clean").
        self.downloaded: set[str] = set()
        self.cleaned: set[str] = set()

    def problem(self, step: Step) -> str | None:
        """Update the tracked state, and return why the step is impossible at this point, or None if it is possible."""
        for name in step.actors:
            problem = self._join_problem(name) if isinstance(step, Join) else self._action_problem(step, name)
            if problem:
                return problem
        if isinstance(step, Wait):
            return next((problem for one in step.expect if (problem := self._expectation_problem(one))), None)
        if isinstance(step, WaitFor):
            return self._wait_problem(step)
        if isinstance(step, Download):
            return self._download_problem(step)
        return None

    def _expectation_problem(self, one: WaitExpectation) -> str | None:
        """Return why no recording can be checked against a wait's expectation, or None if at least one can."""
        name = one.participant
        if name not in self.known:
            return self._unknown(name)
        if one.visible is None and one.audible is None:
            return f"specify 'visible' or 'audible' for {name}"
        running = {name: recorder for name, recorder in self.recording.items() if name not in self.paused}
        if not running:
            paused = ", ".join(sorted(self.paused & self.recording.keys()))
            reason = f"; the recording of {paused} is paused" if paused else ""
            return f"there is an expectation, but no recording is in progress{reason}"
        if name not in running and "all" not in running.values():
            recorded = ", ".join(sorted(running))
            return f"there is an expectation for {name}, but only a local recording of {recorded} is in progress"
        return None

    def _wait_problem(self, step: WaitFor) -> str | None:
        """Return why the state or event that a wait requires can't occur after the earlier steps, or None if it can."""
        name = step.wait_for
        if step.state == "recording" and (name not in self.recording or name in self.paused):
            return f"{name} is not recording, so this state is never reached"
        if step.state == "paused" and name not in self.paused:
            return f"{name}'s recording is not paused, so this state is never reached"
        if step.state == "cleaned" and name not in self.cleaned:
            return f"there is no earlier 'clean' step for {name}'s recording, so this state is never reached"
        if step.event == "downloaded" and name not in self.downloaded:
            return f"{name} has not downloaded this recording, so this event never occurs"
        return None

    def _download_problem(self, step: Download) -> str | None:
        """Mark the recording as ended, and return why an expectation of the step can't be met, or None if all can."""
        self.downloaded.add(step.download)
        self.recording.pop(step.download, None)
        limits = self._scenario.limits_of(step.limits).limits
        for one in step.expect:
            if one.participant not in self.known:
                return self._unknown(one.participant)
            if problem := one.problem(limits):
                return problem
            last = one.start if one.end is None else one.end
            if step.duration is not None and last > step.duration + limits.duration:
                return (
                    f"an expectation for {one.participant} ends at {last:g} s, but the recording's expected "
                    f"length is {step.duration:g} s"
                )
        return None

    def _unknown(self, name: str) -> str:
        return f"{name} has not joined yet; participants so far: {', '.join(sorted(self.known)) or 'none'}"

    def _join_problem(self, name: str) -> str | None:
        if name in self.known:
            return f"{name} has already joined; give each participant a different name"
        self.known.add(name)
        self.inside.add(name)
        return None

    def _action_problem(self, step: Step, name: str) -> str | None:
        if name not in self.known:
            return self._unknown(name)
        if name in self.crashed:
            return f"{name}'s page has crashed; the recording is saved without a download"
        if isinstance(step, Clean):
            self.cleaned.add(name)
        if isinstance(step, Download | Clean | WaitFor):
            return None if name in self.recorded else f"{name} has no recording"
        if name not in self.inside:
            return f"{name} has left the room"
        return self._recording_problem(step, name)

    def _recording_problem(self, step: Step, name: str) -> str | None:
        if isinstance(step, Start):
            self.recording[name] = step.recorder
            self.recorded.add(name)
            for before in (self.paused, self.downloaded, self.cleaned):
                before.discard(name)
        elif isinstance(step, Pause | Resume | Stop):
            if name not in self.recording:
                return f"{name} has no recording in progress"
            if isinstance(step, Pause) == (name in self.paused) and not isinstance(step, Stop):
                return f"{name}'s recording is {'already paused' if isinstance(step, Pause) else 'not paused'}"
            if isinstance(step, Pause):
                self.paused.add(name)
            else:
                self.paused.discard(name)
        if isinstance(step, Stop | Leave | Crash):
            self.recording.pop(name, None)
            self.paused.discard(name)
        if isinstance(step, Leave | Crash):
            self.inside.discard(name)
        if isinstance(step, Crash):
            self.crashed.add(name)
        return None


def problems(scenario: Scenario) -> Iterator[tuple[int, str]]:
    """Yield each impossible step's number, counted from 0, and the reason.

    Steps after the first impossible step may be impossible only because of that step.
    """
    check = SequenceCheck(scenario)
    for number, step in enumerate(scenario.steps):
        if problem := check.problem(step):
            yield number, problem
    if not check.recorded:
        yield len(scenario.steps) - 1, 'no step starts a recording; add { start = "NAME" }'
