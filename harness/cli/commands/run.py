"""Implement ``harness run``, which runs scenarios, in parallel if requested, and verifies their recordings."""

from __future__ import annotations

import contextlib
import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.live import Live
from rich.text import Text

from harness.cli.exit_codes import exit_code
from harness.cli.interrupt import Interruption, interruptible
from harness.cli.options import (
    AllowUnverifiedOption,
    ConnectOption,
    DebugOption,
    ExecutableOption,
    IceServerOption,
    JsonOption,
    JunitOption,
    RecordingsOption,
    RelayOnlyOption,
    ReportFiles,
    SfuOption,
    SfuRoomOption,
    debugging,
    print_json,
    print_message,
    print_reports,
    stdout,
    writable,
)
from harness.cli.output_streams import make_console, shows_progress
from harness.cli.progress_table import ProgressTable
from harness.recording.files.text import printable, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from harness.batch.job import ScenarioJob
    from harness.errors import HarnessError
    from harness.recording.recording import Recording
    from harness.scenario import Outcome, Scenario
    from harness.verification.values.findings import Result

# File name of the page that links to all reports.
_INDEX: Final = "index.html"


def run(
    scenarios: Annotated[list[Path], typer.Argument(metavar="SCENARIO", help="Scenario files: .toml, .yaml or .yml.")],
    *,
    workers: Annotated[
        int, typer.Option(envvar="HARNESS_WORKERS", help="Maximum number of scenarios to run in parallel.", min=1)
    ] = 1,
    overcommit: Annotated[
        bool,
        typer.Option(
            "--overcommit",
            envvar="HARNESS_OVERCOMMIT",
            help="Run --workers scenarios in parallel even if the machine might be too slow or have too little memory.",
        ),
    ] = False,
    repeat: Annotated[
        int, typer.Option(envvar="HARNESS_REPEAT", help="Number of times to run each scenario.", min=1, max=10_000)
    ] = 1,
    max_wait: Annotated[
        float | None,
        typer.Option(
            envvar="HARNESS_MAX_WAIT",
            help="Limit every 'wait' step to this many seconds, for a quick trial.",
            metavar="S",
            min=2,
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            envvar="HARNESS_DASK",
            help="Run the scenarios on a Dask cluster. Give the scheduler's address, for example tcp://HOST:8786.",
            metavar="ADDRESS",
        ),
    ] = None,
    recordings: RecordingsOption = Path("recordings"),
    html: Annotated[
        Path | None,
        typer.Option(
            envvar="HARNESS_HTML",
            help="Write an index page, and an HTML report with plots for each recording, to DIR.",
            metavar="DIR",
        ),
    ] = None,
    junit: JunitOption = None,
    connect: ConnectOption = None,
    sfu: SfuOption = None,
    sfu_room: SfuRoomOption = None,
    ice_server: IceServerOption = None,
    relay_only: RelayOnlyOption = False,
    headed: Annotated[
        bool, typer.Option("--headed", envvar="HARNESS_HEADED", help="Show the browser windows.")
    ] = False,
    executable: ExecutableOption = None,
    allow_unverified: AllowUnverifiedOption = False,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Run scenarios: participants join, act and leave as the files specify, and every recording is verified.

    The exit code is 4 if every step succeeded and no check failed, but something could not be examined.

    For example:

    - harness run examples/late-joiner.toml
    - harness run examples/*.toml --workers 2 --junit results.xml --html reports
    - harness run examples/second-start.toml --repeat 10
    """
    if debug:
        debugging(on=True)
    from harness.batch.job import ScenarioJob
    from harness.scenario import read_scenario
    from harness.server.rooms.routes import Routes
    from harness.session.venue import Venue
    from harness.verification.report.target import check_targets

    routes = Routes.parse(sfu=sfu, sfu_room=sfu_room, ice_servers=ice_server or (), relay_only=relay_only)
    venue = Venue(executable=executable, headed=headed, connect=connect or (), routes=routes)
    with writable():
        check_targets(html=html / _INDEX if html else None, junit=junit)

    # All files are read before the first scenario runs, so a mistake in any file is reported immediately.
    read = [read_scenario(path) for path in scenarios] * repeat
    if max_wait:
        read = [one.with_max_wait(max_wait) for one in read]
    jobs = [
        ScenarioJob(number=number, scenario=one, recordings=recordings.absolute(), venue=venue)
        for number, one in enumerate(read)
    ]
    # This machine's CPUs limit the number of parallel scenarios only if the browsers run on this machine.
    at_once = _admitted(read, min(workers, len(jobs)), limited=dask is None and not (connect or overcommit))
    with interruptible() as interruption:
        outcomes = _run_here(jobs, at_once, interruption) if dask is None else _run_on_cluster(jobs, dask, interruption)
    files = ReportFiles()
    _write_reports(outcomes, html, junit, files)
    failure = _common_failure(outcomes)
    if failure is None or json:
        _print_outcomes(outcomes, json=json, error=str(failure) if failure else files.error)
    if interruption:
        if files.error:
            print_message(files.error)
        raise typer.Exit(interruption.exit_code or 0)
    if failure is not None:
        raise failure
    files.raise_for_error()
    raise typer.Exit(exit_code(_result_of(outcomes), allow_unverified=allow_unverified))


def _result_of(outcomes: Sequence[Outcome]) -> Result:
    from harness.verification.values.findings import combined

    return combined(outcome.result for outcome in outcomes)


def _admitted(scenarios: Sequence[Scenario], workers: int, *, limited: bool) -> int:
    """Return how many scenarios to run in parallel, and print a message if this is fewer than ``workers``."""
    from harness.batch.processes import admitted

    if limited and (fits := admitted(scenarios, workers)) < workers:
        print_message(
            f"This machine can run {fits} of these scenarios in parallel, not {workers}; use --overcommit to run "
            f"{workers} anyway."
        )
        return fits
    return workers


def _run_here(jobs: Sequence[ScenarioJob], workers: int, interruption: Interruption) -> list[Outcome]:
    """Run the jobs in processes on this machine, and show their progress on stderr."""
    from harness.batch.processes import run_batch

    with _progress_of(jobs) as table:
        return run_batch(
            jobs,
            workers=workers,
            on_progress=table.show_step,
            on_outcome=table.show_outcome,
            interrupted=lambda: bool(interruption),
        )


def _run_on_cluster(jobs: Sequence[ScenarioJob], address: str, interruption: Interruption) -> list[Outcome]:
    """Run the jobs on a Dask cluster, and show their progress on stderr."""
    from harness.batch.cluster import run_on_cluster

    with _progress_of(jobs) as table:
        return run_on_cluster(
            jobs,
            address,
            on_progress=table.show_step,
            on_outcome=table.show_outcome,
            interrupted=lambda: bool(interruption),
            on_rescued=_print_rescued,
        )


@contextlib.contextmanager
def _progress_of(jobs: Sequence[ScenarioJob]) -> Iterator[ProgressTable]:
    """Show a table of the jobs if stderr is a terminal, and print warnings above the table."""
    console = make_console(stderr=True)
    table = ProgressTable([job.scenario.title or "" for job in jobs])
    live = Live(table, console=console, refresh_per_second=4) if shows_progress() else None
    with _warnings_above(console), live or contextlib.nullcontext():
        yield table


def _common_failure(outcomes: Sequence[Outcome]) -> HarnessError | None:
    """Return the error that prevented every scenario from starting, such as a missing Chrome, or None."""
    failures = [outcome.failure for outcome in outcomes]
    different = {(type(failure), str(failure)) for failure in failures}
    return failures[0] if len(different) == 1 else None


def _print_rescued(recording: Recording) -> None:
    print_message(f"A worker crashed; its recording {recording.path} ({recording.duration:.1f} s) was saved.")


@contextlib.contextmanager
def _warnings_above(console: Console) -> Iterator[None]:
    """Print warnings through the console, so that they appear above the progress table."""

    class Above(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.print(shown(f"harness: {record.getMessage()}"), markup=False, highlight=False, soft_wrap=True)

    root = logging.getLogger()
    before, root.handlers = root.handlers, [Above(logging.WARNING)]
    try:
        yield
    finally:
        root.handlers = before


def _write_reports(outcomes: Sequence[Outcome], html: Path | None, junit: Path | None, files: ReportFiles) -> None:
    reports = [report for outcome in outcomes for report in outcome.reports]
    if html:
        # The name "index.html" is reserved for the index page.
        stems = {
            report.path: report.path.stem + ("-report" if report.path.stem == "index" else "") for report in reports
        }
        pages = {path: html / f"{stem}.html" for path, stem in stems.items()}
        for report in reports:
            if not files.write(functools.partial(report.write_html, pages[report.path])):
                del pages[report.path]
        from harness.scenario.index_page import write_index

        files.write(lambda: write_index(outcomes, pages, html / _INDEX))
    if junit:
        from harness.verification.report.junit import write_junit

        broken = {
            f"{outcome.title} ({number})": outcome.error
            for number, outcome in enumerate(outcomes, start=1)
            if outcome.error
        }
        files.write(lambda: write_junit(reports, junit, broken=broken))


def _print_outcomes(outcomes: Sequence[Outcome], *, json: bool, error: str | None) -> None:
    if json:
        print_json(
            {
                "result": _result_of(outcomes),
                "ok": _result_of(outcomes) == "passed",
                "recordings": [recording.as_json() for outcome in outcomes for recording in outcome.recordings],
                "reports": [report.as_json() for outcome in outcomes for report in outcome.reports],
                "scenarios": [
                    {
                        "title": outcome.title,
                        "result": outcome.result,
                        "ok": outcome.ok,
                        "error": outcome.error,
                        "seconds": outcome.seconds,
                        "recordings": [recording.id for recording in outcome.recordings],
                    }
                    for outcome in outcomes
                ],
            },
            error=error,
        )
        return
    from harness.verification.report.terminal import STYLES
    from harness.verification.values.findings import SIGNS

    console = stdout()
    for outcome in outcomes:
        sign = (f"{SIGNS[outcome.result]} ", f"bold {STYLES[outcome.result]}")
        console.print(Text.assemble(sign, (printable(outcome.title), "bold")))
        if outcome.error:
            console.print(shown(f"  {outcome.error}"), markup=False, style="red")
        print_reports(console, outcome.recordings, outcome.reports)
        if not outcome.recordings:
            console.print("  Nothing was recorded.", markup=False)
    if len(outcomes) > 1:
        passed = sum(outcome.ok for outcome in outcomes)
        console.print(f"{passed} of {len(outcomes)} scenarios passed.", markup=False)
