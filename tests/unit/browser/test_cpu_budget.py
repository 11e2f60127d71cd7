"""Before a recording begins its owner hears whether the processors will do."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from harness import RecordConfig
from harness.browser.cpu_budget import Load, needed

pytestmark = pytest.mark.parallel

SMALL = RecordConfig(record_video_quality="360p", record_video_frame=15)
LARGE = RecordConfig(record_video_quality="720p", record_video_frame=30)
SOUND = RecordConfig(record_type="audio")


@pytest.fixture
def stranger() -> Iterator[psutil.Process]:
    """Return a busy process that nobody here is a parent of."""
    endless = f"{sys.executable} -c 'while True: pass' > /dev/null 2>&1 & echo $!"
    started = subprocess.run(["sh", "-c", endless], capture_output=True, text=True, check=True)
    process = psutil.Process(int(started.stdout))
    yield process
    process.kill()


def test_more_takes_more() -> None:
    """People, pixels and pictures cost; sound alone costs least."""
    costs = [needed(people, config) for people, config in ((1, SOUND), (1, SMALL), (3, SMALL), (3, LARGE), (9, LARGE))]

    assert sorted(costs) == costs
    assert len(set(costs)) == len(costs)


def test_one_person_in_a_small_picture_fits_any_machine() -> None:
    """Nothing is said where there is enough."""
    assert Load().shortage(1, SMALL) is None


def test_too_many_are_told_with_what_to_do() -> None:
    """The sentence says what it takes, what there is, and the ways out."""
    said = Load().shortage(16 * (os.cpu_count() or 1), LARGE)

    assert said is not None
    assert "1280x720 and 30/s take about" in said
    assert "a smaller quality or frame rate" in said


def test_what_a_stranger_uses_counts(stranger: psutil.Process) -> None:
    """What other programs take of the processors is measured."""
    load = Load()
    began, before = time.monotonic(), stranger.cpu_times().user
    while stranger.cpu_times().user < before + 0.4:
        threading.Event().wait(0.02)

    assert load.foreign() * (time.monotonic() - began) > 0.35


def test_what_the_harness_itself_uses_does_not_count() -> None:
    """The processors' time that goes to this process is not somebody else's."""
    load = Load()
    began, before = time.monotonic(), sum(psutil.cpu_times()[:3])
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pass
    foreign = load.foreign() * (time.monotonic() - began)

    assert foreign < sum(psutil.cpu_times()[:3]) - before - 0.4
