"""What a test leaves: which recordings stay, what its failure's folder gets, and what reporters are given."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest

from harness.errors import HarnessError
from harness.pytest_plugin.bundle import Bundle
from harness.pytest_plugin.options import keep
from harness.verification.unreadable import report_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.recording.recording import Recording

_log = logging.getLogger(__name__)

# Whether a test has failed so far.
FAILED: Final = pytest.StashKey[bool]()
# pytest-playwright names its traces, videos and screenshots so.
_ARTIFACT: Final = "playwright_"
_BUNDLE: Final = "recording_bundle"


@dataclass(frozen=True)
class Left:
    """What a test's room left: its recordings, and the failure's folder, if it has one."""

    recordings: tuple[Recording, ...]
    bundle: Bundle | None


_LEFT: Final = pytest.StashKey[Left]()


def leave(item: pytest.Item, recordings: Sequence[Recording], bundle: Bundle | None) -> None:
    """Note what a room's participants have recorded, and the failure's folder, if the test has failed so far.

    What becomes of the recordings is decided at the very end: fixtures that are torn down later may fail as well.
    """
    item.stash[_LEFT] = Left(tuple(recordings), bundle)


def finish(item: pytest.Item, report: pytest.TestReport, folder: Path) -> None:
    """Keep or remove a test's recordings at its very end, and tell reporters where they are.

    The folder of a failed test, below ``folder``, gets the recordings and Playwright's trace.
    """
    left = item.stash.get(_LEFT, None)
    if left is None:
        return
    # The same test may run again.
    del item.stash[_LEFT]
    failed = item.stash.get(FAILED, False)
    bundle = _filled(left, item, folder) if failed else None
    recordings = left.recordings
    word = keep(item.config)
    if word == "off" or (word == "retain-on-failure" and not failed):
        _remove(recordings)
        recordings = ()
    for recording in recordings:
        report.user_properties.append(("recording", str(recording.path)))
    if bundle:
        for name, path in report.user_properties:
            if name.startswith(_ARTIFACT):
                bundle.add(Path(item.config.invocation_params.dir, str(path)))
        report.user_properties.append((_BUNDLE, str(bundle.folder)))
    _to_html(item, report, Left(recordings, bundle))
    _to_allure(item, recordings, bundle)


def _filled(left: Left, item: pytest.Item, folder: Path) -> Bundle | None:
    """Return the folder of a failed test with its recordings; None where it can't be made."""
    try:
        # A test whose teardown failed after its room was closed has no folder yet, and no pages to look at any more.
        bundle = left.bundle or Bundle(folder, item.nodeid)
        for recording in left.recordings:
            bundle.keep(recording)
        bundle.close()
    except OSError as error:
        _log.warning("The folder of %s is not complete: %s", item.nodeid, error)
        return left.bundle
    return bundle


def _remove(recordings: Sequence[Recording]) -> None:
    for path in (path for recording in recordings for path in recording.files):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s can't be removed: %s", path, error)


def bundles_of(terminal: pytest.TerminalReporter) -> list[tuple[str, str]]:
    """Return each failed test that left a folder, and the folder, also of tests that ran in other processes."""
    reports = [one for kind in terminal.stats.values() for one in kind if isinstance(one, pytest.TestReport)]
    return [
        (report.nodeid, str(value)) for report in reports for name, value in report.user_properties if name == _BUNDLE
    ]


def _to_html(item: pytest.Item, report: pytest.TestReport, left: Left) -> None:
    """Give pytest-html a film and a report of each recording."""
    html: Any = item.config.pluginmanager.getplugin("html")
    if html is None or not getattr(item.config.option, "htmlpath", None):
        return
    beside = Path(item.config.invocation_params.dir, item.config.option.htmlpath).parent
    extras = getattr(report, "extras", [])
    for recording in left.recordings:
        # Links, so that the film is not copied into the report, and from there, so that both can be moved.
        film = _link(recording.path, beside)
        extras.append(html.extras.video(film, name=recording.path.name, mime_type="video/webm", extension="webm"))
        if page := _page(recording, left.bundle):
            extras.append(html.extras.url(_link(page, beside), name=f"Report on {recording.path.name}"))
    report.extras = extras  # type: ignore[attr-defined]


def _link(path: Path, beside: Path) -> str:
    return quote(Path(os.path.relpath(path, beside)).as_posix())


def _to_allure(item: pytest.Item, recordings: Sequence[Recording], bundle: Bundle | None) -> None:
    """Attach each recording and its report to the test in Allure's results."""
    if not getattr(item.config.option, "allure_report_dir", None):
        return
    import allure

    attach: Any = allure.attach

    for recording in recordings:
        attach.file(str(recording.path), name=recording.path.name, attachment_type="video/webm", extension="webm")
        if page := _page(recording, bundle):
            attach.file(
                str(page), name=f"Report on {recording.path.name}", attachment_type="text/html", extension="html"
            )


def _page(recording: Recording, bundle: Bundle | None) -> Path | None:
    """Return the report on a recording as a page: the one of the failure's folder, else one made beside it.

    None where it can't be written.
    """
    page = recording.path.with_suffix(".html")
    if bundle:
        page = bundle.folder / page.name
    try:
        if not page.exists():
            report_on(recording).write_html(page)
    except (HarnessError, OSError) as error:
        _log.warning("The report on %s can't be written: %s", recording.path.name, error)
        return None
    return page
