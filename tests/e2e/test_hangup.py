"""Test that a recording is finished when its terminal closes."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from harness.recording.manifest import Manifest
from tests.support.processes import still_running
from tests.support.program import PROGRAM, wait_until

# The terminal becomes the session's controlling terminal when the shell opens it.
ON_A_TERMINAL = 'exec "$@" <"$TERMINAL" >"$TERMINAL" 2>&1'


@pytest.mark.skipif(sys.platform != "linux", reason="On other systems a session must request its controlling terminal.")
def test_a_recording_is_finished_when_its_terminal_is_closed(tmp_path: Path) -> None:
    """Writing to a closed terminal fails, but the recording is finished and the exit code is 129."""
    ours, theirs = os.openpty()
    program = subprocess.Popen(
        ["sh", "-c", ON_A_TERMINAL, "sh", *PROGRAM, "record", "alice", "--seconds", "60", "--name", "cut"],
        cwd=tmp_path,
        env={**os.environ, "TERMINAL": os.ttyname(theirs)},
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    read = threading.Event()

    def keep_reading() -> None:
        # If nobody read from the terminal, the program would block.
        while not read.is_set():
            os.read(ours, 65_536)

    threading.Thread(target=keep_reading, daemon=True).start()
    spool = tmp_path / "recordings" / ".spool"
    wait_until(lambda: any(raw.stat().st_size > 10_000 for raw in spool.glob("*/raw.webm")), program)
    family = psutil.Process(program.pid).children(recursive=True)

    # The thread that reads from the terminal ends when more progress output arrives.
    read.set()
    os.close(theirs)
    os.close(ours)

    assert 129 == program.wait(30)
    manifest = Manifest.read(tmp_path / "recordings" / "cut.manifest.json")
    assert manifest.recording.recovered is None
    assert (tmp_path / "recordings" / "cut.webm").stat().st_size == manifest.recording.size
    assert [] == still_running(family, within=5)
