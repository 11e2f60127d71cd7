"""Print the test coverage of the Python code and of the page's JavaScript. `make test` runs this script at the end."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from coverage import Coverage
from coverage.exceptions import CoverageException, CoverageWarning

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "coverage"
PAGE = FOLDER / "page.lcov"
# Files whose code mostly runs in confined processes, which can't write coverage data (see tests/README.md).
CONFINED = (
    "recording/conversion/audio.py",
    "recording/conversion/losses.py",
    "recording/conversion/task.py",
    "recording/conversion/video.py",
    "recording/isolation/child.py",
    "recording/isolation/task_process.py",
    "verification/isolation/worker.py",
    "verification/report/filmstrip.py",
)


def main() -> None:
    """Combine the coverage data from all processes and print the totals."""
    sys.stdout.write(f"coverage of Python: {_python()}\ncoverage of the page: {_page()}\n")


def _python() -> str:
    """Return the percentages of lines and branches in harness/ that the tests ran."""
    coverage = Coverage(data_file=str(FOLDER / "python"))
    report = FOLDER / "python.json"
    try:
        # A data file is incomplete if its process was killed while writing it.
        warnings.simplefilter("ignore", CoverageWarning)
        coverage.combine()
        coverage.save()
        coverage.json_report(outfile=str(report))
    except CoverageException as error:
        return f"not measured: {error}"
    measured = json.loads(report.read_text(encoding="utf-8"))
    totals = measured["totals"]
    lines = _share(totals["covered_lines"], totals["num_statements"])
    branches = _share(totals["covered_branches"], totals["num_branches"])
    others = [file["summary"] for path, file in measured["files"].items() if not path.endswith(CONFINED)]
    rest = _share(sum(one["covered_lines"] for one in others), sum(one["num_statements"] for one in others))
    figures = f"{lines} of lines ({rest} without confined processes), {branches} of branches"
    return f"{figures}; for each file, run .venv/bin/coverage report"


def _page() -> str:
    """Return the share of the page's lines and branches that ran under Node, and the number of browser-only files."""
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "web" / "src").rglob("*.js")}
    try:
        reports = PAGE.read_text(encoding="utf-8").split("end_of_record")
    except OSError as error:
        return f"not measured: {error}"
    found = {"LF": 0, "LH": 0, "BRF": 0, "BRH": 0}
    measured = set()
    for report in reports:
        fields = dict(line.split(":", 1) for line in report.splitlines() if line.startswith(("SF:", *found)))
        if fields.get("SF") in sources:
            measured.add(fields["SF"])
            for name in found:
                found[name] += int(fields.get(name, 0))
    lines, branches = _share(found["LH"], found["LF"]), _share(found["BRH"], found["BRF"])
    left = len(sources) - len(measured)
    return f"{lines} of lines, {branches} of branches in {len(measured)} files; {left} files run only in Chrome"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


if __name__ == "__main__":
    main()
