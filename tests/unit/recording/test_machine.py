"""The processors and the memory that a process can use are limited by its affinity and its control groups."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from harness.recording.control_groups import ControlGroups
from harness.recording.files.formats import decoder_threads
from harness.recording.machine import (
    LostCpu,
    LostCpuTime,
    all_processors,
    memory_free,
    memory_total,
    processors,
    shown_processors,
)
from tests.support.jobs.limited_group import limited_group

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.parallel

MIB = 1024 * 1024
# The value of a limit that is not set, in version 1.
UNLIMITED = "9223372036854771712\n"
CONTAINER = "3f1c5e8a0d6b"
# Each system's files, with the lines that matter. The lines have the form that the systems write.
V1_CONTAINER = {
    "proc/self/cgroup": f"""\
11:memory:/docker/{CONTAINER}
10:cpu,cpuacct:/docker/{CONTAINER}
2:pids:/docker/{CONTAINER}
1:name=systemd:/docker/{CONTAINER}
0::/system.slice/containerd.service
""",
    "proc/self/mountinfo": f"""\
700 604 0:161 / / rw,relatime master:252 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
702 700 0:165 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
703 702 0:166 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755
704 703 0:30 /docker/{CONTAINER} /sys/fs/cgroup/systemd ro,nosuid,noexec master:11 - cgroup cgroup rw,name=systemd
705 703 0:33 /docker/{CONTAINER} /sys/fs/cgroup/cpu,cpuacct ro,nosuid,noexec master:14 - cgroup cgroup rw,cpu,cpuacct
706 703 0:37 /docker/{CONTAINER} /sys/fs/cgroup/memory ro,nosuid,nodev,noexec master:18 - cgroup cgroup rw,memory
""",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 610\nnr_throttled 82\nthrottled_time 2500000000\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{700 * MIB}\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{300 * MIB}\n",
    "sys/fs/cgroup/memory/memory.stat": f"cache 1\ninactive_file 7\ntotal_inactive_file {100 * MIB}\n",
}
V1_WITHOUT_LIMITS = V1_CONTAINER | {
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": UNLIMITED,
}
# In a container with its own cgroup namespace, the container's group is the root.
V2_CONTAINER = {
    "proc/self/cgroup": "0::/\n",
    "proc/self/mountinfo": """\
867 800 0:150 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
868 867 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot
""",
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 900\nnr_periods 610\nnr_throttled 82\nthrottled_usec 2500000\n",
    "sys/fs/cgroup/memory.max": f"{700 * MIB}\n",
    "sys/fs/cgroup/memory.current": f"{300 * MIB}\n",
    "sys/fs/cgroup/memory.stat": f"anon 5\ninactive_file {100 * MIB}\nactive_file 9\n",
}
V2_WITHOUT_LIMITS = V2_CONTAINER | {"sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n"}
# A program in a container whose namespace is not its own, for example one that was started with nsenter.
V2_OTHER_NAMESPACE = V2_CONTAINER | {
    "proc/self/cgroup": f"0::/../docker-{CONTAINER}.scope\n",
    "proc/self/mountinfo": (
        f"405 404 0:25 /../docker-{CONTAINER}.scope /sys/fs/cgroup ro,nosuid,relatime - cgroup2 cgroup rw,nsdelegate\n"
    ),
}
V2_OUTSIDE = V2_CONTAINER | {"proc/self/cgroup": "0::/../../system.slice/cron.service\n"}
SESSION = "user.slice/user-1000.slice/session-3.scope"
V2_NESTED = {
    "proc/self/cgroup": f"0::/{SESSION}\n",
    "proc/self/mountinfo": "26 25 0:23 / /sys/fs/cgroup rw,nosuid,nodev,noexec shared:9 - cgroup2 cgroup2 rw\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 1000\n",
    "sys/fs/cgroup/user.slice/cpu.max": "300000 100000\n",
    "sys/fs/cgroup/user.slice/cpu.stat": "usage_usec 800\nthrottled_usec 500000\n",
    "sys/fs/cgroup/user.slice/memory.max": f"{500 * MIB}\n",
    "sys/fs/cgroup/user.slice/memory.current": f"{450 * MIB}\n",
    "sys/fs/cgroup/user.slice/user-1000.slice/cpu.max": "25000 100000\n",
    "sys/fs/cgroup/user.slice/user-1000.slice/cpu.stat": "usage_usec 700\nthrottled_usec 2000000\n",
    "sys/fs/cgroup/user.slice/user-1000.slice/memory.max": f"{400 * MIB}\n",
    "sys/fs/cgroup/user.slice/user-1000.slice/memory.current": f"{100 * MIB}\n",
    f"sys/fs/cgroup/{SESSION}/cpu.max": "max 100000\n",
    f"sys/fs/cgroup/{SESSION}/memory.max": "max\n",
}
# Version 1 has the controllers, and version 2 only groups processes.
HYBRID = {
    "proc/self/cgroup": "8:pids:/\n4:memory:/process_api/a1f5\n2:cpuacct:/\n1:cpu:/\n0::/\n",
    "proc/self/mountinfo": """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
