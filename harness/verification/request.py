"""The request that a caller sends to the analysis of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.verification.report.redaction import unnamed
from harness.verification.report.report import Report
from harness.verification.values.findings import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from harness.verification.values.expectations import Expectation
    from harness.verification.values.limits import Limits


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked: the file, the manifest that may lie ``beside`` it, and what the caller expects.

    With ``redact`` the answer names neither people nor files; it is what the file is called there, without suffix.
    """

    path: Path
    beside: Path
    duration: float | None
    limits: Limits
    expect: tuple[Expectation, ...]
    complete: bool = False
    redact: str | None = None

    @property
    def shown(self) -> Path:
        """What the file is called in the answer."""
        return unnamed(self.path, self.redact) if self.redact else self.path

    def report(self, **found: Any) -> Report:
        """Return the report of what was found."""
        return Report(path=self.shown, redacted=bool(self.redact), **found)

    def unreadable(self, why: str) -> Report:
        """Return the report on a file of which nothing can be said but ``why``, which goes on after its name."""
        message = f"{self.shown.name} {why}"
        return self.report(media=None, findings=(Finding(check="container", ok=False, message=message),))
