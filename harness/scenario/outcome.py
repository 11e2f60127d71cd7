"""Define a scenario's progress and outcome."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import HarnessError
from harness.verification.values.findings import combined

if TYPE_CHECKING:
    from harness.recording.recording import Recording
    from harness.scenario.steps import Scenario
    from harness.verification import Report
    from harness.verification.values.findings import Result

UNTITLED: Final = "scenario"


@dataclass(frozen=True)
class Progress:
    """A scenario's progress: the current ``step``, counted from 1, the number of ``steps``, and the step's text."""

    step: int
    steps: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A scenario's result: its recordings, oldest first, and one report on each.

    ``error`` states which step failed and why. If the scenario could not start, ``failure`` is the exception.
    ``seconds`` is how long the scenario took. ``interrupted`` is true if a user ended the scenario early.
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
        """Return the outcome of a scenario that failed without a recording."""
        return cls(
            title=scenario.title or UNTITLED,
            recordings=(),
            reports=(),
            error=error if isinstance(error, str) else reason_of(error),
            seconds=round(seconds, 1),
            failure=error if isinstance(error, HarnessError) else None,
        )

    @property
    def result(self) -> Result:
        """The combined result of all reports; ``"failed"`` if a step failed or nothing was recorded."""
        return "failed" if self.error is not None else combined(report.result for report in self.reports)

    @property
    def ok(self) -> bool:
        """Whether every step succeeded, there is a recording, and all recordings passed their checks."""
        return self.result == "passed"


def reason_of(error: Exception) -> str:
    """Return an error's message; for an unexpected error, also include its type and the line of code that raised it."""
    if isinstance(error, HarnessError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    lines = str(error).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}{where}"
