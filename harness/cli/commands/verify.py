"""Implement ``harness verify``, which verifies existing recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.exit_codes import exit_code
from harness.cli.options import (
    AllowUnverifiedOption,
    DebugOption,
    HtmlOption,
    JsonOption,
    JunitOption,
    ReportFiles,
    debugging,
    parse_names,
    print_json,
    stdout,
    writable,
)
from harness.errors import ConfigError, HarnessError, SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.verification import Report


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Recordings to verify. With --together, also playlists (.m3u8, .mpd) and folders."
        ),
    ],
    *,
    manifest: Annotated[
        Path | None,
        typer.Option(
            envvar="HARNESS_MANIFEST",
            help=(
                "Manifest to compare each recording with, for example one that 'harness observe' has written. By "
                "default, it is the file NAME.manifest.json next to the recording."
            ),
            metavar="FILE",
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(envvar="HARNESS_DURATION", help="Expected duration of each recording, in seconds.", metavar="S"),
    ] = None,
    expect: Annotated[
        Path | None,
        typer.Option(
            envvar="HARNESS_EXPECT",
            help=(
                "TOML file with limits and profiles, and with the times when each participant must be visible and "
                "audible."
            ),
            metavar="FILE",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_PROFILE",
            help="Limits to use: default, strict (what rooms on one machine achieve), or a profile from --expect.",
            metavar="NAME",
        ),
    ] = None,
    participants: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_PARTICIPANTS",
            help=(
                "Participants who must be in the call for the whole recording, for example alice,bob. The "
                "participants may be muted or have their cameras off."
            ),
            metavar="NAMES",
        ),
    ] = None,
    track: Annotated[
        int | None,
        typer.Option(
            envvar="HARNESS_TRACK",
            help=(
                "Number of the video or audio track to examine, counting from 0. By default, the file's default tracks "
                "are examined."
            ),
            metavar="N",
            min=0,
        ),
    ] = None,
    together: Annotated[
        bool,
        typer.Option(
            "--together",
            envvar="HARNESS_TOGETHER",
            help=(
                "Verify all files as one call: split recordings, one file for each participant, or HLS and DASH "
                "segments. There is one report, on one timeline."
            ),
        ),
    ] = False,
    redact: Annotated[
        bool,
        typer.Option(
            "--redact",
            envvar="HARNESS_REDACT",
            help="Leave out the names of participants and files, so that the report can be shared.",
        ),
    ] = False,
    allow_unverified: AllowUnverifiedOption = False,
    html: HtmlOption = None,
    junit: JunitOption = None,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Verify recordings: who is in them and when, how smooth the video is, and whether audio and video are in sync.

    Each file is compared with the manifest next to it, or with the one that --manifest specifies. If one of several
    files is missing or can't be read, its report counts as failed. If a single file is given and can't be read, that is
    a usage error (exit code 2). If no check failed, but something could not be examined, the exit code is 4.

    With --together, the files are put onto one timeline, and there is one report on the whole call.

    For example:

    - harness verify recordings/standup.webm
    - harness verify recordings/standup.webm --html report.html
    - harness verify recordings/standup.webm --participants alice,bob
    - harness verify from-the-server.mp4 --manifest recordings/call.manifest.json
    - harness verify recordings/standup.webm --redact --html to-share.html
    - harness verify recordings/*.webm --expect expect.toml --junit results.xml
    - harness verify --together call-1.webm call-2.webm
    - harness verify --together segments/call.m3u8
    """
    if debug:
        debugging(on=True)
    _check_usage(files, html=html, track=track, together=together)
    from harness.verification.report.junit import write_junit
    from harness.verification.report.target import check_targets
    from harness.verification.values.expectations import Expected, read_expected
    from harness.verification.values.findings import combined
    from harness.verification.verify import check_options

    with writable():
        check_targets(html=html, junit=junit)
    expected = read_expected(expect) if expect else Expected()
    chosen = expected.chosen_profile(profile)
    options: dict[str, Any] = {
        "manifest": manifest,
        "duration": expected.duration if duration is None else duration,
        "limits": chosen.limits,
        "profile": chosen.name,
        "expect": expected.expect,
        "expected": parse_names(participants, option="--participants") if participants is not None else (),
        "complete": expected.complete,
        "track": track,
    }
    check_options(options["duration"], chosen.limits, expected.expect)
    reports = _reports(files, options, redact=redact, together=together)
    report_files = ReportFiles()
    if html:
        report_files.write(lambda: reports[0].write_html(html))
    if junit:
        report_files.write(lambda: write_junit(reports, junit))
    result = combined(report.result for report in reports)
    if json:
        print_json(
            {"result": result, "ok": result == "passed", "reports": [report.as_json() for report in reports]},
            error=report_files.error,
        )
    else:
        console = stdout()
        for report in reports:
            console.print(report)
    report_files.raise_for_error()
    raise typer.Exit(exit_code(result, allow_unverified=allow_unverified))


def _check_usage(files: Sequence[Path], *, html: Path | None, track: int | None, together: bool) -> None:
    """Raise ConfigError for options that can't be combined."""
    if html and len(files) > 1 and not together:
        message = (
            f"--html accepts one recording, but {len(files)} were given; use --junit or --json for several, or "
            "--together if they belong to one call."
        )
        raise ConfigError(message)
    if together and track is not None:
        message = "--track can't be used with --together; verify the file with this track on its own."
        raise ConfigError(message)


def _reports(files: Sequence[Path], options: dict[str, Any], *, redact: bool, together: bool) -> list[Report]:
    """Return one report on all files of a call, or a report on each file."""
    from harness.verification import verify as verify_file
    from harness.verification import verify_together

    def make_report(file: Path, redact: bool | str) -> Report:
        return verify_file(file, redact=redact, **options)

    if together:
        return [verify_together(files, redact=redact, **options)]
    if len(files) == 1:
        return [make_report(files[0], redact)]
    return _report_on_each(files, make_report, redact=redact, profile=options["profile"])


def _report_on_each(
    files: Sequence[Path], make_report: Callable[[Path, bool | str], Report], *, redact: bool, profile: str
) -> list[Report]:
    """Return a report on every file; the report on a file that can't be read has the result "failed".

    ``profile`` is the name of the limits to use. Raises SetupError if no file could be read because something is
    missing on this machine.
    """
    from harness.verification.report.failure import failed_report
    from harness.verification.report.redaction import STEM

    reports: list[Report] = []
    setup_errors: list[SetupError] = []
    for number, file in enumerate(files, 1):
        # A redacted report identifies its file by number.
        stem = f"{STEM} {number}" if redact else False
        try:
            reports.append(make_report(file, stem))
        except HarnessError as error:
            if isinstance(error, SetupError):
                setup_errors.append(error)
            reports.append(failed_report(file, str(error), redact=stem, profile=profile))
    if len(setup_errors) == len(files):
        raise setup_errors[0]
    return reports
