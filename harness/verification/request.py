"""The request to analyze a file: the file, its manifest, the limits and the caller's expectations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.verification.report.redaction import redacted_path, redacted_source
from harness.verification.report.report import Report
from harness.verification.values.findings import Finding
from harness.verification.values.profiles import DEFAULT, shown_name

if TYPE_CHECKING:
    from pathlib import Path

    from harness.verification.sources import Source
    from harness.verification.values.expectations import Expectation
    from harness.verification.values.limits import Limits


@dataclass(frozen=True, kw_only=True)
class VerifyRequest:
    """The file to verify, and the options of ``verify``. There may be no manifest at ``manifest_path``.

    If several files are verified as one call, ``sources`` are the files to read, and ``notes`` are findings about
    playlists, each with the path of its playlist. ``path`` is then the first path that the user specified, and
    ``manifest_path`` is None unless there is a manifest of the whole call.

    ``profile`` is the name of the limits to use. ``track`` is the index of the track to examine instead of the default
    one, or None. ``redact`` is the name of the file in a redacted report, without its suffix. A redacted report
    contains no names of participants or files.
    """

    path: Path
    manifest_path: Path | None
    duration: float | None
    limits: Limits
    expect: tuple[Expectation, ...]
    expected: tuple[str, ...] = ()
    complete: bool = False
    track: int | None = None
    profile: str = DEFAULT
    redact: str | None = None
    sources: tuple[Source, ...] = ()
    notes: tuple[tuple[Path, Finding], ...] = ()

    @property
    def display_path(self) -> Path:
        """The path that the report shows for the file."""
        return redacted_path(self.path, self.redact) if self.redact else self.path

    @property
    def display_sources(self) -> tuple[Source, ...]:
        """The sources with the paths and names that the report shows."""
        if not self.redact:
            return self.sources
        numbers = {path: number for number, path in enumerate(dict.fromkeys(one.path for one in self.sources), 1)}
        return tuple(redacted_source(one, f"{self.redact} {numbers[one.path]}") for one in self.sources)

    def report(self, **values: Any) -> Report:
        """Return a report on the file. ``values`` are the report's other fields."""
        profile = shown_name(self.profile, redacted=bool(self.redact))
        return Report(path=self.display_path, profile=profile, redacted=bool(self.redact), **values)

    def unreadable_report(self, reason: str, source: int | None = None) -> Report:
        """Return a failed report on the file. The report's message consists of the file's name and ``reason``.

        ``source`` is the number of the source that can't be read, if several files are verified as one call.
        """
        name = self.display_path.name if source is None else self.display_sources[source].name
        message = f"{name} {reason}"
        return self.report(media=None, findings=(Finding(check="container", result="failed", message=message),))
