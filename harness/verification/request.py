"""The request to analyze a file: the file, its manifest, the limits and the caller's expectations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.verification.report.redaction import redacted_path
from harness.verification.report.report import Report
from harness.verification.values.findings import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from harness.verification.values.expectations import Expectation
    from harness.verification.values.limits import Limits


@dataclass(frozen=True, kw_only=True)
class VerifyRequest:
    """The file to verify, and the options of ``verify``; the file at ``manifest_path`` may not exist.

    ``redact`` is the name of the file in a redacted report, without its suffix. Such a report names neither
    participants nor files.
    """

    path: Path
    manifest_path: Path
    duration: float | None
    limits: Limits
    expect: tuple[Expectation, ...]
    complete: bool = False
    redact: str | None = None

    @property
    def display_path(self) -> Path:
        """The file's path as the report shows it."""
        return redacted_path(self.path, self.redact) if self.redact else self.path

    def report(self, **values: Any) -> Report:
        """Return a report on the file with the given values."""
        return Report(path=self.display_path, redacted=bool(self.redact), **values)

    def unreadable_report(self, reason: str) -> Report:
        """Return a failed report on a file. ``reason`` completes a sentence that starts with the file name."""
        message = f"{self.display_path.name} {reason}"
        return self.report(media=None, findings=(Finding(check="container", ok=False, message=message),))
