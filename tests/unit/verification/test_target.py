"""Writing a report may overwrite only an earlier report or an empty file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from harness.errors import ConfigError
from harness.verification import verify
from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants
from tests.support.program import run_harness

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

SCENE = Scene(participants=participants("alice"), width=160, height=90, frame_rate=15, seconds=1.0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--html", "standup.webm"),
        ("--html", "standup.manifest.json"),
        ("--junit", "standup.manifest.json"),
        ("--junit", "page.html"),
    ],
    ids=" ".join,
)
def test_report_never_overwrites_a_recording_or_its_manifest(tmp_path: Path, arguments: tuple[str, str]) -> None:
    """Before verification, a report that would overwrite a recording or manifest is refused with a one-line error."""
    recording = write_recording(tmp_path / "standup.webm", SCENE)
    (tmp_path / "page.html").write_text("<!doctype html>")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    ran = run_harness("verify", "standup.webm", *arguments, folder=tmp_path)

    assert (2, "") == (ran.returncode, ran.stdout)
    assert f"{arguments[1]} exists and is not an" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert recording.path in before


def test_report_of_scenarios_never_overwrites_a_scenario(tmp_path: Path) -> None:
    """A report path that can't be used is refused before any scenario runs, because scenarios can take hours."""
    (tmp_path / "standup.toml").write_text("steps = []")

    ran = run_harness("run", "standup.toml", "--junit", "standup.toml", folder=tmp_path)

    assert (2, "") == (ran.returncode, ran.stdout)
    assert "standup.toml exists and is not an XML file" in ran.stderr


def test_write_methods_refuse_other_files(tmp_path: Path) -> None:
    """The methods that write a report refuse to overwrite other files."""
    report = verify(write_recording(tmp_path / "standup.webm", SCENE))

    with pytest.raises(ConfigError, match="is not an HTML page"):
        report.write_html(report.path)
    with pytest.raises(ConfigError, match="is not an XML file"):
        report.write_junit(report.path)


def test_report_replaces_a_report_that_an_editor_has_saved(tmp_path: Path) -> None:
    """An editor may add a byte order mark to a report."""
    report = verify(write_recording(tmp_path / "standup.webm", SCENE))
    page = report.write_html(tmp_path / "report.html")
    page.write_text(page.read_text(encoding="utf-8"), encoding="utf-8-sig")

    report.write_html(page)

    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_report_replaces_an_earlier_report(tmp_path: Path) -> None:
    """A report may replace an earlier report or an empty file.

    Some programs create empty files to reserve names, so a report is allowed to replace an empty file.
    """
    report = verify(write_recording(tmp_path / "standup.webm", SCENE))
    (tmp_path / "empty").touch()

    for _ in range(2):
        report.write_html(tmp_path / "report.html")
        report.write_junit(tmp_path / "report.xml")

    assert report.write_html(tmp_path / "empty").read_text().startswith("<!doctype html>")


def test_report_is_not_written_to_a_pipe_nor_twice_to_one_file(tmp_path: Path) -> None:
    """Writing a report to a pipe, or both reports to the same file, is refused before verification starts.

    Writing a report to a pipe would block once verification has ended.
    """
    write_recording(tmp_path / "standup.webm", SCENE)
    os.mkfifo(tmp_path / "pipe")

    pipe = run_harness("verify", "standup.webm", "--html", "pipe", folder=tmp_path)
    both = run_harness("verify", "standup.webm", "--html", "report", "--junit", "report", folder=tmp_path)

    assert (2, "", 2, "") == (pipe.returncode, pipe.stdout, both.returncode, both.stdout)
    assert "pipe exists and is not a file" in pipe.stderr
    assert "report can't be both the HTML page and the XML file" in both.stderr
    assert not (tmp_path / "report").exists()
