"""The table of promised figures: each fault test adds its measurement next to the bar."""

import os
from dataclasses import dataclass, field

# The counts of the promise; the quick form does the same a few times, and holds nobody to a time limit.
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
    """What has been measured so far."""

    rows: list[Row] = field(default_factory=list)
    # Whether a missed bar is an error at once.
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
        verdicts = ["", *("ok" if row.met else "MISSED" for row in self.rows)]
        return [f"{line}  {verdict}".rstrip() for line, verdict in zip(lines, verdicts, strict=True)]


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of them does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(share * (len(ranked) - 1)))]
