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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.scenario.steps import Scenario


class Course:
    """Who is in the room and who records, as far as the steps go."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.inside: set[str] = set()
        self.recording: set[str] = set()
        self.paused: set[str] = set()
        self.recorded: set[str] = set()

    def problem(self, step: Step) -> str | None:
        """Return why a step can't come now, or None, and go one step on."""
        for name in step.actors:
            said = self._comes(name) if isinstance(step, Join) else self._acts(step, name)
            if said:
                return said
        if isinstance(step, Wait):
            for one in step.expect:
                if one.participant not in self.known:
                    return f"{one.participant} has not joined before"
                if one.seen is None and one.heard is None:
                    return f"say whether {one.participant} is seen or heard"
            if step.expect and not self.recording:
                return "something is expected, and nobody records"
        return None

    def _comes(self, name: str) -> str | None:
        if name in self.known:
            return f"{name} has joined before; give each participant a name of their own"
        self.known.add(name)
        self.inside.add(name)
        return None

    def _acts(self, step: Step, name: str) -> str | None:
        if name not in self.known:
            return f"{name} has not joined before; there is {', '.join(sorted(self.known)) or 'nobody yet'}"
        if isinstance(step, Download | Clean | WaitFor):
            return None if name in self.recorded else f"{name} has recorded nothing before"
        if name not in self.inside:
            return f"{name} is not in the room any more"
        return self._records(step, name)

    def _records(self, step: Step, name: str) -> str | None:
        if isinstance(step, Start):
            self.recording.add(name)
            self.recorded.add(name)
            self.paused.discard(name)
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
            self.recording.discard(name)
        if isinstance(step, Leave | Crash):
            self.inside.discard(name)
        return None


def problems(scenario: Scenario) -> Iterator[tuple[int, str]]:
    """Yield the number of each step that can't come when it comes, from 0 on, and why; the first is the cause."""
    course = Course()
    for number, step in enumerate(scenario.steps):
        if said := course.problem(step):
            yield number, said
    if not course.recorded:
        yield len(scenario.steps) - 1, 'nobody records anything up to here: add { start = "NAME" }'
