"""Recordings and reports can have every name that the file system allows."""

from __future__ import annotations

import os
import re
import shutil
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

import pytest

from harness.scenario import Outcome
from harness.scenario.index_page import write_index
from harness.verification import verify
from harness.verification.report.failure import failed_report
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants
from tests.support.program import run_harness

if TYPE_CHECKING:
    from harness.verification import Report

pytestmark = pytest.mark.parallel

NAMES = (
    "a space & 'quotes' \"double\".webm",
    "Ünïcödé 会議 🎥.webm",
    "-dash.webm",
    "--help.webm",
    "a dot at the end.",
    "two dots..webm",
    "#?%20;+&=~.webm",
    "<b>[red]{{ x }}.webm",
    "http:name.webm",
    "new\nline.webm",
    os.fsdecode(b"not \xff UTF-8.webm"),
    # Together with the suffix, these names have 255 bytes.
    f"{'é' * 125}.webm",
    f"{'x' * 250}.webm",
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording without a manifest."""
    scene = Scene(participants=participants("alice"), width=160, height=90, frame_rate=15, seconds=1.0)
    recording = write_recording(tmp_path_factory.mktemp("paths") / "good.webm", scene)
    recording.manifest.unlink()
    return recording.path


def linked_by(page: Path, attribute: str) -> list[Path]:
    """Return the files to which a page's relative URLs in the given attribute lead, as a browser resolves them."""
    found = re.findall(rf'{attribute}="([^"#]*)"', page.read_text(encoding="utf-8"))
    urls = [unescape(url) for url in found if not url.startswith("data:")]
    assert [] == [url for url in urls if re.match(r"[\w+.-]+:", url)]
    assert [] == [url for url in urls if "?" in url]
    return [Path(os.path.normpath(page.parent / os.fsdecode(unquote_to_bytes(url)))) for url in urls]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_page_links_to_a_recording_with_any_name(good: Path, tmp_path: Path, name: str) -> None:
    """The report's page finds the recording, also from a folder with an unusual name."""
    path = tmp_path / name
    shutil.copy(good, path)
    report = verify(path)

    page = report.write_html(tmp_path / "re ports #1 %" / "page ?.html")

    assert [path] == linked_by(page, "src")


def test_every_file_has_a_report_in_the_xml_file(good: Path, tmp_path: Path) -> None:
    """Options end at ``--``, and names that XML can't represent are changed only in the XML file."""
    for name in NAMES:
        shutil.copy(good, tmp_path / name)

    ran = run_harness("verify", "--junit", "-results.xml", "--", *NAMES, folder=tmp_path)

    assert "Traceback" not in ran.stderr
    suites = ET.parse(tmp_path / "-results.xml").getroot().findall("testsuite")  # noqa: S314 - our own file
    expected = [name.replace("\udcff", "\ufffd") for name in NAMES]
    assert expected == [suite.get("name") for suite in suites]
    # The report on a file that can't be read contains a single finding.
    assert all(int(suite.get("tests", "0")) > 3 for suite in suites)


def test_index_page_links_to_reports_with_any_name(tmp_path: Path) -> None:
    """The links on a batch's index page lead to the reports' pages."""

    def report_on(name: str) -> Report:
        return failed_report(tmp_path / name, "The file does not exist.")

    names = [name for name in NAMES if name.endswith(".webm")]
    reports = tuple(report_on(name) for name in names)
    outcome = Outcome(title="names", recordings=(), reports=reports, error=None, seconds=1.0)
    pages = {report.path: tmp_path / "pages" / f"{report.path.stem}.html" for report in reports}

    write_index([outcome], pages, tmp_path / "pages" / "index.html")

    assert list(pages.values()) == linked_by(tmp_path / "pages" / "index.html", "href")
