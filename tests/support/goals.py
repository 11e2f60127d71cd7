"""Collect measurements in a table: each test adds its measured value and the limit for this value."""

import os
from dataclasses import dataclass, field

# Whether to run the full number of repetitions. If not, the tests run fewer repetitions and do not enforce the limits.
FULL = os.environ.get("HARNESS_FULL") == "1"


@dataclass(frozen=True)
class Row:
    """A row of the table: a measured value and its limit."""

    what: str
    bar: str
    figure: str
    met: bool


@dataclass
class Goals:
    """The measurements that tests have added so far."""

    rows: list[Row] = field(default_factory=list)
    # Whether a test fails if its limit is exceeded.
    strict: bool = FULL

    def measured(self, what: str, *, bar: str, figure: str, met: bool) -> None:
        """Add a measurement and its limit; if ``strict`` is true, the test fails if the limit is not met."""
        self.rows.append(Row(what, bar, figure, met))
        assert met or not self.strict, f"{what}: {figure}, but the limit is {bar}."

    def table(self) -> list[str]:
        """Return the lines of the table."""
        heads = Row("what", "bar", "measured", met=True)
        widths = [max(len(getattr(row, name)) for row in (heads, *self.rows)) for name in ("what", "bar", "figure")]
        lines = [
            "  ".join(value.ljust(width) for value, width in zip((row.what, row.bar, row.figure), widths, strict=True))
            for row in (heads, *self.rows)
        ]
        results = ["", *("ok" if row.met else "MISSED" for row in self.rows)]
        return [f"{line}  {result}".rstrip() for line, result in zip(lines, results, strict=True)]


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of the values; ``share`` is between 0 and 1, for example 0.95 for the 95th percentile."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(share * (len(ranked) - 1)))]