""",
    "sys/fs/cgroup/cpu/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\nnr_bursts 0\nburst_time 0\n",
    "sys/fs/cgroup/memory/process_api/a1f5/memory.limit_in_bytes": f"{64 * MIB}\n",
    "sys/fs/cgroup/memory/process_api/a1f5/memory.usage_in_bytes": f"{80 * MIB}\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": UNLIMITED,
    "sys/fs/cgroup/unified/cgroup.controllers": "hugetlb\n",
}
SPACE_IN_THE_PATH = {
    "proc/self/cgroup": "0::/\n",
    "proc/self/mountinfo": "26 25 0:23 / /mnt/my\\040groups rw - cgroup2 cgroup2 rw\n",
    "mnt/my groups/cpu.max": "50000 100000\n",
}
DAMAGED = V2_CONTAINER | {
    "proc/self/mountinfo": "26 25\n\nnonsense - cgroup2\n" + V2_CONTAINER["proc/self/mountinfo"],
    "sys/fs/cgroup/cpu.max": "0 0\n",
    "sys/fs/cgroup/cpu.stat": "nonsense\nthrottled_usec many\n",
    "sys/fs/cgroup/memory.max": "\xff\n",
}
BUSY = """
import json, sys, time
from harness.recording.machine import LostCpuTime, memory_free, memory_total, processors

lost = LostCpuTime()
until = time.process_time() + 0.3
while time.process_time() < until:
    pass
print(json.dumps([processors(), memory_total(), memory_free(), lost.so_far().throttled]))
"""


def groups(folder: Path, files: dict[str, str]) -> ControlGroups:
    """Write a system's files below a folder, and return the control groups that they describe."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="latin-1")
    return ControlGroups(folder)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(V1_CONTAINER, (0.5, 700 * MIB, 500 * MIB, 2.5), id="version 1 in a container"),
        pytest.param(V2_CONTAINER, (1.5, 700 * MIB, 500 * MIB, 2.5), id="version 2 in a container"),
        pytest.param(V2_WITHOUT_LIMITS, (None, None, None, 2.5), id="version 2 without limits"),
        pytest.param(V2_OTHER_NAMESPACE, (1.5, 700 * MIB, 500 * MIB, 2.5), id="a container's group seen from outside"),
        pytest.param(V2_OUTSIDE, (1.5, 700 * MIB, 500 * MIB, 2.5), id="a group outside the container"),
        pytest.param(V2_NESTED, (0.25, 400 * MIB, 50 * MIB, 2.5), id="nested groups"),
        pytest.param(HYBRID, (None, 64 * MIB, 0, 0.0), id="both versions, and more memory used than allowed"),
        pytest.param(SPACE_IN_THE_PATH, (0.5, None, None, None), id="a mount point with a space"),
        pytest.param(DAMAGED, (None, None, None, None), id="damaged files"),
        pytest.param({}, (None, None, None, None), id="no files"),
        pytest.param({"proc/self/cgroup": "0::/\n"}, (None, None, None, None), id="no mounts"),
        pytest.param(
            V1_CONTAINER | {"proc/self/cgroup": "1:name=systemd:/\n"}, (None, None, None, None), id="no controllers"
        ),
    ],
)
def test_smallest_limit_of_all_groups_counts(
    tmp_path: Path, files: dict[str, str], expected: tuple[float | None, int | None, int | None, float | None]
) -> None:
    """The limits of the process's own group and of all visible groups above it are read; the smallest one counts."""
    found = groups(tmp_path, files)

    assert expected == (
        found.processors(),
        found.memory_limit(),
        found.memory_free(),
        found.throttled_seconds(),
    )


