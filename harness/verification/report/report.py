"""Define Report, the result of verifying one file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, InstanceOf, computed_field
from rich.console import Console

from harness.errors import ConfigError, VerificationError
from harness.recording.files.text import printable
from harness.recording.timeline import Words  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.report.terminal import count_of, render, unverified_of, warnings_of
from harness.verification.values.curves import Curves  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.findings import Finding, Result  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.models import FileReport, Media, ParticipantReport, ReportModel
from harness.verification.values.profiles import DEFAULT

if TYPE_CHECKING:
    from rich.console import RenderableType

_PLAIN_WIDTH = 120
_MOST_MESSAGES = 3


class Report(ReportModel):
    """The result of verifying one file.

    ``print(report)`` prints the report as a table, like ``harness verify``.
    """

    path: Path
    """Path of the file. If the report is redacted, the file's name and location are replaced."""
    profile: Words = DEFAULT
    """Name of the limits that the checks used: ``default``, ``strict``, a name from a file, or ``custom`` for other
    limits."""
    media: Media | None
    """Properties of the file; None if the file could not be read. If several files were verified as one call, the
    duration is that of the call, sizes and numbers of frames are totals, and other properties are those of the first
    file."""
    files: tuple[FileReport, ...] = ()
    """The files, if several files were verified as one call. All other times in the report are then positions on the
    timeline of the call."""
    participants: tuple[ParticipantReport, ...] = ()
    """Measurements of each synthetic participant."""
    findings: tuple[Finding, ...]
    """All findings, including those that passed."""
    curves: InstanceOf[Curves] | None = Field(default=None, exclude=True, repr=False)
    """Data of the plots; None if the file could not be read. This field is not part of the JSON."""
    redacted: bool = Field(default=False, exclude=True)
    """Whether aliases replace the names of participants and files. This field is not part of the JSON."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def result(self) -> Result:
        """The result of the recording: ``"passed"``, ``"failed"`` or ``"unverified"``.

        ``"unverified"`` means that no check failed, but that something expected or present could not be examined.
        """
        if self.failures:
            return "failed"
        return "unverified" if self.unverified or not self._with("passed") else "passed"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Whether the recording passed. An unverified recording has not passed."""
        return self.result == "passed"

    @property
    def failures(self) -> tuple[Finding, ...]:
        """All findings that failed."""
        return self._with("failed")

    @property
    def unverified(self) -> tuple[Finding, ...]:
        """All findings about something that could not be examined."""
        return self._with("unverified")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """All warnings, which report problems that did not make a check fail."""
        return self._with("warning")

    def _with(self, result: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.result == result)

    @property
    def _name(self) -> str:
        """The file's name in a form that is safe to print."""
        return printable(self.title)

    @property
    def title(self) -> str:
        """The name of the file; for several files, the name of the first one and the number of the other ones."""
        paths = {one.path for one in self.files}
        others = len(paths) - 1
        if others < 1 or self.path not in paths:
            # A folder or a playlist has one name for all its files.
            return self.path.name
        return f"{self.path.name} and {'1 other file' if others == 1 else f'{others} other files'}"

    def participant(self, name: str) -> ParticipantReport:
        """Return the report on one participant.

        Args:
            name: Name of the participant.

        Raises:
            ConfigError: The report has no participant with this name. The error's message lists all names.
        """
        for participant in self.participants:
            if participant.name == name:
                return participant
        known = ", ".join(participant.name for participant in self.participants) or "nobody"
        message = f"There is no participant {name!r} in {self._name}; the report contains {known}."
        raise ConfigError(message)

    def raise_for_failures(self, *, allow_unverified: bool = False) -> None:
        """Raise an error unless the recording passed.

        Args:
            allow_unverified: Whether to accept an unverified recording, in which no check failed.

        Raises:
            VerificationError: A check failed, or something could not be examined. The error's message has one line for
                each such finding.
        """
        wrong = self.failures or (() if allow_unverified else self.unverified)
        if wrong:
            headline = f"failed {count_of(wrong)}" if self.failures else "is unverified"
            lines = (f"  {finding.check}: {finding.message}" for finding in wrong)
            message = "\n".join((f"{printable(str(self.path))} {headline}:", *lines))
            raise VerificationError(message)

    def write_html(self, path: Path | str) -> Path:
        """Write the report as an HTML page with plots, and return the path of the page.

        The page works offline, and plays the recording from its path.

        Args:
            path: Path of the page. An earlier report at this path is overwritten.

        Raises:
            ConfigError: The path is not valid for a report.
            OSError: The file can't be written.
        """
        from harness.verification.report.html import write_html

        write_html(self, target := Path(path).absolute())
        return target

    def write_junit(self, path: Path | str) -> Path:
        """Write the findings as JUnit XML, and return the path of the file.

        Args:
            path: Path of the file. An earlier report at this path is overwritten.

        Raises:
            ConfigError: The path is not valid for a report.
            OSError: The file can't be written.
        """
        from harness.verification.report.junit import write_junit

        write_junit([self], target := Path(path).absolute())
        return target

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object, in the format that the commands print."""
        values = self.model_dump(mode="json")
        keys = ("result", "ok", "path", "profile", "media", "files", "participants", "findings")
        return {key: values[key] for key in keys}

    def __repr__(self) -> str:
        """Return a one-line summary for the messages of failed assertions."""
        headline, findings = {
            "failed": (f"failed {count_of(self.failures)}", self.failures),
            "unverified": (unverified_of(self), self.unverified),
            "passed": (f"passed with {warnings_of(self)}" if self.warnings else "passed", self.warnings),
        }[self.result]
        messages = "; ".join(finding.message for finding in findings[:_MOST_MESSAGES])
        return f"<report on {self._name}: {headline}{f': {messages}' if messages else ''}>"

    def __str__(self) -> str:
        # Without force_jupyter=False, Rich would write to the notebook instead of the file.
        plain = Console(file=io.StringIO(), width=_PLAIN_WIDTH, color_system=None, force_jupyter=False)
        plain.print(self, soft_wrap=True)
        return str(plain.file.getvalue()).rstrip()  # type: ignore[attr-defined]

    def __rich__(self) -> RenderableType:
        """Return the result, a line about the file, a table of the participants, and the failed findings."""
        return render(self)
