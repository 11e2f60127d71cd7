"""Modules import only what they need.

Calling ``verify`` does not import a decoder into the caller's process, only into the confined child process. pytest
loads the plugin in every run, so loading it is fast.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.media.recording_file import write_recording
from tests.support.media.scene import Scene, participants

pytestmark = pytest.mark.parallel

PROGRAM = """
import sys
from harness.verification import verify

report = verify(sys.argv[1])
report.write_html(sys.argv[2])
report.write_junit(sys.argv[3])
print(report.ok, *(name for name in ("av", "numpy") if name in sys.modules))
"""


def test_caller_of_verify_imports_neither_pyav_nor_numpy(tmp_path: Path) -> None:
    """The process that calls ``verify`` and writes the report's page does not need PyAV or NumPy."""
    recording = write_recording(tmp_path / "scene.webm", Scene(participants=participants("alice"), seconds=1.0))

    program = subprocess.run(
        [sys.executable, "-c", PROGRAM, recording.path, tmp_path / "report.html", tmp_path / "report.xml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (0, "True\n") == (program.returncode, program.stdout), program.stderr
    assert "data:image/jpeg" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_loading_the_plugin_imports_neither_the_server_nor_the_verification() -> None:
    """A test run that uses no room does not import packages that only rooms and reports need."""
    program = """
import sys, harness.pytest_plugin
print(*(name for name in ("aiohttp", "av", "numpy", "pydantic", "rich") if name in sys.modules))
"""
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert "\n" == loaded.stdout
