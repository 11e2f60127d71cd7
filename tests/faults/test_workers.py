"""If several programs share a recordings folder, none of them changes a recording that is still in progress."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.recording.spool.recover import recover
from harness.server.spool.spool import Spool
from tests.support.goals import FULL, Goals
from tests.support.recordings.long_recording import EndlessRecording, Slice, begin_recording

ABANDONED = 24 if FULL else 6
WORKERS = 4
A_WORKER = """
import sys
from pathlib import Path
from harness.recording.spool.recover import recover

for one in recover(Path(sys.argv[1])):
    print(one.recording.path.name if one.recording else one)
"""


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Slice]:
    """Return a two-second recording, divided into slices like those that a page sends."""
    return list(EndlessRecording(tmp_path_factory.mktemp("clip"), rate=15).slices(2))


@pytest.fixture
def live(tmp_path: Path, slices: list[Slice]) -> Iterator[Spool]:
    """Return a spool that contains a recording in progress."""
    spool = Spool(tmp_path, {})
    footage = EndlessRecording(tmp_path / "..", rate=15)
    active = begin_recording(spool, footage, "live")
    for number, one in enumerate(slices):
        active.add_chunk(number, active.size, memoryview(one.data))
        active.add_ticks(one.first, one.written)
    yield spool
    spool.close()


def test_parallel_workers_recover_each_recording_once_and_none_that_is_locked(
    tmp_path: Path, live: Spool, slices: list[Slice], goals: Goals
) -> None:
    """Four programs recover each abandoned recording exactly once, and do not change the recording in progress."""
    crashed = Spool(tmp_path, {})
    for number in range(ABANDONED):
        active = begin_recording(crashed, EndlessRecording(tmp_path / "..", rate=15), f"abandoned {number}")
        for index, one in enumerate(slices):
            active.add_chunk(index, active.size, memoryview(one.data))
            active.add_ticks(one.first, one.written)
    # Closing the spool leaves the folder as a crash would: no recording is finished, and no lock is held.
    crashed.close()

    workers = [
        subprocess.Popen([sys.executable, "-c", A_WORKER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(WORKERS)
    ]
    recovered = [name for worker in workers for name in worker.communicate(timeout=60)[0].splitlines() if name]

    assert sorted(f"abandoned {number}.webm" for number in range(ABANDONED)) == sorted(recovered)
    (active,) = live.recordings.values()
    assert active.folder.raw.exists()
    assert active.finish_with_manifest().recording.duration == pytest.approx(2, abs=0.2)
    assert [] == recover(tmp_path)
    goals.measured(
        f"{WORKERS} programs on one folder",
        bar="each abandoned recording recovered once",
        figure=f"{len(recovered)} of {ABANDONED} recovered once, the locked one untouched",
        met=True,
    )
