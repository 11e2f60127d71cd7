"""Write the results as an offline HTML page with the harness's limits and plots of every contestant's CPU usage."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.contest import Form

PAGE: Final = Path(__file__).parent / "results" / "latest.html"
TITLES: Final = {
    "floor": "one unmixed track",
    "ours": "harness",
    "nertc-shipped": "NERTC as shipped (MP4)",
    "nertc-webm": "NERTC forced to WebM",
    "nertc-whole": "NERTC as shipped, all senders at full size",
    "recordrtc": "RecordRTC",
}


def write_page(results: dict[str, Any]) -> Path:
    """Write the page and return its path."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("page.html.j2").render(
        machine=results["machine"], bars=results["bars"], scenes=scenes_of(results)
    )
    PAGE.write_text(text, encoding="utf-8")
    return PAGE


def scenes_of(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each kind of recording with the results of all contestants, lowest CPU usage first."""
    forms: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for run in results["runs"]:
        forms[Form(**run["form"]).label][run["contestant"]].append(run)
    scenes: list[dict[str, Any]] = []
    for label, contestants in forms.items():
        most = max(run["cores"] for runs in contestants.values() for run in runs) * 1.05
        rows = [_row(name, runs, most) for name, runs in contestants.items()]
        scenes.append({"label": label, "rows": sorted(rows, key=lambda row: row["cores"])})
    return scenes


def _row(name: str, runs: list[dict[str, Any]], most: float) -> dict[str, Any]:
    cores = [run["cores"] for run in runs]
    added = [run["cores"] - run["call_cores"] for run in runs]
    repeated = [max(run["repeated"] or 0, run["skipped"] or 0) for run in runs if run["repeated"] is not None]
    return {
        "title": TITLES.get(name, name),
        "own": name == "ours",
        "cores": median(cores),
        "bar": 100 * median(cores) / most,
        "least": 100 * min(cores) / most,
        "most": 100 * max(cores) / most,
        "added": median(added),
        "added_memory": median(run["memory"] - run["call_memory"] for run in runs),
        "frame_rate": median(run["frame_rate"] for run in runs),
        "gap": median(run["gap_max"] for run in runs),
        "repeated": median(repeated) if repeated else None,
        "psnr": median([run["psnr"] for run in runs if run.get("psnr") is not None] or [0.0]),
        "memory": median(run["memory"] for run in runs),
        "kilobits": median(run["kilobits"] for run in runs),
        "runs": len(runs),
    }
