"""If an operation such as writing a file fails, a command still outputs its other results."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from harness.cli.commands.run import _common_failure, _write_reports
from harness.cli.options import ReportFiles
from harness.errors import ConfigError, SetupError
from harness.scenario import Outcome, Scenario
from harness.scenario.steps import Join
from harness.verification.report.failure import failed_report
from tests.support.media.recording_file import write_media
from tests.support.media.scene import Scene, participants
from tests.support.program import PROGRAM, run_harness

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

LONG = "a" * 300 + ".webm"
SCENARIO = 'steps = [ { join = "alice" }, { start = "alice" } ]'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that contains a recording, and a subfolder whose name ends in .webm."""
    write_media(tmp_path / "good.webm", Scene(participants=participants("alice"), frame_rate=15, seconds=1))
    (tmp_path / "folder.webm").mkdir()
    return tmp_path


def test_verify_reports_on_every_file_even_if_some_can_not_be_read(folder: Path) -> None:
    """If one file can't be verified, the JSON output and the JUnit file still contain a report on every file.

    If one of the files can't be verified, the exit code of ``harness verify`` is 1.
    """
    files = ("good.webm", "missing.webm", "folder.webm", LONG, "good.webm")

    ran = run_harness("verify", *files, "--json", "--junit", "results.xml", folder=folder)

    reports = json.loads(ran.stdout)["reports"]
    assert 1 == ran.returncode
    assert [str(folder / name) for name in files] == [report["path"] for report in reports]
    assert reports[0] == reports[4]
    assert reports[0]["media"] is not None
    messages = [report["findings"][0]["message"] for report in reports[1:4]]
    assert "missing.webm does not exist; give the path of a recording." == messages[0]
    assert "folder.webm is not a file; give the path of a recording." == messages[1]
    assert messages[2].endswith("can't be read: File name too long.")
    suites = ET.parse(folder / "results.xml").getroot().findall("testsuite")  # noqa: S314 - our own file
    assert list(files) == [suite.get("name") for suite in suites]
    assert ["1", "1", "1"] == [suite.get("failures") for suite in suites[1:4]]


def test_redacted_report_does_not_name_missing_files(folder: Path) -> None:
    """With --redact, the JSON output and the JUnit file contain each file's number instead of its name."""
    ran = run_harness(
        "verify", "good.webm", "secret.webm", LONG, "--redact", "--json", "--junit", "results.xml", folder=folder
    )

    answer = json.loads(ran.stdout)
    assert ["recording 1.webm", "recording 2.webm", "recording 3.webm"] == [one["path"] for one in answer["reports"]]
    for text in (ran.stdout, ran.stderr, (folder / "results.xml").read_text()):
        assert "secret" not in text
        assert "aaaa" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("verify", "missing.webm"), 2, "missing.webm does not exist"),
        (("verify", "good.webm", "missing.webm", "--duration", "nan"), 2, "duration: nan is not valid"),
        (("convert", "missing.webm"), 2, "missing.webm does not exist"),
        (("record", "--seconds", "-3"), 2, "--seconds: -3 is not valid"),
        (("record", "alice", "b\udcff"), 2, "NAME: 'b\ufffd' is not valid UTF-8"),
        (("record", "--recordings", "b\udcff"), 2, "--recordings: 'b\ufffd' is not valid UTF-8"),
        (("record", "--sfu-room", "b\udcff"), 2, "--sfu-room: 'b\ufffd' is not valid UTF-8"),
        (("run", "scenario.toml", "missing.toml"), 2, "missing.toml can't be read"),
        (
            ("run", "scenario.toml", "scenario.toml", "--executable", "/missing"),
            3,
            "/missing is not an executable program",
        ),
        (("record", "--executable", "/missing"), 3, "/missing is not an executable program"),
    ],
)
def test_failed_command_answers_in_json(folder: Path, arguments: tuple[str, ...], code: int, reason: str) -> None:
    """With --json, a failing command prints one JSON object to stdout.

    On stderr, a failing command prints only the error that the JSON object on stdout contains.
    """
    (folder / "scenario.toml").write_text(SCENARIO)

    ran = run_harness(*arguments, "--json", folder=folder)

    answer = json.loads(ran.stdout)
    assert code == ran.returncode
    assert answer["ok"] is False
    assert reason in answer["error"]
    assert [f"harness: {answer['error']}"] == ran.stderr.splitlines()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Only Linux has /dev/full, which is always full.")  # noqa: PTH110
def test_unwritable_report_does_not_prevent_other_reports_and_json_output(folder: Path) -> None:
    """If the HTML page can't be written, the error is reported.

    The JUnit file and the JSON output are written even if the HTML page can't be written.
    """
    ran = run_harness("verify", "good.webm", "--json", "--html", "/dev/full", "--junit", "results.xml", folder=folder)

    answer = json.loads(ran.stdout)
    assert 2 == ran.returncode
    assert 1 == len(answer["reports"])
    assert "No space left on device" in answer["error"]
    assert answer["error"] in ran.stderr
    assert "<testsuite " in (folder / "results.xml").read_text()


def outcome(folder: Path, name: str, title: str = "") -> Outcome:
    """Return a scenario's outcome with one report on a recording that does not exist."""
    report = failed_report(folder / f"{name}.webm", f"{name}.webm does not exist.")
    return Outcome(title=title, recordings=(), reports=(report,), error=None, seconds=1.0)


def test_unwritable_page_does_not_prevent_other_pages(tmp_path: Path) -> None:
    """If a recording's page can't be written, the index lists the recording without a link.

    The JUnit file is written even if a recording's page can't be written.
    """
    pages, junit, written = tmp_path / "pages", tmp_path / "results.xml", ReportFiles()
    (pages / "first.html").mkdir(parents=True)

    _write_reports([outcome(tmp_path, "first"), outcome(tmp_path, "second", "half \ud83d")], pages, junit, written)

    assert written.error is not None
    assert str(pages / "first.html") in written.error
    index = (pages / "index.html").read_text(encoding="utf-8")
    assert "first.webm" in index
    assert 'href="first.html"' not in index
    assert "half \ufffd" in index
    assert 2 == junit.read_text(encoding="utf-8").count("<testsuite ")


def test_batch_fails_with_the_failure_that_all_scenarios_share() -> None:
    """A batch has a common failure only if all its scenarios fail for the same reason."""
    scenario = Scenario(steps=(Join(join="alice"),))
    lacking, same = (Outcome.failed(scenario, SetupError("no Chrome")) for _ in range(2))
    other = Outcome.failed(scenario, ConfigError("no Chrome"))
    well = Outcome(title="", recordings=(), reports=(), error=None, seconds=0.0)

    assert lacking.failure is _common_failure([lacking, same])
    assert [None, None, None] == [_common_failure(some) for some in ([lacking, other], [lacking, well], [])]


def test_any_text_can_be_printed(folder: Path) -> None:
    """Results can be printed even if a file name is not valid UTF-8 or the terminal's encoding has no check mark."""
    name = b"odd\xff.webm"
    os.rename(os.fsencode(folder / "good.webm"), os.fsencode(folder) + b"/" + name)  # noqa: PTH104 - bytes

    ran = subprocess.run(
        [*PROGRAM, "convert", name, "--to", "mkv"],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert ran.stdout.splitlines()[0] == os.fsencode(folder) + b"/odd\xff.mkv", ran.stderr
    assert b"Traceback" not in ran.stderr
