"""Combine the repeats of each recorder into one row of the table."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.league.script import NAMES
from benchmarks.league.stage import FRAME_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOTHING: Final = "-"


@dataclass(frozen=True)
class Column:
    """A column of the table: its heading, its meaning, and how a row's cell is formatted.

    ``best`` is how the best values are recognized: ``most``, ``least`` (closest to 0) or None. If two values differ by
    less than ``tie``, they are equally good.
    """

    key: str
    heading: str
    meaning: str
    form: Callable[[Any], str]
    best: str | None = None
    tie: float = 0.0


def _of_all(value: Any) -> str:
    return f"{value} of {len(NAMES)}"


def _signed(unit: str, digits: int = 0) -> Callable[[Any], str]:
    # Adding 0.0 turns a negative zero into zero.
    return lambda value: f"{round(value, digits) + 0.0:+.{digits}f} {unit}"


def _plain(unit: str, digits: int = 0) -> Callable[[Any], str]:
    return lambda value: f"{value:.{digits}f} {unit}".strip()


def _yes(value: Any) -> str:
    return "yes" if value else "no"


FILE_COLUMNS: Final = (
    Column("visible", "visible", "Number of participants whose video was found in the file.", _of_all, "most"),
    Column("audible", "audible", "Number of participants whose audio was found in the file.", _of_all, "most"),
    Column(
        "missing_seconds",
        "missing",
        "How long participants were not visible or not audible although they should have been, summed over all "
        "participants. One second around each change is not compared.",
        _plain("s", 1),
        "least",
        0.5,
    ),
    Column(
        "wrong_seconds",
        "wrong",
        "How long participants were audible although they were muted or had not joined.",
        _plain("s", 1),
        "least",
        0.5,
    ),
    Column("frame_rate", "fps", f"Frames per second in the file; {FRAME_RATE} were requested.", _plain("", 1)),
    Column(
        "repeated_percent", "repeated", "Frames of the worst participant that repeat.", _plain("%", 1), "least", 0.2
    ),
    Column(
        "skipped_percent",
        "skipped",
        "Frames of the worst participant that were sent but are not in the file.",
        _plain("%", 1),
        "least",
        0.2,
    ),
    Column(
        "freezes",
        "freezes",
        "Number of freezes as defined in the W3C's WebRTC statistics, over all participants.",
        _plain(""),
        "least",
    ),
    Column("frozen_seconds", "frozen", "Total duration of these freezes.", _plain("s", 1), "least", 0.2),
    Column(
        "av_offset_ms",
        "A/V offset",
        "Audio minus video of the worst participant; positive if the audio is late.",
        _signed("ms"),
        "least",
        5.0,
    ),
    Column(
        "drift_ppm",
        "drift",
        "How fast the A/V offset of the worst participant grows. It can be measured only in a full call.",
        _signed("ppm"),
        "least",
        50.0,
    ),
    Column("longest_gap_ms", "longest gap", "Longest time between two frames.", _plain("ms"), "least", 2.0),
    Column("audio_gaps", "audio gaps", "Number of gaps in the audio.", _plain(""), "least"),
    Column(
        "psnr",
        "PSNR",
        "Luma of the participants' backdrops, compared with the computed backdrops.",
        _plain("dB", 1),
        "most",
        0.5,
    ),
    Column("seekable", "seekable", "Whether a player can seek to the middle of the file.", _yes, "most"),
)
COST_COLUMNS: Final = (
    Column(
        "left_seconds",
        "left after kill",
        "Seconds that can still be played after `kill -9` of all processes.",
        _plain("s", 1),
    ),
    Column("lost_seconds", "lost", "Seconds before the `kill -9` that are lost.", _plain("s", 1), "least", 0.2),
    Column(
        "cores",
        "CPU",
        "CPU time per second in addition to the same call without a recording, in cores.",
        _signed("cores", 2),
        "least",
        0.02,
    ),
    Column(
        "memory",
        "memory",
        "Memory (PSS) in addition to the same call without a recording.",
        _signed("MB"),
        "least",
        10.0,
    ),
    Column(
        "stop_seconds", "stop to file", "Time from the stop until the recorder has written its file.", _plain("s", 1)
    ),
    Column("kilobits", "bitrate", "Bitrate of all files together.", _plain("kbps")),
)
COLUMNS: Final = (*FILE_COLUMNS, *COST_COLUMNS)


def rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row per recorder, with the median of every value over all repeats; None if there is no value.

    ``visible``, ``audible`` and ``seekable`` are those of the worst repeat.
    """
    return [_row(entrant, results["baseline"]) for entrant in results["recorders"]]


def _row(entrant: dict[str, Any], baseline: Sequence[dict[str, Any]]) -> dict[str, Any]:
    runs = [run for run in entrant["runs"] if "score" in run]
    scores = [run["score"] for run in runs]
    row: dict[str, Any] = {"key": entrant["key"], "title": entrant["title"], "runs": len(runs)}
    for column in FILE_COLUMNS:
        values = [score[column.key] for score in scores if score[column.key] is not None]
        row[column.key] = _combined(column.key, values)
    row["kilobits"] = _middle([score["kilobits"] for score in scores])
    row["stop_seconds"] = _middle([run.get("stop_seconds") for run in runs])
    alone = {run["repeat"]: run["cost"] for run in baseline if "cost" in run}
    for key in ("cores", "memory"):
        # Only runs of the same repeat are compared, because they ran one right after another.
        row[key] = _middle([run["cost"][key] - alone[run["repeat"]][key] for run in runs if run["repeat"] in alone])
    kills = [kill for kill in entrant["kills"] if "left_seconds" in kill]
    row["left_seconds"] = _middle([kill["left_seconds"] for kill in kills])
    row["lost_seconds"] = _middle([kill["recorded_seconds"] - kill["left_seconds"] for kill in kills])
    return row


def _combined(key: str, values: list[Any]) -> Any:
    if not values:
        return None
    if key in {"visible", "audible"}:
        return min(len(names) for names in values)
    if key == "seekable":
        return all(values)
    return _middle(values)


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def best_in(column: Column, table: Sequence[dict[str, Any]]) -> set[str]:
    """Return the keys of the recorders with the best value in a column; empty if all are equally good."""
    values = {row["key"]: row[column.key] for row in table if row[column.key] is not None}
    if column.best is None or len(values) < 2:  # noqa: PLR2004 - one value can't be the best
        return set()
    distance = {key: -float(value) if column.best == "most" else abs(float(value)) for key, value in values.items()}
    least = min(distance.values())
    found = {key for key, value in distance.items() if value <= least + column.tie}
    return set() if len(found) == len(table) else found


def cell(column: Column, row: dict[str, Any]) -> str:
    """Return the text of a cell."""
    value = row[column.key]
    return NOTHING if value is None else column.form(value)
