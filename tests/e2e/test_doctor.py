"""Tests for ``harness doctor`` with a real browser."""

import io
from pathlib import Path

import pytest
import rich.console

from harness.browser.doctor.doctor import examine
from harness.browser.doctor.report import DoctorReport

pytestmark = [pytest.mark.own_thread, pytest.mark.parallel]


def rendered(report: DoctorReport) -> str:
    """Return the report as it would appear in a terminal."""
    text = io.StringIO()
    rich.console.Console(file=text, width=200).print(report)
    return text.getvalue()


def test_a_machine_that_can_record_has_no_missing_requirement(tmp_path: Path) -> None:
    """The browser supports the WebM codecs and the APIs that the mixer needs."""
    report = examine(recordings=tmp_path / "not" / "yet" / "there")

    assert report.ok, report.missing
    assert report.codecs["vp9"]
    assert report.codecs["opus"]
    assert all(report.mixer.values())
    assert report.disk_free is not None
    assert all(folder.writable for folder in report.folders)
    assert 0 < report.processors <= report.machine_processors
    assert 0 < report.memory_free < report.memory_total
    assert report.version is not None
    assert report.version in rendered(report)


def test_each_codec_is_measured(tmp_path: Path) -> None:
    """For each video codec, the report says how many times faster than real time the machine encodes it."""
    report = examine(recordings=tmp_path, measure=True)

    assert set(report.capacity) == {name for name, there in report.codecs.items() if there} - {"opus"}
    assert all(times > 0 for times in report.capacity.values())
    assert "720p30" in rendered(report)


def test_a_missing_browser_is_reported_and_not_raised(tmp_path: Path) -> None:
    """If the specified browser does not exist, the report says so and names the path."""
    no_browser = tmp_path / "[nothing]"

    report = examine(no_browser)

    assert not report.ok
    assert [requirement.what for requirement in report.missing] == ["a browser"]
    assert "[nothing] is not an executable program" in rendered(report)
