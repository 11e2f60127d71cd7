"""``harness run``: plays scenarios, several at a time where the machine can, and judges what they recorded."""

from __future__ import annotations

import contextlib
import functools
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.cli.interrupt import interruptible
from harness.cli.options import (
    ConnectOption,
    DebugOption,
    ExecutableOption,
    IceServerOption,
    JsonOption,
    JunitOption,
    RecordingsOption,
    RelayOnlyOption,
    Reports,
    SfuOption,
    SfuRoomOption,
    debugging,
    print_json,
    print_verdicts,
    say,
    stdout,
    writable,
)
from harness.recording.files.text import printable, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.errors import HarnessError
    from harness.recording.recording import Recording
    from harness.scenario import Outcome, Progress

# The page that leads to those of the recordings.
_INDEX: Final = "index.html"


def run(
    scenarios: Annotated[list[Path], typer.Argument(metavar="SCENARIO...", help="What happens: .toml or .yaml files.")],
    *,
    workers: Annotated[
        int, typer.Option(envvar="HARNESS_WORKERS", help="So many side by side, if the machine can.", min=1)
    ] = 1,
    overcommit: Annotated[
        bool, typer.Option("--overcommit", envvar="HARNESS_OVERCOMMIT", help="Insist on --workers all the same.")
    ] = False,
    repeat: Annotated[int, typer.Option(envvar="HARNESS_REPEAT", help="Play each so often.", min=1, max=10_000)] = 1,
    longest_wait: Annotated[
        float | None,
        typer.Option(envvar="HARNESS_LONGEST_WAIT", help="Cut every wait down to this, to try it.", metavar="S", min=2),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(envvar="HARNESS_DASK", help="Play them on the Dask cluster of this scheduler.", metavar="ADDRESS"),
    ] = None,
    recordings: RecordingsOption = Path("recordings"),
    html: Annotated[
        Path | None,
        typer.Option(envvar="HARNESS_HTML", help="Folder for a page with plots for each recording.", metavar="DIR"),
    ] = None,
    junit: JunitOption = None,
    connect: ConnectOption = None,
    sfu: SfuOption = None,
    sfu_room: SfuRoomOption = None,
    ice_server: IceServerOption = None,
    relay_only: RelayOnlyOption = False,
    headed: Annotated[bool, typer.Option("--headed", envvar="HARNESS_HEADED", help="Show the windows.")] = False,
    executable: ExecutableOption = None,
    json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Play scenarios: people come, act and leave as the files say, and every recording is judged.

    For example:

    - harness run examples/late-joiner.toml
    - harness run examples/*.toml --workers 2 --junit results.xml --html reports
    - harness run examples/second-start.toml --repeat 10
    """
    if debug:
        debugging(on=True)
    from harness.batch.processes import Order, admitted, run_batch
    from harness.scenario import read_scenario
    from harness.server.rooms.routes import Routes
    from harness.session.venue import Venue
    from harness.verification.report.target import check_targets

    routes = Routes.parse(sfu=sfu, sfu_room=sfu_room, ice_servers=ice_server or (), relay_only=relay_only)
    venue = Venue(executable=executable, headed=headed, connect=connect or (), routes=routes)
    with writable():
        check_targets(html=html / _INDEX if html else None, junit=junit)

    # All are read before any is played: a mistake in the last one is told at once.
    read = [read_scenario(path) for path in scenarios] * repeat
    if longest_wait:
        read = [one.hurried(longest_wait) for one in read]
    orders = [
        Order(
            number=number,
            scenario=one,
            recordings=recordings.absolute(),
            venue=venue,
        )
        for number, one in enumerate(read)
    ]
    at_once = min(workers, len(orders))
    here = dask is None and not connect
    if here and not overcommit and (fits := admitted(read, at_once)) < at_once:
        say(f"This machine holds {fits} of these at a time, not {at_once}; --overcommit insists.")
        at_once = fits
    play_all = functools.partial(run_batch, workers=at_once)
    if dask is not None:
        from harness.batch.cluster import run_on_cluster

        play_all = functools.partial(run_on_cluster, address=dask, rescued=_say_rescued)
    console = Console(stderr=True)
    board = Board([one.title or "" for one in read])
    shown = Live(board, console=console, refresh_per_second=4) if console.is_terminal else None
    with interruptible() as interruption, _warnings_above(console), shown or contextlib.nullcontext():
        outcomes = play_all(orders, tell=board.tell, done=board.done, interrupted=lambda: bool(interruption))
    reports = Reports()
    _write(outcomes, html, junit, reports)
    failure = _common_failure(outcomes)
    if failure is None or json:
        _answer(outcomes, json=json, error=str(failure) if failure else reports.error)
    if interruption:
        if reports.error:
            say(reports.error)
        raise typer.Exit(interruption.exit_code or 0)
    if failure is not None:
        raise failure
    reports.raise_for_error()
    if not all(outcome.ok for outcome in outcomes):
        raise typer.Exit(1)


def _common_failure(outcomes: Sequence[Outcome]) -> HarnessError | None:
    """Return the error for which not one of the scenarios could begin, as where there is no Chrome."""
    failures = [outcome.failure for outcome in outcomes]
    different = {(type(failure), str(failure)) for failure in failures}
    return failures[0] if len(different) == 1 else None


def _say_rescued(recording: Recording) -> None:
    say(f"A worker died; what it had recorded is {recording.path} ({recording.duration:.1f} s).")


@contextlib.contextmanager
def _warnings_above(console: Console) -> Iterator[None]:
    """Let warnings go through the console, which puts them above the table that it keeps up to date."""

    class Above(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.print(shown(f"harness: {record.getMessage()}"), markup=False, highlight=False, soft_wrap=True)

    root = logging.getLogger()
    before, root.handlers = root.handlers, [Above(logging.WARNING)]
    try:
        yield
    finally:
        root.handlers = before


@dataclass
class _Row:
    title: str
    progress: Progress | None = None
    outcome: Outcome | None = None


@dataclass
class Board:
    """The table that shows how far everything is."""

    titles: Sequence[str]
    rows: list[_Row] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = [_Row(title) for title in self.titles]

    def tell(self, number: int, progress: Progress) -> None:
        """Show a step."""
        self.rows[number].progress = progress

    def done(self, number: int, outcome: Outcome) -> None:
        """Show what came of it."""
        self.rows[number].outcome = outcome

    def __rich__(self) -> Table:
        """Return the table as it is now."""
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for heading in ("scenario", "step", "", "recordings", "verdict"):
            table.add_column(heading, no_wrap=True)
        for row in self.rows:
            table.add_row(Text(printable(row.title)), *_state(row))
        return table


def _state(row: _Row) -> tuple[Text, ...]:
    if row.outcome:
        count = Text(str(len(row.outcome.recordings)))
        well = Text("✓ all well", "green") if row.outcome.ok else Text("✗ failed", "red")
        return Text("done", "dim"), Text(f"{row.outcome.seconds:.0f} s", "dim"), count, well
    if row.progress:
        return Text(f"{row.progress.step}/{row.progress.steps}"), Text(printable(row.progress.text)), Text(), Text()
    return Text("waits", "dim"), Text(), Text(), Text()


def _write(outcomes: Sequence[Outcome], html: Path | None, junit: Path | None, written: Reports) -> None:
    reports = [report for outcome in outcomes for report in outcome.reports]
    if html:
        # The index has its name for itself.
        stems = {
            report.path: report.path.stem + ("-report" if report.path.stem == "index" else "") for report in reports
        }
        pages = {path: html / f"{stem}.html" for path, stem in stems.items()}
        for report in reports:
            if not written.write(functools.partial(report.write_html, pages[report.path])):
                del pages[report.path]
        from harness.scenario.index_page import write_index

        written.write(lambda: write_index(outcomes, pages, html / _INDEX))
    if junit:
        from harness.verification.report.junit import write_junit

        broken = {
            f"{outcome.title} ({number})": outcome.error
            for number, outcome in enumerate(outcomes, start=1)
            if outcome.error
        }
        written.write(lambda: write_junit(reports, junit, broken=broken))


def _answer(outcomes: Sequence[Outcome], *, json: bool, error: str | None) -> None:
    if json:
        print_json(
            {
                "ok": bool(outcomes) and all(outcome.ok for outcome in outcomes),
                "recordings": [recording.as_json() for outcome in outcomes for recording in outcome.recordings],
                "reports": [report.as_json() for outcome in outcomes for report in outcome.reports],
                "scenarios": [
                    {
                        "title": outcome.title,
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
    console = stdout()
    for outcome in outcomes:
        sign = Text.assemble(
            ("✓ ", "bold green") if outcome.ok else ("✗ ", "bold red"), (printable(outcome.title), "bold")
        )
        console.print(sign)
        if outcome.error:
            console.print(shown(f"  {outcome.error}"), markup=False, style="red")
        print_verdicts(console, outcome.recordings, outcome.reports)
        if not outcome.recordings:
            console.print("  Nothing was recorded.", markup=False)
    if len(outcomes) > 1:
        well = sum(outcome.ok for outcome in outcomes)
        console.print(f"{well} of {len(outcomes)} scenarios are all well.", markup=False)
