"""If a tab, the browser or Python crashes, nearly everything recorded so far is saved as a valid file."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser

from harness import PageError, RecordConfig, Recording, RecordingError, Report, Room, open_room
from harness.recording.manifest import Manifest
from harness.server.clock import room_time
from harness.server.room_server import RoomServer
from tests.support.goals import FULL, Goals, percentile
from tests.support.processes import chrome_processes, still_running
from tests.support.program import recorded_bytes, run_harness, running_harness, wait_until
from tests.support.recordings.second_opinions import disagreements
from tests.support.reports import check_recording

KILLS = 50 if FULL else 1
CRASHES = 10 if FULL else 1
CLOSES = 30 if FULL else 1
PROGRAMS = 10 if FULL else 1
# The fixed seed makes the times of the crashes reproducible.
RANDOM = random.Random(7)  # noqa: S311 - test data, not secrets

CheckFile = Callable[[Recording], Report]


def lost_time(recording: Recording, at: float) -> float:
    """Return how many seconds before ``at`` (a room time in ms) the recording ended."""
    zero = Manifest.read(recording.manifest).zero_ms
    assert zero is not None
    return (at - zero) / 1000 - recording.duration


def spread(losses: list[float]) -> str:
    """Return the median, the 95th percentile and the maximum of the lost seconds, as text."""
    return f"p50 {percentile(losses, 0.5):.2f}, p95 {percentile(losses, 0.95):.2f}, max {max(losses):.2f} s"


def rescued(room: Room) -> Recording:
    """Wait for the crash, and return the recording that is attached to the resulting error."""
    with pytest.raises(RecordingError, match="crashed") as error:
        room.wait(seconds=10)
    recording = error.value.recording
    assert recording is not None
    assert recording.recovered is not None
    return recording


@pytest.mark.own_thread
def test_recording_of_a_killed_browser_is_saved(tmp_path: Path, goals: Goals, check_file: CheckFile) -> None:
    """After the browser is killed with kill -9, the waiting call raises an error with the recording's complete file."""
    losses = []
    for number in range(KILLS):
        others = chrome_processes("browser")
        with open_room(recordings=tmp_path) as room:
            alice = room.join("alice")
            (browser,) = chrome_processes("browser", besides=others)
            config = RecordConfig(record_name=f"killed {number}")
            alice.start_media_recording(recorder="local", record_config=config)
            room.wait(seconds=RANDOM.uniform(0.3, 3))
            at = room_time()
            browser.kill()

            recording = rescued(room)

        check_file(recording)
        losses.append(lost_time(recording, at))

    goals.measured(
        f"data lost after kill -9 of the browser, {KILLS} times",
        bar="<= 0.5 s at p95",
        figure=spread(losses),
        met=percentile(losses, 0.95) <= 0.5,
    )


def test_recording_of_a_crashed_tab_is_attached_to_the_error(room: Room, goals: Goals, check_file: CheckFile) -> None:
    """After a tab crashes, the waiting call raises an error with the cause and the saved recording."""
    losses = []
    for number in range(CRASHES):
        before = chrome_processes("--type=renderer")
        alice = room.join(f"alice {number}")
        mine = chrome_processes("--type=renderer", besides=before)
        config = RecordConfig(record_name=f"crashed {number}")
        alice.start_media_recording(recorder="local", record_config=config)
        room.wait(seconds=RANDOM.uniform(0.5, 2))
        at = room_time()
        for process in mine:
            process.kill()

        recording = rescued(room)

        check_file(recording)
        losses.append(lost_time(recording, at))
        with pytest.raises(PageError):
            alice.stop_media_recording()
        alice.close()

    goals.measured(
        f"data lost after killing the tab, {CRASHES} times",
        bar="error with the file",
        figure=spread(losses),
        met=True,
    )


def test_recording_of_a_closed_context_is_saved(
    room_server: RoomServer, browser: Browser, tmp_path: Path, goals: Goals, check_file: CheckFile
) -> None:
    """If the browser context is closed without stopping the recording, at most 0.5 s of the recording is lost."""
    losses = []
    for number in range(CLOSES):
        with Room(server=room_server, new_context=browser.new_context, recordings=tmp_path, name=f"c{number}") as room:
            alice = room.join("alice")
            alice.start_media_recording(recorder="local", record_config=RecordConfig(record_name=f"closed {number}"))
            room.wait(seconds=RANDOM.uniform(0.3, 2))
            at = room_time()
            alice.page.context.close()

        (recording,) = alice.recordings
        assert recording.recovered is not None
        check_file(recording)
        losses.append(lost_time(recording, at))

    goals.measured(
        f"data lost after closing the context, {CLOSES} times",
        bar="<= 0.5 s",
        figure=spread(losses),
        met=max(losses) <= 0.5,
    )


def test_recording_of_a_killed_program_is_recovered_and_no_process_remains(tmp_path: Path, goals: Goals) -> None:
    """After Python is killed with kill -9, Chrome also exits, and ``harness recover`` finishes the file."""
    losses, orphans = [], 0
    folder = tmp_path
    for number in range(PROGRAMS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with running_harness("record", "alice", "--seconds", "60", "--name", "killed", folder=folder) as process:
            wait_until(lambda: recorded_bytes(tmp_path) > 50_000, process)
            family = psutil.Process(process.pid).children(recursive=True)
            at = room_time()
            assert len(family) > 2
            process.kill()
            orphans += len(still_running(family, within=2))

        result = run_harness("recover", "--json", folder=folder)

        (recording,) = json.loads(result.stdout)["recordings"]
        path = Path(recording["path"])
        assert 0 == result.returncode, result.stderr
        assert "killed.webm" == path.name
        assert recording["recovered"]
        assert [] == disagreements(path)
        check_recording(path)
        losses.append(lost_time(Manifest.read(path.with_suffix(".manifest.json")).recording, at))
    assert "Nothing to recover." in run_harness("recover", folder=folder).stdout

    goals.measured(
        f"Python killed, {PROGRAMS} times: processes left after 2 s; data lost",
        bar="none; <= 1 s",
        figure=f"{orphans}; {spread(losses)}",
        met=orphans == 0 and max(losses) <= 1,
    )
    assert 0 == orphans
