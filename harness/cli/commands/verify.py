"""``harness verify``: judges recordings that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import (
    DebugOption,
    HtmlOption,
    JsonOption,
    JunitOption,
    Reports,
    debugging,
    print_json,
    stdout,
    writable,
)
from harness.errors import ConfigError, HarnessError, SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.verification import Report


def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings to judge.")],
    *,
    duration: Annotated[
        float | None, typer.Option(envvar="HARNESS_DURATION", help="How long each should last, seconds.", metavar="S")
    ] = None,
    expect: Annotated[
        Path | None,
        typer.Option(envvar="HARNESS_EXPECT", help="Limits, and who is seen and heard when: TOML.", metavar="FILE"),
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", envvar="HARNESS_REDACT", help="Name neither people nor files, to share it.")
    ] = False,
    html: HtmlOption = None,
    junit: JunitOption = None,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Judge recordings: who is in them, when, how smoothly, how far sound is from picture.

    What the manifest beside a file says is compared with what is in the file. Of several files one that is missing, or
    can't be read, has a report that failed; a single one is wrong usage.

    For example:

    - harness verify recordings/standup.webm
    - harness verify recordings/standup.webm --html report.html
    - harness verify recordings/standup.webm --redact --html to-share.html
    - harness verify recordings/*.webm --expect expect.toml --junit results.xml
    """
    if debug:
        debugging(on=True)
    if html and len(files) > 1:
        message = f"--html takes one recording, and {len(files)} were given; for several there are --junit and --json."
        raise ConfigError(message)
    from harness.verification import verify as judge
    from harness.verification.report.junit import write_junit
    from harness.verification.report.target import check_targets
    from harness.verification.values.expectations import Expected, read_expected
    from harness.verification.verify import check_question

    with writable():
        check_targets(html=html, junit=junit)
    expected = read_expected(expect) if expect else Expected()
    if duration is None:
        duration = expected.duration
    check_question(duration, expected.limits, expected.expect)

    def examine(file: Path, redact: bool | str) -> Report:
        return judge(
            file,
            duration=duration,
            limits=expected.limits,
            expect=expected.expect,
            complete=expected.complete,
            redact=redact,
        )

    reports = [examine(files[0], redact)] if len(files) == 1 else _each(files, examine, redact=redact)
    written = Reports()
    if html:
        written.write(lambda: reports[0].write_html(html))
    if junit:
        written.write(lambda: write_junit(reports, junit))
    ok = all(report.ok for report in reports)
    if json:
        print_json({"ok": ok, "reports": [report.as_json() for report in reports]}, error=written.error)
    else:
        console = stdout()
        for report in reports:
            console.print(report)
    written.raise_for_error()
    if not ok:
        raise typer.Exit(1)


def _each(files: Sequence[Path], examine: Callable[[Path, bool | str], Report], *, redact: bool) -> list[Report]:
    """Return a report on every file: one that can't be read has one that failed, and the others keep theirs.

    Raises SetupError where not one of them could be read for want of something that this machine lacks.
    """
    from harness.verification.report.redaction import STEM
    from harness.verification.unreadable import failed_report

    reports: list[Report] = []
    lacking: list[SetupError] = []
    for number, file in enumerate(files, 1):
        # Files without names are told apart by their place.
        stem = f"{STEM} {number}" if redact else False
        try:
            reports.append(examine(file, stem))
        except HarnessError as error:
            if isinstance(error, SetupError):
                lacking.append(error)
            reports.append(failed_report(file, str(error), redact=stem))
    if len(lacking) == len(files):
        raise lacking[0]
    return reports