def test_groups_without_limits_leave_the_whole_machine(tmp_path: Path) -> None:
    """In version 1, a memory limit that is not set is larger than any machine's memory."""
    found = groups(tmp_path, V1_WITHOUT_LIMITS)

    assert float(len(os.sched_getaffinity(0))) == processors(found)
    assert psutil.virtual_memory().total == memory_total(found)


def test_share_of_a_container_counts_instead_of_the_machine(tmp_path: Path) -> None:
    """In a container with a quota and a memory limit, only the container's limits matter."""
    found = groups(tmp_path, V1_CONTAINER)

    assert 0.5 == processors(found)
    assert "0.5" == shown_processors(processors(found))
    assert 700 * MIB == memory_total(found)
    assert 500 * MIB == memory_free(found)


@pytest.mark.parametrize(("share", "threads"), [(0.5, 1), (1.0, 1), (1.5, 2), (64.0, 4)])
def test_part_of_a_processor_is_enough_for_a_decoder_thread(
    monkeypatch: pytest.MonkeyPatch, share: float, threads: int
) -> None:
    """The number of decoder threads is a whole number between one and four."""
    monkeypatch.setattr("harness.recording.files.formats.processors", lambda: share)

    assert threads == decoder_threads()


def test_affinity_limits_the_processors() -> None:
    """A program that may run on only one processor can use at most one, even if the machine has more."""
    program = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    program += "from harness.recording.machine import processors; print(processors() <= 1)"

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "True" == ran.stdout.strip()


def test_lost_cpu_time_is_measured_from_the_beginning(tmp_path: Path) -> None:
    """Only time that was lost after the measurement began counts; a counter that goes backwards counts as 0."""
    began = time.monotonic()
    measured = LostCpuTime(groups(tmp_path, V2_CONTAINER))
    statistics = tmp_path / "sys/fs/cgroup/cpu.stat"

    statistics.write_text("throttled_usec 3250000\n")
    grown = measured.so_far()
    statistics.write_text("throttled_usec 0\n")
    shrunk = measured.so_far()
    statistics.unlink()
    unknown = measured.so_far()

    assert (0.75, 0.0, None) == (grown.throttled, shrunk.throttled, unknown.throttled)
    assert 0 <= grown.seconds <= time.monotonic() - began


@pytest.mark.skipif(not hasattr(psutil.cpu_times(), "steal"), reason="Only Linux reports steal time.")
def test_stolen_time_is_known_on_linux() -> None:
    """The hypervisor can't steal more time than has passed on all processors."""
    measured = LostCpuTime()
    threading.Event().wait(0.05)

    lost = measured.so_far()

    # The kernel counts in steps of 10 ms.
    assert lost.stolen is not None
    assert 0 <= lost.stolen <= (lost.seconds + 0.02) * all_processors()


@pytest.mark.parametrize(
    ("lost", "part"),
    [
        (LostCpu(seconds=10.0, throttled=0.05, stolen=0.0), None),
        (LostCpu(seconds=10.0, throttled=None, stolen=None), None),
        (LostCpu(seconds=10.0, throttled=3.21, stolen=0.0), "throttled the recording's programs for a total of 3.2 s"),
        (LostCpu(seconds=10.0, throttled=None, stolen=1000.0), "gave 1000.0 s of this machine's CPU time to other"),
    ],
)
def test_noticeable_loss_is_a_warning_with_a_remedy(lost: LostCpu, part: str | None) -> None:
    """A loss that is too small to affect frames causes no warning."""
    warning = lost.warning()

    if part is None:
        assert warning is None
    else:
        assert warning is not None
        assert part in warning
        assert "record fewer participants, or use a lower quality." in warning


def test_program_in_a_real_group_knows_its_share(tmp_path: Path) -> None:
    """A program that needs a whole processor, but may use only a fifth of one, is throttled most of the time.

    The share is small, so that the program is also throttled while other tests use the processors.
    """
    with limited_group(processors=0.2, memory=700 * MIB) as enter:
        ran = subprocess.run(
            [*enter, sys.executable, "-c", BUSY], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert 0 == ran.returncode, ran.stderr
    number, total, free, throttled = json.loads(ran.stdout)
    assert (0.2, 700 * MIB) == (number, total)
    assert 0 < free < 700 * MIB
    assert throttled > 0.1
