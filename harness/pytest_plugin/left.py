"""What a test leaves: which recordings stay, what its failure's folder gets, and what reporters are given."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest

from harness.pytest_plugin.options import keep
from harness.verification.verdict import verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.pytest_plugin.bundle import Bundle
    from harness.recording.recording import Recording

# Whether a test has failed so far.
FAILED: Final = pytest.StashKey[bool]()
# pytest-playwright names its traces, videos and screenshots so.
_ARTIFACT: Final = "playwright_"
_BUNDLE: Final = "recording_bundle"


@dataclass(frozen=True)
class Left:
    """What a test's room left: the recordings that stay, and where its failure's folder is, if it has one."""

    recordings: tuple[Recording, ...]
    bundle: Bundle | None


_LEFT: Final = pytest.StashKey[Left]()


def leave(item: pytest.Item, recordings: Sequence[Recording], bundle: Bundle | None) -> None:
    """Sort what a room's participants have recorded: into the failure's folder, or away."""
    failed = item.stash.get(FAILED, False)
    if bundle:
        for recording in recordings:
            bundle.keep(recording)
        bundle.close()
    word = keep(item.config)
    if word == "off" or (word == "retain-on-failure" and not failed):
        for recording in recordings:
            for path in recording.files:
                path.unlink(missing_ok=True)
        recordings = ()
    item.stash[_LEFT] = Left(tuple(recordings), bundle)
    _to_allure(item, recordings, bundle)


def finish(item: pytest.Item, report: pytest.TestReport) -> None:
    """Tell reporters, at a test's very end, where its recordings are; its failure's folder gets Playwright's trace."""
    left = item.stash.get(_LEFT, None)
    if left is None:
        return
    for recording in left.recordings:
        report.user_properties.append(("recording", str(recording.path)))
    if left.bundle:
        for name, path in report.user_properties:
            if name.startswith(_ARTIFACT):
                left.bundle.add(Path(item.config.invocation_params.dir, str(path)))
        report.user_properties.append((_BUNDLE, str(left.bundle.folder)))
    _to_html(item, report, left)


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
        film, page = (_link(path, beside) for path in (recording.path, _page(recording, left.bundle)))
        extras += [
            html.extras.video(film, name=recording.path.name, mime_type="video/webm", extension="webm"),
            html.extras.url(page, name=f"Report on {recording.path.name}"),
        ]
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
        page = _page(recording, bundle)
        attach.file(str(recording.path), name=recording.path.name, attachment_type="video/webm", extension="webm")
        attach.file(str(page), name=f"Report on {recording.path.name}", attachment_type="text/html", extension="html")


def _page(recording: Recording, bundle: Bundle | None) -> Path:
    """Return the report on a recording as a page: the one of the failure's folder, else one made beside it."""
    if bundle:
        return bundle.folder / recording.path.with_suffix(".html").name
    page = recording.path.with_suffix(".html")
    if not page.exists():
        verify(recording).write_html(page)
    return page
