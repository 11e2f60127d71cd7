"""Write the latest benchmark results to docs/performance.md. Run with ``python -m benchmarks.performance_page``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from benchmarks.contest import ROOT
from benchmarks.page import TITLES, scenes_of
from benchmarks.results import LATEST

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGIN: Final = "<!-- benchmarks: begin -->"
_END: Final = "<!-- benchmarks: end -->"
# Number of scenes on the page. Only these scenes have limits.
_SHOWN: Final = 2


def main() -> int:
    """Update the table between the page's two HTML comments; return 1 if the results or the comments are missing."""
    if not LATEST.exists():
        sys.stderr.write("There are no results yet. Run make bench first.\n")
        return 1
    page = ROOT / "docs" / "performance.md"
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        sys.stderr.write(f"{page.name} does not contain the comments around the table: {_BEGIN} and {_END}.\n")
        return 1
    table = "\n".join(_lines(json.loads(LATEST.read_text(encoding="utf-8"))))
    page.write_text(f"{before}{_BEGIN}\n{table}\n{_END}{after}", encoding="utf-8")
    return 0


def _lines(results: dict[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    yield f"Measured on {machine['date']}: {machine['processor']}, {machine['cores']} cores, {machine['system']}."
    for scene in scenes_of(results)[:_SHOWN]:
        yield ""
        yield f"| {scene['label']} | cores | added | PSNR | fps | longest gap | repeated or skipped | memory | added |"
        yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        for row in scene["rows"]:
            title = f"**{row['title']}**" if row["title"] == TITLES["ours"] else row["title"]
            repeated = "-" if row["repeated"] is None else f"{row['repeated']:.2f} %"
            columns = (
                title,
                f"{row['cores']:.3f}",
                f"{row['added']:+.3f}",
                f"{row['psnr']:.0f} dB" if row["psnr"] else "-",
                f"{row['frame_rate']:.2f}",
                f"{row['gap']:.0f} ms",
                repeated,
                f"{row['memory']:.0f} MB",
                f"{row['added_memory']:+.0f} MB",
            )
            yield f"| {' | '.join(columns)} |"


if __name__ == "__main__":
    sys.exit(main())
