"""Show the report as a table in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.recording.files.text import printable
from harness.verification.report.participant_table import COLUMNS, cells, extra_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from harness.verification.report.report import Report
    from harness.verification.values.findings import Finding
    from harness.verification.values.models import Media


def render(report: Report) -> RenderableType:
    """Return the result, a line about the file, a row for each participant, and the failures and warnings."""
    if report.media is None:
        return Group(*(Text.assemble(("✗ ", "bold red"), finding.message) for finding in report.failures))
    parts: list[RenderableType] = [_result(report), Text(f"  {description_of(report.media)}", style="dim")]
    if report.participants:
        parts.append(_participants(report))
    if report.failures or report.warnings:
        parts.append(_problems(report))
    return Group(*parts)


def warnings_of(report: Report) -> str:
    """Return the number of warnings as a phrase."""
    return "1 warning" if len(report.warnings) == 1 else f"{len(report.warnings)} warnings"


def count_of(failures: Sequence[Finding]) -> str:
    """Return the number of failed checks as a phrase."""
    return "one check" if len(failures) == 1 else f"{len(failures)} checks"


def description_of(media: Media) -> str:
    """Return a one-line description of the file."""
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


def _result(report: Report) -> Text:
    name = printable(report.path.name)
    if report.ok:
        checks = len({finding.check for finding in report.findings})
        result = f"passed with {warnings_of(report)}" if report.warnings else f"passed {checks} checks"
        return Text.assemble(("✓ ", "bold green"), (name, "bold"), f"  {result}")
    return Text.assemble(("✗ ", "bold red"), (name, "bold"), f"  failed {count_of(report.failures)}")


def _problems(report: Report) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    signs = (("✗", "red", report.failures), ("!", "yellow", report.warnings))
    for sign, style, findings in signs:
        for finding in findings:
            table.add_row(Text(f"  {sign} {finding.check}", style=style), Text(finding.message))
    return table


def _participants(report: Report) -> Padding:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    # Long names continue on the next line, so that no numbers are cut off.
    table.add_column("participant", min_width=11, overflow="fold")
    for heading in COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for one in report.participants:
        table.add_row(Text(one.name), *cells(one))
        for label, row in extra_rows(one):
            table.add_row(Text(label), *row)
    return Padding.indent(table, 2)
