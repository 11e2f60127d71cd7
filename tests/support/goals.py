"""The table of promised figures: each test adds its measurement and the bar that it must meet."""

import os
from dataclasses import dataclass, field

# Whether to run the promised number of repetitions; the quick form repeats less, and enforces no time limit.
FULL = os.environ.get("HARNESS_FULL") == "1"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    bar: str
    figure: str
    met: bool


@dataclass
class Goals:
    """All measurements so far."""

    rows: list[Row] = field(default_factory=list)
    # Whether a missed bar fails the test.
    strict: bool = FULL

    def measured(self, what: str, *, bar: str, figure: str, met: bool) -> None:
        """Record a figure next to its bar; in the full form a missed bar fails the test."""
        self.rows.append(Row(what, bar, figure, met))
        assert met or not self.strict, f"{what}: {figure}, where the bar is {bar}."

    def table(self) -> list[str]:
        """Return the table's lines."""
        heads = Row("what", "bar", "measured", met=True)
        widths = [max(len(getattr(row, name)) for row in (heads, *self.rows)) for name in ("what", "bar", "figure")]
        lines = [
            "  ".join(value.ljust(width) for value, width in zip((row.what, row.bar, row.figure), widths, strict=True))
            for row in (heads, *self.rows)
        ]
        results = ["", *("ok" if row.met else "MISSED" for row in self.rows)]
        return [f"{line}  {result}".rstrip() for line, result in zip(lines, results, strict=True)]


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(share * (len(ranked) - 1)))]
