"""Tests for ``harness doctor`` and ``harness record`` with real limits, another user, small disks and few fonts."""

import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich.console

from harness.browser.doctor.folders import FolderReport
from harness.browser.doctor.report import DoctorReport
from harness.recording.manifest import Manifest
from tests.support.disks import mounted_disk
from tests.support.fonts import LIBERATION, write_font_configuration
from tests.support.jobs.limited_group import limited_group
from tests.support.jobs.users import as_user
from tests.support.program import PROGRAM

pytestmark = pytest.mark.parallel

DOCTOR = [*PROGRAM, "doctor", "--quick", "--json"]
MB = 1_000_000


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that every user can write to, with a short path, because it can contain Chrome's sockets."""
    folder = Path(tempfile.mkdtemp(prefix="harness-", dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def doctor(command: list[str], folder: Path, **environment: str) -> DoctorReport:
    """Run a command line that contains ``harness doctor --json``, and return the report.

    The exit code must be 3 if a requirement is missing, and 0 otherwise.
    """
    ran = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=180
    )
    answer = json.loads(ran.stdout)
    report = DoctorReport.model_validate(answer)
    assert answer["ok"] == report.ok
    assert (0 if report.ok else 3) == ran.returncode, ran.stderr
    assert "Traceback" not in ran.stderr
    return report


def rows(report: DoctorReport) -> list[str]:
    """Return the lines of the report in a wide terminal, with single spaces."""
    text = io.StringIO()
    rich.console.Console(file=text, width=400).print(report)
    return [" ".join(line.split()) for line in text.getvalue().splitlines()]


def recommended(report: DoctorReport) -> dict[str, str]:
    """Return the report's recommendations, by the name of the resource or setting."""
    return {advice.what: advice.remedy for advice in report.recommended}


def folder_for(report: DoctorReport, purpose: str) -> FolderReport:
    """Return the report on one of the folders."""
    return next(folder for folder in report.folders if folder.purpose == purpose)


def test_limits_of_a_group_are_reported(folder: Path) -> None:
    """In a group with half a processor and 700 MB of memory, both limits are reported, and both are too low."""
    with limited_group(processors=0.5, memory=700 * MB) as enter:
        report = doctor([*enter, *DOCTOR], folder)

    assert report.ok, report.missing
    assert 0.5 == report.processors
    # The kernel rounds the limit to whole pages.
    assert pytest.approx(700 * MB, abs=4096) == report.memory_total
    assert report.memory_free < 700 * MB
    assert f"processors 0.5 of {report.machine_processors}" in rows(report)
    assert any(row.startswith("memory 0.") and row.endswith(" GB free of 0.7 GB") for row in rows(report))
    assert {"processors", "memory"} <= recommended(report).keys()


def test_too_little_memory_for_a_room_is_a_missing_requirement(folder: Path) -> None:
    """In a group with 400 MB of memory, there is not enough memory for a room with one participant.

    No browser is started, because it might be killed.
    """
    with limited_group(processors=2, memory=400 * MB) as enter:
        report = doctor([*enter, *DOCTOR, "--executable", "/no/browser"], folder)

    assert ["a browser", "memory"] == [requirement.what for requirement in report.missing]
    assert "memory" not in recommended(report)


@pytest.mark.alone
@pytest.mark.starves
def test_recording_with_a_cpu_limit_reports_how_long_it_was_throttled(folder: Path) -> None:
    """The manifest states how long the limit throttled the programs, and a warning explains what to do."""
    command = [*PROGRAM, "record", "alice", "--seconds", "3", "--name", "limited", "--json"]
    with limited_group(processors=0.5, memory=2_000 * MB) as enter:
        ran = subprocess.run([*enter, *command], cwd=folder, capture_output=True, text=True, check=False, timeout=180)

    manifest = Manifest.read(folder / "recordings" / "limited.manifest.json")
    assert manifest.throttled_seconds is not None, ran.stderr
    assert manifest.throttled_seconds > 0
    assert "harness: limited: the CPU limit of this container or control group throttled" in ran.stderr
    assert "Raise the limit, record fewer participants" in ran.stderr


@pytest.mark.skipif(not shutil.which("taskset"), reason="Restricting a program to one processor needs taskset.")
def test_affinity_is_reported(folder: Path) -> None:
    """A program that may use only one processor reports one processor."""
    first = min(os.sched_getaffinity(0))

    report = doctor(["taskset", "-c", str(first), *DOCTOR], folder)

    assert report.ok, report.missing
    assert 1.0 == report.processors
    number = report.machine_processors
    assert ("processors 1" if number == 1 else f"processors 1 of {number}") in rows(report)


def test_user_with_roots_home_gets_a_recommendation(folder: Path) -> None:
    """A user without an entry in /etc/passwd can record, and the report recommends setting HOME."""
    report = doctor(as_user(DOCTOR, home="/root"), folder)

    assert report.ok, report.missing
    assert report.version is not None
    assert not folder_for(report, "home").writable
    assert not folder_for(report, "cache").writable
    assert folder_for(report, "recordings").writable
    assert "home /root (HOME): not writable" in rows(report)
    assert "for example HOME=/tmp" in recommended(report)["home"]
    assert not {"configuration", "cache"} & recommended(report).keys()


def test_small_disk_for_temporary_files_is_reported(folder: Path) -> None:
    """With 64 MB for temporary files, Chrome starts, but recordings may fail, so a larger disk is recommended."""
    with mounted_disk(folder / "tmp", "size=64M,mode=1777") as small:
        report = doctor(DOCTOR, folder, TMPDIR=str(small))

    assert report.ok, report.missing
    temporary = folder_for(report, "temporary files")
    assert (small, "TMPDIR") == (temporary.path, temporary.variable)
    assert temporary.free is not None
    assert temporary.free <= 64 * 1024 * 1024
    assert "set TMPDIR to a folder on a larger disk" in recommended(report)["temporary files"]


def test_missing_folder_for_temporary_files_is_a_missing_requirement(folder: Path) -> None:
    """If TMPDIR names a folder that does not exist, no browser is started, and the report gives the reason."""
    report = doctor(DOCTOR, folder, TMPDIR=str(folder / "missing"))

    assert ["temporary files"] == [requirement.what for requirement in report.missing]
    assert "TMPDIR" in report.missing[0].remedy


@pytest.mark.skipif(not LIBERATION.is_dir(), reason="The Liberation fonts are not installed (fonts-liberation).")
def test_missing_fonts_are_reported_with_the_packages(folder: Path) -> None:
    """With only the Liberation fonts, Chinese, Japanese, Korean, Arabic and emoji can't be drawn."""
    settings = folder / "fonts.conf"
    write_font_configuration(settings, LIBERATION)

    report = doctor(DOCTOR, folder, FONTCONFIG_FILE=str(settings))

    assert report.ok, report.missing
    assert ("Arabic", "Chinese", "Japanese", "Korean", "emoji") == report.undrawable_scripts
    assert "fonts no Arabic, no Chinese, no Japanese, no Korean, no emoji" in rows(report)
    assert "fonts-noto-cjk" in recommended(report)["fonts"]
