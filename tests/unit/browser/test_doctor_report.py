"""The table of ``harness doctor`` shows a container's limits, and explains what to do about problems."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import rich.console

from harness.browser.doctor.folders import FolderReport
from harness.browser.doctor.report import DoctorReport, MissingRequirement, Recommendation

pytestmark = pytest.mark.parallel

HOME = FolderReport(purpose="home", path=Path("/root"), variable="HOME", free=5_000_000_000, writable=False)
SHARED = FolderReport(purpose="shared memory", path=Path("/dev/shm"), variable=None, free=64_000_000, writable=True)
FIELDS: dict[str, Any] = {
    "executable": Path("/usr/bin/chromium"),
    "channel": None,
    "how_found": "chromium on PATH",
    "version": "156.0.8078.108",
    "sandbox": True,
    "codecs": {"vp9": True, "opus": True},
    "mixer": {"MediaStreamTrackGenerator": True},
    "capacity": {},
    "undrawable_scripts": (),
    "processors": 2.0,
    "machine_processors": 2,
    "memory_free": 22_900_000_000,
    "memory_total": 25_300_000_000,
    "disk_free": None,
    "folders": (HOME, SHARED),
    "node": None,
    "python": "3.11.7",
    "platform": "Linux",
    "versions": {"harness": "0.1.0"},
    "missing": (),
    "recommended": (),
}


def rows(**changes: Any) -> list[str]:
    """Return the lines of the table in a wide terminal, with single spaces."""
    text = io.StringIO()
    rich.console.Console(file=text, width=200).print(DoctorReport(**FIELDS | changes))
    return [" ".join(line.split()) for line in text.getvalue().splitlines()]


def test_whole_machine_is_shown_without_limits() -> None:
    """If nothing limits the harness, the table shows the machine's own processors and memory."""
    shown = rows()

    assert "processors 2" in shown
    assert "memory 22.9 GB free of 25.3 GB" in shown
    assert "fonts complete" in shown


def test_share_of_a_container_is_shown() -> None:
    """The table shows both the container's and the machine's processors, and the container's memory."""
    shown = rows(processors=0.5, memory_free=690_000_000, memory_total=700_000_000)

    assert "processors 0.5 of 2" in shown
    assert "memory 0.7 GB free of 0.7 GB" in shown


def test_folders_are_shown_with_variable_and_free_space() -> None:
    """A folder that is not writable is shown as not writable, even if its disk has free space."""
    shown = rows()

    assert "home /root (HOME): not writable" in shown
    assert "shared memory /dev/shm: 0.1 GB free" in shown


def test_only_missing_requirements_make_recording_impossible() -> None:
    """Recommendations are listed after the missing requirements, and do not affect whether the machine can record."""
    advice = Recommendation(what="home", remedy="set HOME=[/tmp]")
    missing = MissingRequirement(what="a browser", remedy="install one")

    shown = rows(missing=(missing,), recommended=(advice,))

    assert ["missing a browser: install one", "recommended home: set HOME=[/tmp]"] == shown[-2:]
    assert DoctorReport(**FIELDS | {"recommended": (advice,)}).ok
    assert not DoctorReport(**FIELDS | {"missing": (missing,)}).ok


def test_scripts_without_a_font_are_shown() -> None:
    """The table names each script that no font can draw."""
    assert "fonts no Chinese, no emoji" in rows(undrawable_scripts=("Chinese", "emoji"))


def test_json_contains_every_field() -> None:
    """The JSON output contains all fields of the report, and whether the machine can record."""
    answer = DoctorReport(**FIELDS).as_json()

    assert {"ok", *FIELDS} == answer.keys()
    assert FolderReport.model_fields.keys() == answer["folders"][0].keys()
