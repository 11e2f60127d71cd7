"""Show the progress of every scenario in a batch: as a table, or as a list if the terminal is narrow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.recording.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from harness.scenario import Outcome, Progress

# In narrower terminals, the table would cut off the results.
_TABLE_COLUMNS: Final = 60


@dataclass
class _Row:
    title: str
    progress: Progress | None = None
    outcome: Outcome | None = None


@dataclass
class ProgressTable:
    """Shows the current step or the outcome of each scenario."""

    titles: Sequence[str]
    rows: list[_Row] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = [_Row(title) for title in self.titles]

    def show_step(self, number: int, progress: Progress) -> None:
        """Show the step that a scenario has just started."""
        self.rows[number].progress = progress

    def show_outcome(self, number: int, outcome: Outcome) -> None:
        """Show the outcome of a scenario."""
        self.rows[number].outcome = outcome

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        if options.max_width >= _TABLE_COLUMNS:
            yield self._table()
            return
        for row in self.rows:
            step, detail, _, result = _state(row)
            state = Text("  ").join(text for text in (step, detail, result) if text)
            yield from (Text(printable(row.title)), Padding.indent(state, 2))

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        # Long titles and steps continue on the next line, so that no numbers are cut off.
        for heading in ("scenario", "step", "", "recordings", "result"):
            table.add_column(heading, no_wrap=heading not in {"scenario", ""}, overflow="fold")
        for row in self.rows:
            table.add_row(Text(printable(row.title)), *_state(row))
        return table


def _state(row: _Row) -> tuple[Text, ...]:
    if row.outcome:
        from harness.verification.report.terminal import STYLES
        from harness.verification.values.findings import SIGNS

        count = Text(str(len(row.outcome.recordings)))
        result = Text(f"{SIGNS[row.outcome.result]} {row.outcome.result}", STYLES[row.outcome.result])
        return Text("done", "dim"), Text(f"{row.outcome.seconds:.0f} s", "dim"), count, result
    if row.progress:
        return Text(f"{row.progress.step}/{row.progress.steps}"), Text(printable(row.progress.text)), Text(), Text()
    return Text("waiting", "dim"), Text(), Text(), Text()
