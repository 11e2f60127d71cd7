"""Before a recording starts, a warning is shown if the machine doesn't have enough CPU time for it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from harness import RecordConfig
from harness.browser.cpu_budget import CpuBudget, needed

pytestmark = pytest.mark.parallel

SMALL = RecordConfig(record_video_quality="360p", record_video_frame=15)
LARGE = RecordConfig(record_video_quality="720p", record_video_frame=30)
AUDIO = RecordConfig(record_type="audio")


@pytest.fixture
def other_program() -> Iterator[psutil.Process]:
    """Start a busy process that is not a child of this process."""
    endless = f"{sys.executable} -c 'while True: pass' > /dev/null 2>&1 & echo $!"
    started = subprocess.run(["sh", "-c", endless], capture_output=True, text=True, check=True)
    process = psutil.Process(int(started.stdout))
    yield process
    process.kill()


def test_needed_processors_grow_with_participants_pixels_and_frames() -> None:
    """Recording more participants, larger frames or a higher frame rate requires more processors.

    A recording that contains only audio requires the fewest processors.
    """
    requests = ((1, AUDIO), (1, SMALL), (3, SMALL), (3, LARGE), (9, LARGE))
    costs = [needed(participants, config) for participants, config in requests]

    assert sorted(costs) == costs
    assert len(set(costs)) == len(costs)


def test_one_participant_with_a_small_video_fits_any_machine() -> None:
    """Recording one participant with a small frame size causes no warning on a fast machine."""
    assert CpuBudget().shortage(1, SMALL) is None


def test_warning_names_the_need_and_the_remedy() -> None:
    """The warning states how many processors are needed and available, and explains what to do."""
    warning = CpuBudget().shortage(16 * (os.cpu_count() or 1), LARGE)

    assert warning is not None
    assert "(1280x720, 30 fps) need about" in warning
    assert "a lower quality or frame rate" in warning


def test_processor_time_of_other_programs_counts(other_program: psutil.Process) -> None:
    """CPU time used by other programs is not available to the recording."""
    budget = CpuBudget()
    began, before = time.monotonic(), other_program.cpu_times().user
    while other_program.cpu_times().user < before + 0.4:
        threading.Event().wait(0.02)

    assert budget.used_by_others() * (time.monotonic() - began) > 0.35


def test_processor_time_of_the_harness_itself_does_not_count() -> None:
    """CPU time that the harness itself uses counts as available to the recording."""
    budget = CpuBudget()
    began, before = time.monotonic(), sum(psutil.cpu_times()[:3])
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pass
    others = budget.used_by_others() * (time.monotonic() - began)

    assert others < sum(psutil.cpu_times()[:3]) - before - 0.4
