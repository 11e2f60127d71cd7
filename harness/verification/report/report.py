"""Report: the verdict on one file, as values, as JSON and as a table in a terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, InstanceOf, computed_field
from rich.console import Console

from harness.errors import ConfigError, VerificationError
from harness.recording.files.text import printable
from harness.verification.report.terminal import count_of, rendered, warnings_of
from harness.verification.values.curves import Curves  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.findings import Finding  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.models import Media, ParticipantReport, ReportModel

if TYPE_CHECKING:
    from rich.console import RenderableType

_PLAIN_WIDTH = 120
_COMPLAINTS = 3


class Report(ReportModel):
    """What ``verify`` found out about the file at ``path``.

    ``media`` is None where nothing could be read. ``findings`` holds those that are well, too: what was checked.
    ``curves`` is what ``html`` plots; it is in no JSON. ``redacted`` says that people and files have no names here.
    """

    path: Path
    media: Media | None
    participants: tuple[ParticipantReport, ...] = ()
    findings: tuple[Finding, ...]
    curves: InstanceOf[Curves] | None = Field(default=None, exclude=True, repr=False)
    redacted: bool = Field(default=False, exclude=True)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that failed."""
        return tuple(finding for finding in self.findings if not finding.ok)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are worth reading although they are well."""
        return tuple(finding for finding in self.findings if finding.warning)

    @property
    def _name(self) -> str:
        """The file's name as it may be shown."""
        return printable(self.path.name)

    def participant(self, name: str) -> ParticipantReport:
        """Return what was found about a participant; raises ConfigError, naming everybody, where there is none."""
        for participant in self.participants:
            if participant.name == name:
                return participant
        everybody = ", ".join(participant.name for participant in self.participants) or "nobody"
        message = f"There is no participant {name!r} in {self._name}; there is {everybody}."
        raise ConfigError(message)

    def raise_for_failures(self) -> None:
        """Raise VerificationError, listing the findings that failed, one a line; do nothing where all is well."""
        if self.failures:
            lines = (f"  {finding.check}: {finding.message}" for finding in self.failures)
            message = "\n".join((f"{printable(str(self.path))} failed {count_of(self.failures)}:", *lines))
            raise VerificationError(message)

    def write_html(self, path: Path | str) -> Path:
        """Write the report as one offline HTML page, which plays the recording from where it lies; return its path."""
        from harness.verification.report.html import write_html

        write_html(self, target := Path(path).absolute())
        return target

    def write_junit(self, path: Path | str) -> Path:
        """Write the findings as JUnit XML; return its path."""
        from harness.verification.report.junit import write_junit

        write_junit([self], target := Path(path).absolute())
        return target

    def as_json(self) -> dict[str, Any]:
        """Return the REPORT object of the command line's answers."""
        values = self.model_dump(mode="json")
        return {key: values[key] for key in ("ok", "path", "media", "participants", "findings")}

    def __repr__(self) -> str:
        """Return what a failed assertion should show of it, in one line."""
        failed = "; ".join(finding.message for finding in self.failures[:_COMPLAINTS])
        warned = "; ".join(finding.message for finding in self.warnings[:_COMPLAINTS])
        passed = f"passed with {warnings_of(self)}: {warned}" if warned else "passed"
        return f"<report on {self._name}: {f'failed {count_of(self.failures)}: {failed}' if failed else passed}>"

    def __str__(self) -> str:
        # Rich would rather draw into a notebook than into a file.
        plain = Console(file=io.StringIO(), width=_PLAIN_WIDTH, color_system=None, force_jupyter=False)
        plain.print(self, soft_wrap=True)
        return str(plain.file.getvalue()).rstrip()  # type: ignore[attr-defined]

    def __rich__(self) -> RenderableType:
        """Return the result, a line about the file, a row for each participant, and what failed."""
        return rendered(self)
