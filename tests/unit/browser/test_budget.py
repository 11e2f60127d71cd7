"""Before a recording starts, a warning is shown if the machine does not have enough CPU time or memory for it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from harness import RecordConfig
from harness.browser.budget import Budget, Need, fitting
from harness.recording.machine import memory_free

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
    costs = [Need.of(participants, config).processors for participants, config in requests]

    assert sorted(costs) == costs
    assert len(set(costs)) == len(costs)


def test_one_participant_with_a_small_video_fits_any_machine() -> None:
    """Recording one participant with a small frame size causes no warning on a fast machine."""
    assert Budget().shortage(1, SMALL) is None
    assert Budget().memory_shortage(1) is None


def test_warning_names_the_need_and_the_remedy() -> None:
    """The warning states how many processors are needed and available, and explains what to do."""
    warning = Budget().shortage(16 * (os.cpu_count() or 1), LARGE)

    assert warning is not None
    assert "(1280x720, 30 fps) need about" in warning
    assert "a lower quality or frame rate" in warning


@pytest.mark.parametrize(
    ("used", "part"),
    [(0.0, "it has only 0.5. "), (1.5, "it has only 0.5. "), (1.8, "other programs use 0.3 of its 0.5 processors. ")],
)
def test_warning_names_the_share_of_a_container(monkeypatch: pytest.MonkeyPatch, used: float, part: str) -> None:
    """In a container that may use half of a processor, other programs matter only if they use the whole machine."""
    monkeypatch.setattr("harness.browser.budget.processors", lambda: 0.5)
    monkeypatch.setattr("harness.browser.budget.all_processors", lambda: 2)
    budget = Budget()
    monkeypatch.setattr(budget, "used_by_others", lambda: used)

    warning = budget.shortage(16, LARGE)

    assert warning is not None
    assert part in warning


def test_too_little_memory_is_a_warning_with_a_remedy() -> None:
    """The warning states how much memory is needed and free, and explains what to do."""
    warning = Budget().memory_shortage(100_000)

    assert warning is not None
    assert "100000 participants need about 15000." in warning
    assert " GB, and it has only " in warning
    assert "raise the container's memory limit" in warning


def test_needed_memory_grows_with_participants() -> None:
    """Each participant has a page, whose memory does not depend on the quality of the recording."""
    small, large = Need.of(3, SMALL), Need.of(3, LARGE)

    assert small.memory == large.memory
    assert Need.of(1, LARGE).memory < small.memory < Need.of(9, SMALL).memory


def test_recordings_run_at_the_same_time_if_their_memory_is_free() -> None:
    """Two recordings that each need 40 % of the free memory fit, but a third one does not."""
    need = Need(processors=0.0, memory=round(0.4 * memory_free()))

    assert 2 == fitting([need] * 3)


def test_recordings_run_at_the_same_time_if_the_processors_are_enough() -> None:
    """The recordings with the largest needs decide, because they may run at the same time."""
    little, much = Need(processors=0.0, memory=0), Need(processors=1_000.0, memory=0)

    assert 3 == fitting([little] * 3)
    assert 0 == fitting([little, little, much])


def test_processor_time_of_other_programs_counts(other_program: psutil.Process) -> None:
    """CPU time used by other programs is not available to the recording."""
    budget = Budget()
    began, before = time.monotonic(), other_program.cpu_times().user
    while other_program.cpu_times().user < before + 0.4:
        threading.Event().wait(0.02)

    assert budget.used_by_others() * (time.monotonic() - began) > 0.35


def test_processor_time_of_the_harness_itself_does_not_count() -> None:
    """CPU time that the harness itself uses counts as available to the recording."""
    budget = Budget()
    began, before = time.monotonic(), sum(psutil.cpu_times()[:3])
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pass
    others = budget.used_by_others() * (time.monotonic() - began)

    assert others < sum(psutil.cpu_times()[:3]) - before - 0.4
