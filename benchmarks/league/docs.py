"""Write the results of the league into docs/league.md."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from benchmarks.league.page import load_note
from benchmarks.league.recorders.recorder import ROOT
from benchmarks.league.table import COST_COLUMNS, FILE_COLUMNS, cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.league.table import Column

PAGE: Final = ROOT / "docs" / "league.md"
_BEGIN: Final = "<!-- league: begin -->"
_END: Final = "<!-- league: end -->"
# The first table is too wide for a page of the documentation, so it is divided.
_PARTS: Final = (FILE_COLUMNS[:9], FILE_COLUMNS[9:], COST_COLUMNS)


def write_docs(results: Path, page: Path = PAGE) -> int:
    """Replace the tables between the page's two HTML comments; return 1 if the results or the comments are missing."""
    if not results.exists():
        sys.stderr.write(f"There are no results at {results}. Run make league first.\n")
        return 1
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        sys.stderr.write(f"{page.name} does not contain the comments around the tables: {_BEGIN} and {_END}.\n")
        return 1
    tables = "\n".join(lines(json.loads(results.read_text(encoding="utf-8"))))
    page.write_text(f"{before}{_BEGIN}\n{tables}\n{_END}{after}", encoding="utf-8")
    return 0


def lines(results: dict[str, Any]) -> Iterator[str]:
    """Yield the lines between the comments."""
    machine, versions, script = results["machine"], results["versions"], results["script"]
    chrome = f", Chrome {versions['chrome']}" if "chrome" in versions else ""
    yield (
        f"Measured on {machine['date']}: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB "
        f"of memory, {machine['system']}{chrome}. The call lasted {script['seconds']:g} s and was repeated "
        f"{_repeats(results)}. {load_note(results)[0]}"
    )
    for part in _PARTS:
        yield ""
        yield from _table(part, results["table"])
    yield ""
    for one in results["left_out"]:
        yield f"{one['title']} was left out. {one['reason']}"
        yield ""
    yield "| recorder | versions |"
    yield "| --- | --- |"
    for one in results["recorders"]:
        listed = ", ".join(f"{name} {_short(version)}" for name, version in one["versions"].items())
        yield f"| {one['title']} | {listed} |"


def _repeats(results: dict[str, Any]) -> str:
    most = max((row["runs"] for row in results["table"]), default=0)
    return {1: "once", 2: "twice"}.get(most, f"{most} times")


def _table(columns: tuple[Column, ...], table: list[dict[str, Any]]) -> Iterator[str]:
    yield f"| recorder | {' | '.join(column.heading for column in columns)} |"
    yield f"| --- |{' ---: |' * len(columns)}"
    for row in table:
        title = f"**{row['title']}**" if row["key"] == "harness" else row["title"]
        yield f"| {title} | {' | '.join(cell(column, row) for column in columns)} |"


def _short(version: str) -> str:
    """Return the part of a version line that is a version number."""
    words = version.replace("\t", " ").split()
    return next((word for word in words if word[:1].isdigit()), version)
