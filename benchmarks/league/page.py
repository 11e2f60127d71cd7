"""Write the results as an offline HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from benchmarks.league.script import LATE, MUTED
from benchmarks.league.table import COLUMNS, COST_COLUMNS, FILE_COLUMNS, Column, best_in, cell

# The drawing of the call is this many units wide, without the names.
_WIDTH: Final = 1000
# If other programs use more cores than this, the values of different recorders can't be compared.
_IDLE: Final = 0.15


def write_page(results: dict[str, Any], path: Path) -> Path:
    """Write the page to ``path``, and return it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["prose"] = prose
    text = environment.get_template("page.html.j2").render(
        machine=results["machine"],
        versions=results["versions"],
        script=results["script"],
        lanes=lanes(results["script"]),
        tables=[
            {"title": "The files", "columns": FILE_COLUMNS, "rows": _cells(FILE_COLUMNS, results["table"])},
            {"title": "Crash and cost", "columns": COST_COLUMNS, "rows": _cells(COST_COLUMNS, results["table"])},
        ],
        meanings=COLUMNS,
        recorders=results["recorders"],
        baseline=results["baseline"],
        left_out=results["left_out"],
        load=load_note(results),
    )
    path.write_text(text, encoding="utf-8")
    return path


def prose(text: str) -> Markup:
    """Return a text as HTML, with everything between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def _cells(columns: tuple[Column, ...], table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    best = {column.key: best_in(column, table) for column in columns}
    return [
        {
            "key": row["key"],
            "title": row["title"],
            "cells": [
                {
                    "text": cell(column, row),
                    "best": row["key"] in best[column.key],
                    "known": row[column.key] is not None,
                }
                for column in columns
            ],
        }
        for row in table
    ]


def lanes(script: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the drawing of the call shows for each participant, in units of the drawing."""
    scale = _WIDTH / script["seconds"]
    found = []
    for name in script["names"]:
        start = script["joins"] if name == LATE else 0.0
        notes = []
        if name == MUTED:
            notes.append(_note("microphone off", script["muted"], scale))
        if name == LATE:
            notes.append(_note("poor network", script["dip"], scale))
        found.append({"name": name, "start": start * scale, "width": _WIDTH - start * scale, "notes": notes})
    return found


def _note(text: str, interval: tuple[float, float], scale: float) -> dict[str, Any]:
    return {"text": text, "start": interval[0] * scale, "width": (interval[1] - interval[0]) * scale}


def load_note(results: dict[str, Any]) -> tuple[str, bool]:
    """Return a sentence on how much CPU time other programs used, and whether it was too much for a fair comparison."""
    runs = [*results["baseline"], *(run for entrant in results["recorders"] for run in entrant["runs"])]
    most = max((float(run["cost"]["foreign"]) for run in runs if "cost" in run), default=0.0)
    used = f"While the calls were recorded, other programs used up to {most:.2f} cores"
    if most <= _IDLE:
        return f"{used}.", False
    return (
        f"{used}, so the recorders had less CPU time than on an idle machine, and not all had the same. Repeat the "
        "comparison on an idle machine."
    ), True
