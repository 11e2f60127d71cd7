"""Report: the verdict on one file, as values, as JSON and as a table in a terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, InstanceOf, computed_field
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.errors import ConfigError, VerificationError
from harness.recording.files.text import printable
from harness.verification.measures.curves import Curves  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.findings import Finding  # noqa: TC001 (pydantic reads it at run time)
from harness.verification.values.intervals import total
from harness.verification.values.models import Media, ParticipantReport, ReportModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from harness.recording.timeline import Interval

_NOTHING = "-"
_COLUMNS = ("present", "fps", "repeated", "skipped", "frozen", "audible", "A/V")
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

    @property
    def _warned(self) -> str:
        """How many warnings there are, in words."""
        return "1 warning" if len(self.warnings) == 1 else f"{len(self.warnings)} warnings"

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
            message = "\n".join((f"{printable(str(self.path))} failed {_count(self.failures)}:", *lines))
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
        passed = f"passed with {self._warned}: {warned}" if warned else "passed"
        return f"<report on {self._name}: {f'failed {_count(self.failures)}: {failed}' if failed else passed}>"

    def __str__(self) -> str:
        # Rich would rather draw into a notebook than into a file.
        plain = Console(file=io.StringIO(), width=_PLAIN_WIDTH, color_system=None, force_jupyter=False)
        plain.print(self, soft_wrap=True)
        return str(plain.file.getvalue()).rstrip()  # type: ignore[attr-defined]

    def __rich__(self) -> RenderableType:
        """Return the verdict, a line about the file, a row for each participant, and what failed."""
        if self.media is None:
            return Group(*(Text.assemble(("✗ ", "bold red"), finding.message) for finding in self.failures))
        parts: list[RenderableType] = [self._verdict(), Text(f"  {described(self.media)}", style="dim")]
        if self.participants:
            parts.append(self._people())
        if self.failures or self.warnings:
            parts.append(self._complaints())
        return Group(*parts)

    def _verdict(self) -> Text:
        if self.ok:
            checks = len({finding.check for finding in self.findings})
            result = f"passed with {self._warned}" if self.warnings else f"passed {checks} checks"
            return Text.assemble(("✓ ", "bold green"), (self._name, "bold"), f"  {result}")
        return Text.assemble(("✗ ", "bold red"), (self._name, "bold"), f"  failed {_count(self.failures)}")

    def _complaints(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        signs = (("✗", "red", self.failures), ("!", "yellow", self.warnings))
        for sign, style, findings in signs:
            for finding in findings:
                table.add_row(Text(f"  {sign} {finding.check}", style=style), Text(finding.message))
        return table

    def _people(self) -> Padding:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        # Who has a long name has it on several lines: a number that is cut off says nothing.
        table.add_column("participant", min_width=11, overflow="fold")
        for heading in _COLUMNS:
            table.add_column(heading, justify="right", no_wrap=True)
        for one in self.participants:
            table.add_row(Text(one.name), *_row(one))
        return Padding.indent(table, 2)


def _row(one: ParticipantReport) -> tuple[str, ...]:
    """Return what stands under the columns for a participant."""
    video, audio, offset = one.video, one.audio, one.av_offset_ms
    return (
        _seconds(one.present),
        f"{video.frame_rate:.1f}" if video else _NOTHING,
        f"{video.repeated_percent:g} %" if video else _NOTHING,
        f"{video.skipped_percent:g} %" if video else _NOTHING,
        _seconds(video.frozen) if video else _NOTHING,
        _seconds(audio.audible) if audio else _NOTHING,
        f"{offset.median:+.0f} ms" if offset else _NOTHING,
    )


def described(media: Media) -> str:
    """Return the file's facts in one line."""
    parts = [
        media.container,
        f"{media.duration:.2f} s",
        f"{media.size / 1e6:.1f} MB",
        f"{media.bitrate / 1e3:.0f} kbps",
    ]
    if video := media.video:
        parts.append(f"{video.codec} {video.width}x{video.height} at {video.frame_rate:.2f} fps")
    if audio := media.audio:
        parts.append(f"{audio.codec} {audio.sample_rate / 1000:g} kHz")
    return " · ".join(parts)


def _seconds(intervals: Sequence[Interval]) -> str:
    return f"{total(intervals):.1f} s" if intervals else _NOTHING


def _count(failures: Sequence[Finding]) -> str:
    return "one check" if len(failures) == 1 else f"{len(failures)} checks"
