"""Whether the steps of a scenario can follow each other, asked before anybody joins."""

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
from harness.verification import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.recording.config import Recorder
    from harness.scenario.steps import During, Scenario


class Course:
    """Who is in the room and who records, as far as the steps go."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.inside: set[str] = set()
        self.crashed: set[str] = set()
        # Whoever records, and whom they record: everybody, or themselves alone.
        self.recording: dict[str, Recorder] = {}
        self.paused: set[str] = set()
        self.recorded: set[str] = set()
        # Whose last recording was downloaded, or cleaned.
        self.downloaded: set[str] = set()
        self.cleaned: set[str] = set()

    def problem(self, step: Step) -> str | None:
        """Return why a step can't come now, or None, and go one step on."""
        for name in step.actors:
            said = self._comes(name) if isinstance(step, Join) else self._acts(step, name)
            if said:
                return said
        if isinstance(step, Wait):
            return next((said for one in step.expect if (said := self._expected(one))), None)
        if isinstance(step, WaitFor):
            return self._never_comes(step)
        if isinstance(step, Download):
            return self._downloads(step)
        return None

    def _expected(self, one: During) -> str | None:
        """Return why no recording can tell what is expected of somebody while time passes."""
        name = one.participant
        if name not in self.known:
            return self._unknown(name)
        if one.visible is None and one.audible is None:
            return f"specify 'visible' or 'audible' for {name}"
        running = {who: whom for who, whom in self.recording.items() if who not in self.paused}
        if not running:
            paused = ", ".join(sorted(self.paused & self.recording.keys()))
            return (
                f"something is expected, and nobody records{f': the recording of {paused} is paused' if paused else ''}"
            )
        if name not in running and "all" not in running.values():
            return f"{name} is expected, and only {', '.join(sorted(running))} is recorded"
        return None

    def _never_comes(self, step: WaitFor) -> str | None:
        """Return why what is awaited of a recording can't come, as far as only a step brings it."""
        name = step.wait_for
        if step.state == "recording" and (name not in self.recording or name in self.paused):
            return f"{name} does not record, so that never comes"
        if step.state == "paused" and name not in self.paused:
            return f"{name}'s recording is not paused, so that never comes"
        if step.state == "cleaned" and name not in self.cleaned:
            return f"{name}'s recording is not cleaned, so that never comes"
        if step.event == "downloaded" and name not in self.downloaded:
            return f"{name} has downloaded nothing since the start, so that never comes"
        return None

    def _downloads(self, step: Download) -> str | None:
        """Return why what is expected of a recording can't be told; a download ends what still runs."""
        self.downloaded.add(step.download)
        self.recording.pop(step.download, None)
        limits = step.limits or Limits()
        for one in step.expect:
            if one.participant not in self.known:
                return self._unknown(one.participant)
            if said := one.problem(limits):
                return said
            last = one.start if one.end is None else one.end
            if step.duration is not None and last > step.duration + limits.duration:
                return f"{one.participant} is expected at {last:g} s, and the recording should last {step.duration:g} s"
        return None

    def _unknown(self, name: str) -> str:
        return f"{name} has not joined before; there is {', '.join(sorted(self.known)) or 'nobody yet'}"

    def _comes(self, name: str) -> str | None:
        if name in self.known:
            return f"{name} has joined before; give each participant a name of their own"
        self.known.add(name)
        self.inside.add(name)
        return None

    def _acts(self, step: Step, name: str) -> str | None:
        if name not in self.known:
            return self._unknown(name)
        if name in self.crashed:
            return f"{name}'s page has crashed; what it recorded is kept without a download"
        if isinstance(step, Clean):
            self.cleaned.add(name)
        if isinstance(step, Download | Clean | WaitFor):
            return None if name in self.recorded else f"{name} has recorded nothing before"
        if name not in self.inside:
            return f"{name} is not in the room any more"
        return self._records(step, name)

    def _records(self, step: Step, name: str) -> str | None:
        if isinstance(step, Start):
            self.recording[name] = step.recorder
            self.recorded.add(name)
            for before in (self.paused, self.downloaded, self.cleaned):
                before.discard(name)
        elif isinstance(step, Pause | Resume | Stop):
            if name not in self.recording:
                return f"{name} records nothing then"
            if isinstance(step, Pause) == (name in self.paused) and not isinstance(step, Stop):
                return f"{name}'s recording is {'paused already' if isinstance(step, Pause) else 'not paused'}"
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
    """Yield the number of each step that can't come when it comes, from 0 on, and why; the first is the cause."""
    course = Course()
    for number, step in enumerate(scenario.steps):
        if said := course.problem(step):
            yield number, said
    if not course.recorded:
        yield len(scenario.steps) - 1, 'nobody records anything up to here: add { start = "NAME" }'
