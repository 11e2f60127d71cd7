"""``harness verify``: judges recordings that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import (
    DebugOption,
    HtmlOption,
    JsonOption,
    JunitOption,
    debugging,
    print_json,
    stdout,
    writable,
)
from harness.errors import ConfigError


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

    What the manifest beside a file says is compared with what is in the file.

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
    from harness.verification.expectations import Expected, read_expected
    from harness.verification.junit import write_junit
    from harness.verification.redact import STEM
    from harness.verification.written import check_targets

    with writable():
        check_targets(html=html, junit=junit)
    expected = read_expected(expect) if expect else Expected()
    if duration is None:
        duration = expected.duration
    reports = [
        judge(
            file,
            duration=duration,
            limits=expected.limits,
            expect=expected.expect,
            complete=expected.complete,
            # Several are told apart by their place.
            redact=f"{STEM} {number}" if redact and len(files) > 1 else redact,
        )
        for number, file in enumerate(files, 1)
    ]
    with writable():
        if html:
            reports[0].write_html(html)
        if junit:
            write_junit(reports, junit)
    ok = all(report.ok for report in reports)
    if json:
        print_json({"ok": ok, "reports": [report.as_json() for report in reports]})
    else:
        console = stdout()
        for report in reports:
            console.print(report)
    if not ok:
        raise typer.Exit(1)
