"""Tabs, browsers and Python die while the recording goes on; what had arrived is a valid file."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from harness import PageError, RecordConfig, RecordingError, Room, open_room
from tests.verdicts import whole


def renderers() -> list[psutil.Process]:
    """Return the browser's renderer processes, the youngest last."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "--type=renderer" in process.cmdline():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return sorted(found, key=lambda process: process.create_time())


def test_a_crashed_tab_leaves_its_recording_with_the_error(room: Room) -> None:
    """Whoever waits, or calls next, is told what happened and gets what was saved."""
    before = {process.pid for process in renderers()}
    alice = room.join("alice")
    mine = [process for process in renderers() if process.pid not in before]
    alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="crashed"))
    room.wait(seconds=2)
    for process in mine:
        os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(RecordingError, match="crashed") as error:
        room.wait(seconds=10)

    recording = error.value.recording
    assert recording is not None
    assert recording.recovered is not None
    assert 1 < recording.duration < 4
    whole(recording)
    with pytest.raises(PageError):
        alice.stop_media_recording()


@pytest.mark.own_thread
def test_a_killed_browser_leaves_its_recording_with_the_error(tmp_path: Path) -> None:
    """The same when the whole browser is killed: the file holds all but the last moment."""
    others = set(psutil.Process().children(recursive=True))
    with open_room(recordings=tmp_path) as room:
        alice = room.join("alice")
        alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name="killed"))
        room.wait(seconds=2)
        elapsed = alice.elapsed
        for process in set(psutil.Process().children(recursive=True)) - others:
            if process.is_running() and "chrom" in process.name():
                process.kill()

        with pytest.raises(RecordingError, match="crashed") as error:
            room.wait(seconds=10)

    recording = error.value.recording
    assert recording is not None
    assert elapsed - 1.5 < recording.duration < elapsed + 1
    whole(recording)
