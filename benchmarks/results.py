"""Compute ratios between runs, print the measured values with their limits, and store the results in a file."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.contest import Form, Run

LATEST: Final = Path(__file__).parent / "results" / "latest.json"
_RESAMPLES: Final = 4000


@dataclass(frozen=True)
class Ratio:
    """One contestant's cost relative to another's in the same repeat: median, 95 % bound, minimum and maximum."""

    median: float
    bound: float
    least: float
    most: float
    pairs: int

    def __str__(self) -> str:
        """Return the ratio as one line of text."""
        return f"{self.median:.2f} (95 % <= {self.bound:.2f}; {self.least:.2f} to {self.most:.2f}, {self.pairs} pairs)"


def ratio(runs: Sequence[Run], form: Form, over: str, *, cost: Callable[[Run], float]) -> Ratio | None:
    """Return the harness's cost divided by that of ``over``; None if no repeat has both contestants.

    ``cost`` returns the cost of a run. Repeats in which ``over`` cost nothing are left out.
    """
    costs = {
        contestant: {one.repeat: cost(one) for one in runs if one.contestant == contestant and one.form == form}
        for contestant in ("ours", over)
    }
    pairs = [own / other for repeat, own in costs["ours"].items() if (other := costs[over].get(repeat, 0.0)) > 0]
    if not pairs:
        return None
    chance = np.random.default_rng(1)
    medians = np.median(chance.choice(pairs, (_RESAMPLES, len(pairs))), axis=1)
    return Ratio(
        median=round(median(pairs), 3),
        bound=round(float(np.quantile(medians, 0.95)), 3),
        least=round(min(pairs), 3),
        most=round(max(pairs), 3),
        pairs=len(pairs),
    )


def middle(runs: Sequence[Run], form: Form, contestant: str, value: Callable[[Run], float | None]) -> float | None:
    """Return the median of a value over one contestant's runs; None if no run has that value."""
    found = [value(one) for one in runs if one.contestant == contestant and one.form == form]
    known = [one for one in found if one is not None]
    return round(median(known), 3) if known else None


@dataclass(frozen=True)
class Bar:
    """One row of the table: a limit and the measured value. ``met`` is None if the limit or the value is missing."""

    what: str
    bar: str
    figure: str
    met: bool | None


def machine() -> dict[str, Any]:
    """Return the date of the measurement and a description of the machine."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def write(results: dict[str, Any]) -> Path:
    """Write the results to the file from which the documentation's tables are generated."""
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return LATEST


def table(bars: Sequence[Bar]) -> list[str]:
    """Return the table as lines of text for a terminal."""
    rows = [("figure", "limit", "measured", "")]
    rows += [(one.what, one.bar, one.figure, {True: "ok", False: "MISSED", None: "-"}[one.met]) for one in bars]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join([*(row[at].ljust(widths[at]) for at in range(3)), row[3]]).rstrip() for row in rows]
