"""Show the report as a table in a terminal, or as a list if the terminal is too narrow for the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.columns import Columns
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.recording.files.text import printable
from harness.verification.report.layouts import place_lines
from harness.verification.report.participant_table import COLUMNS, cells, extra_rows
from harness.verification.values.findings import SIGNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from harness.verification.report.report import Report
    from harness.verification.values.findings import Finding
    from harness.verification.values.models import FileReport, Media, Track, Video


STYLES: Final = {"passed": "green", "warning": "yellow", "failed": "red", "unverified": "magenta"}
# In narrower terminals, a finding's message is printed below the check's name instead of next to it.
_NARROW: Final = 60
_NAME_HEADING: Final = "participant"
_INDENT: Final = 2
_GAP: Final = 2
# Maximum number of files, and of participants in a file, that a list shows.
MOST_FILES: Final = 20
_MOST_NAMES: Final = 6


def render(report: Report) -> RenderableType:
    """Return the result, a line about the file, a row for each participant, and all findings that did not pass.

    If the file's layout was not known before, a line for each place states where a participant was shown.
    """
    if report.media is None:
        return Group(*(Text.assemble((f"{SIGNS['failed']} ", "bold red"), one.message) for one in report.failures))
    parts: list[RenderableType] = [_result(report), Text(f"  {description_of(report.media)}", style="dim")]
    # The covered part of an observed call explains all other times, so it is shown although it is not a problem.
    covered = (one.message for one in report.findings if (one.check, one.result) == ("alignment", "passed"))
    parts += [Text(f"  {text}", style="dim") for text in covered]
    if report.files:
        parts += [Text(f"    {file_text(one)}", style="dim") for one in report.files[:MOST_FILES]]
        parts += [Text(f"    {more_files(report)}", style="dim")] if more_files(report) else []
    elif has_more_tracks(report.media):
        lines = (f"    track {track.index}: {track_text(track)}" for track in report.media.tracks)
        parts += [Text(line, style="dim") for line in lines]
    if report.participants:
        parts.append(_Participants.of(report))
    parts += [Padding.indent(Text(line, style="dim"), _INDENT) for line in place_lines(report)]
    if problems := (*report.failures, *report.unverified, *report.warnings):
        parts.append(_Problems(problems))
    return Group(*parts)


def warnings_of(report: Report) -> str:
    """Return the number of warnings as a phrase."""
    return "1 warning" if len(report.warnings) == 1 else f"{len(report.warnings)} warnings"


def count_of(failures: Sequence[Finding]) -> str:
    """Return the number of failed checks as a phrase."""
    return "one check" if len(failures) == 1 else f"{len(failures)} checks"


def unverified_of(report: Report) -> str:
    """Return a phrase that states how many parts could not be examined."""
    count = len(report.unverified)
    return f"unverified: {count} {'part' if count == 1 else 'parts'} could not be examined"


def description_of(media: Media) -> str:
    """Return a one-line description of the file."""
    parts = [
        media.container,
        f"{media.duration:.2f} s",
        f"{media.size / 1e6:.1f} MB",
        f"{media.bitrate / 1e3:.0f} kbps",
    ]
    if video := media.video:
        shown = f" (shown as {video.display_width}x{video.display_height})" if is_reshaped(video) else ""
        parts.append(f"{video.codec} {video.width}x{video.height}{shown} at {video.frame_rate:.2f} fps")
    if audio := media.audio:
        parts.append(f"{audio.codec} {audio.sample_rate / 1000:g} kHz")
    return " · ".join(parts)


def file_text(file: FileReport) -> str:
    """Return a one-line description of one of several files: its interval, and what is in it."""
    if file.media is None or file.start is None or file.end is None:
        return f"{file.name}: could not be read"
    parts = [f"{file.start:.2f} to {file.end:.2f} s"]
    if file.segments:
        lost = f" ({file.lost_segments} lost)" if file.lost_segments else ""
        parts.append(f"{file.segments} {'segment' if file.segments == 1 else 'segments'}{lost}")
    parts += [kind for kind, track in (("video", file.media.video), ("audio", file.media.audio)) if track]
    parts.append(", ".join(file.participants[:_MOST_NAMES]) or "nobody found")
    return f"{file.name}: {' · '.join(parts)}"


def more_files(report: Report) -> str:
    """Return a line about the files that the list does not show, or an empty string."""
    more = len(report.files) - MOST_FILES
    return f"and {more} more files" if more > 0 else ""


def has_more_tracks(media: Media) -> bool:
    """Return whether the file has tracks that the one-line description does not show."""
    return len(media.tracks) > sum(one is not None for one in (media.video, media.audio))


def is_reshaped(video: Video) -> bool:
    """Return whether players show the video at a size that differs from its frame size."""
    return (video.display_width, video.display_height) != (video.width, video.height)


def track_text(track: Track) -> str:
    """Return a one-line description of a track."""
    parts = [track.kind, track.codec or "unknown codec"]
    parts += [f"{track.width}x{track.height}"] if track.width else []
    parts += [f"{track.sample_rate / 1000:g} kHz"] if track.sample_rate else []
    parts += [f"channels: {track.channels}"] if track.channels else []
    parts += [f"{track.duration:.2f} s"] if track.duration is not None else []
    parts += [f"{track.loudness:.1f} LUFS"] if track.loudness is not None else []
    parts += ["empty"] if track.packets == 0 else ["silent"] if track.silent else ["black"] if track.black else []
    parts += [track.language] if track.language else []
    parts += ["default"] if track.default else []
    parts += ["examined"] if track.examined else []
    return ", ".join(parts)


def _result(report: Report) -> Text:
    checks = len({finding.check for finding in report.findings})
    text = {
        "passed": f"passed with {warnings_of(report)}" if report.warnings else f"passed {checks} checks",
        "unverified": unverified_of(report),
        "failed": f"failed {count_of(report.failures)}",
    }[report.result]
    sign = (f"{SIGNS[report.result]} ", f"bold {STYLES[report.result]}")
    limits = (f"{report.profile} limits", "dim")
    return Text.assemble(sign, (printable(report.title), "bold"), f"  {text}  ", limits)


@dataclass(frozen=True)
class _Problems:
    """The findings that did not pass, each with its message."""

    findings: tuple[Finding, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        narrow = options.max_width < _NARROW
        table = Table.grid(padding=(0, _GAP, 0, 0))
        # A long path continues on the next line, so that it is not cut off.
        for _ in range(2):
            table.add_column(overflow="fold")
        for finding in self.findings:
            check = Text(f"  {SIGNS[finding.result]} {finding.check}", style=STYLES[finding.result])
            if narrow:
                yield from (check, Padding.indent(Text(finding.message), 2 * _INDENT))
            else:
                table.add_row(check, Text(finding.message))
        if not narrow:
            yield table


@dataclass(frozen=True)
class _Participants:
    """The measurements of the participants: for each row, a name and one string for each column."""

    rows: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, report: Report) -> _Participants:
        """Return the rows for a report's participants, with a row for each extra track."""
        return cls(tuple(row for one in report.participants for row in ((one.name, cells(one)), *extra_rows(one))))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        fits = _INDENT + self._least_width() <= options.max_width
        yield Padding.indent(self._table() if fits else self._list(), _INDENT)

    def _least_width(self) -> int:
        """Return how many columns the table needs if every name is wrapped to the width of its heading."""
        columns = zip(COLUMNS, *(values for _, values in self.rows), strict=True)
        return len(_NAME_HEADING) + sum(_GAP + max(map(len, column)) for column in columns)

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
        # Long names continue on the next line, so that no numbers are cut off.
        table.add_column(_NAME_HEADING, min_width=len(_NAME_HEADING), overflow="fold")
        for heading in COLUMNS:
            table.add_column(heading, justify="right", no_wrap=True)
        for name, values in self.rows:
            table.add_row(Text(name), *values)
        return table

    def _list(self) -> Group:
        parts: list[RenderableType] = []
        for name, values in self.rows:
            measured = [Text(f"{heading} {value}") for heading, value in zip(COLUMNS, values, strict=True)]
            parts += [Text(name), Padding.indent(Columns(measured, padding=(0, _GAP)), _INDENT)]
        return Group(*parts)
