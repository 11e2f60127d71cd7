"""Keep or remove a test's recordings, fill its failure folder, and link to the files in test reports."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest

from harness.errors import HarnessError
from harness.pytest_plugin.options import keep_mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.pytest_plugin.bundle import Bundle
    from harness.recording.recording import Recording
    from harness.session.room import Room

_log = logging.getLogger(__name__)

# Whether the test has already failed.
FAILED: Final = pytest.StashKey[bool]()
# Prefix of the report properties that pytest-playwright adds for traces, videos and screenshots.
_ARTIFACT: Final = "playwright_"
_BUNDLE: Final = "recording_bundle"


@dataclass(frozen=True)
class TestArtifacts:
    """The recordings made in a test's room, the manifests of its observations, and its failure folder, if any."""

    # Without this attribute, pytest would collect the class as a test, because its name begins with "Test".
    __test__ = False

    recordings: tuple[Recording, ...]
    observations: tuple[Path, ...]
    bundle: Bundle | None


_ARTIFACTS: Final = pytest.StashKey[TestArtifacts]()


def store_artifacts(item: pytest.Item, room: Room, bundle: Bundle | None) -> None:
    """Store what was made in a test's room in pytest's item for the test; ``bundle`` is the folder of a failed test.

    Recordings are kept or removed only at the very end of the test, because a later fixture teardown may also fail.
    """
    observations = (one.manifest for one in room.observations if one.finished)
    item.stash[_ARTIFACTS] = TestArtifacts(tuple(room.recordings), tuple(observations), bundle)


def finish_artifacts(item: pytest.Item, report: pytest.TestReport, folder: Path) -> None:
    """At the very end of a test, keep or remove its recordings, and add their paths to the report.

    If the test failed, its recordings and Playwright's trace are stored in a subfolder of ``folder``.
    """
    artifacts = item.stash.get(_ARTIFACTS, None)
    if artifacts is None:
        return
    # Remove the entry, because pytest may run the same test item again.
    del item.stash[_ARTIFACTS]
    failed = item.stash.get(FAILED, False)
    bundle = _fill_bundle(artifacts, item, folder) if failed else None
    recordings, observations = artifacts.recordings, artifacts.observations
    mode = keep_mode(item.config)
    if mode == "off" or (mode == "retain-on-failure" and not failed):
        _remove_files((*(path for recording in recordings for path in recording.files), *observations))
        recordings, observations = (), ()
    report.user_properties += [("recording", str(recording.path)) for recording in recordings]
    report.user_properties += [("observation", str(path)) for path in observations]
    if bundle:
        for name, path in report.user_properties:
            if name.startswith(_ARTIFACT):
                bundle.add_file(Path(item.config.invocation_params.dir, str(path)))
        report.user_properties.append((_BUNDLE, str(bundle.folder)))
    _to_html(item, report, TestArtifacts(recordings, observations, bundle))
    _to_allure(item, recordings, bundle)


def _fill_bundle(artifacts: TestArtifacts, item: pytest.Item, folder: Path) -> Bundle | None:
    """Store a failed test's recordings in its folder, and return the folder, or None if it can't be created."""
    from harness.pytest_plugin.bundle import Bundle

    try:
        # If a teardown failed after the room was closed, there is no folder yet, and it is too late for screenshots.
        bundle = artifacts.bundle or Bundle(folder, item.nodeid)
        for recording in artifacts.recordings:
            bundle.add_recording(recording)
        for manifest in artifacts.observations:
            bundle.add_observation(manifest)
        bundle.write_timeline()
    except OSError as error:
        _log.warning("The artifacts of %s are incomplete: %s", item.nodeid, error)
        return artifacts.bundle
    return bundle


def _remove_files(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s can't be removed: %s", path, error)


def bundles_of(terminal: pytest.TerminalReporter) -> list[tuple[str, str]]:
    """Return each failed test with the path of its failure folder; this includes tests that ran in other processes."""
    reports = [one for kind in terminal.stats.values() for one in kind if isinstance(one, pytest.TestReport)]
    return [
        (report.nodeid, str(value)) for report in reports for name, value in report.user_properties if name == _BUNDLE
    ]


def _to_html(item: pytest.Item, report: pytest.TestReport, artifacts: TestArtifacts) -> None:
    """In pytest-html's report, link to every recording and to its HTML report."""
    html: Any = item.config.pluginmanager.getplugin("html")
    if html is None or not getattr(item.config.option, "htmlpath", None):
        return
    base = Path(item.config.invocation_params.dir, item.config.option.htmlpath).parent
    extras = getattr(report, "extras", [])
    for recording in artifacts.recordings:
        # A link avoids copying the video into the report. Because the link is relative, the report and the video can be
        # moved together.
        video = _link(recording.path, base)
        extras.append(html.extras.video(video, name=recording.path.name, mime_type="video/webm", extension="webm"))
        if page := _page(recording, artifacts.bundle):
            extras.append(html.extras.url(_link(page, base), name=f"Report on {recording.path.name}"))
    report.extras = extras  # type: ignore[attr-defined]


def _link(path: Path, base: Path) -> str:
    return quote(Path(os.path.relpath(path, base)).as_posix())


def _to_allure(item: pytest.Item, recordings: Sequence[Recording], bundle: Bundle | None) -> None:
    """Attach each recording and its report to the test's entry in Allure."""
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
    """Return the path of a recording's HTML report, which is in the failure folder or next to the recording.

    If the report does not exist yet, it is written; if it can't be written, the function returns None.
    """
    from harness.verification.verify import verify_safely

    page = recording.path.with_suffix(".html")
    if bundle:
        page = bundle.folder / page.name
    try:
        if not page.exists():
            verify_safely(recording).write_html(page)
    except (HarnessError, OSError) as error:
        _log.warning("The report on %s can't be written: %s", recording.path.name, error)
        return None
    return page
