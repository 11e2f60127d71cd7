"""Show the progress of every scenario in a batch as a table on the terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from harness.recording.files.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.scenario import Outcome, Progress


@dataclass
class _Row:
    title: str
    progress: Progress | None = None
    outcome: Outcome | None = None


@dataclass
class ProgressTable:
    """A table in which each row shows the current step or the outcome of one scenario."""

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

    def __rich__(self) -> Table:
        """Return the table in its current state."""
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for heading in ("scenario", "step", "", "recordings", "result"):
            table.add_column(heading, no_wrap=True)
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
