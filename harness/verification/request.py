"""The request to analyze a file: the file, its manifest, the limits and the caller's expectations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.verification.report.redaction import redacted_path
from harness.verification.report.report import Report
from harness.verification.values.findings import Finding
from harness.verification.values.profiles import DEFAULT, shown_name

if TYPE_CHECKING:
    from pathlib import Path

    from harness.verification.values.expectations import Expectation
    from harness.verification.values.limits import Limits


@dataclass(frozen=True, kw_only=True)
class VerifyRequest:
    """The file to verify, and the options of ``verify``. There may be no manifest at ``manifest_path``.

    ``profile`` is the name of the limits to use. ``track`` is the index of the track to examine instead of the default
    one, or None. ``redact`` is the name of the file in a redacted report, without its suffix. A redacted report
    contains no names of participants or files.
    """

    path: Path
    manifest_path: Path
    duration: float | None
    limits: Limits
    expect: tuple[Expectation, ...]
    expected: tuple[str, ...] = ()
    complete: bool = False
    track: int | None = None
    profile: str = DEFAULT
    redact: str | None = None

    @property
    def display_path(self) -> Path:
        """The path that the report shows for the file."""
        return redacted_path(self.path, self.redact) if self.redact else self.path

    def report(self, **values: Any) -> Report:
        """Return a report on the file. ``values`` are the report's other fields."""
        profile = shown_name(self.profile, redacted=bool(self.redact))
        return Report(path=self.display_path, profile=profile, redacted=bool(self.redact), **values)

    def unreadable_report(self, reason: str) -> Report:
        """Return a failed report on the file. The report's message consists of the file's name and ``reason``."""
        message = f"{self.display_path.name} {reason}"
        return self.report(media=None, findings=(Finding(check="container", result="failed", message=message),))
