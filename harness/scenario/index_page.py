"""Write a batch's index page, which lists every scenario with its recordings and results, and can be read offline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from harness.verification.report.html import template
from harness.verification.report.target import PAGE, write_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.scenario.outcome import Outcome
    from harness.verification import Report


def write_index(outcomes: Sequence[Outcome], pages: Mapping[Path, Path], target: Path) -> None:
    """Write the index page to ``target``.

    ``pages`` maps each recording's path to the path of its report page. A recording without a report page is listed
    without a link.

    Raises OSError if the index page can't be written, and ConfigError if ``target`` exists but is not an HTML page.
    """
    rows = [
        {
            "title": outcome.title,
            "result": outcome.result,
            "error": outcome.error,
            "seconds": outcome.seconds,
            "reports": [_row(report, pages.get(report.path), target.parent) for report in outcome.reports],
        }
        for outcome in outcomes
    ]
    text = template("harness.scenario", "index.html.j2").render(rows=rows, passed=sum(one.ok for one in outcomes))
    write_report(target, PAGE, text)


def _row(report: Report, page: Path | None, folder: Path) -> dict[str, object]:
    media = report.media
    return {
        "name": report.path.name,
        "page": quote(os.fsencode(os.path.relpath(page, folder))) if page else None,
        "duration": media.duration if media else None,
        "size": media.size if media else None,
        "participants": len(report.participants),
        "findings": [finding.message for finding in (*report.failures, *report.unverified)],
    }
